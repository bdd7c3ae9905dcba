#include "metrics/prometheus_text.h"

#include <array>
#include <charconv>

namespace penstock::metrics {
namespace {

// The shortest text that reads back as the same number.
class NumberText final {
 public:
  template <typename Number>
  explicit NumberText(Number value)
      : end_(std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr) {}
  std::string_view view() const { return {text_.data(), end_}; }

 private:
  std::array<char, 32> text_;
  char* end_;
};

void AppendEscaped(std::string& text, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
}

}  // namespace

void PrometheusText::Begin(Metric metric) {
  const MetricInfo& info = kMetrics[static_cast<std::size_t>(metric)];
  name_ = info.name;
  text_.append("# HELP ").append(info.name).append(" ").append(info.help);
  text_.append("\n# TYPE ").append(info.name).append(" ").append(info.type).append("\n");
}

void PrometheusText::Add(Labels labels, std::int64_t value) {
  AddName("", labels);
  text_.append(NumberText(value).view()).append("\n");
}

void PrometheusText::Add(Labels labels, double value) {
  AddName("", labels);
  text_.append(NumberText(value).view()).append("\n");
}

void PrometheusText::AddSample(std::string_view suffix, Labels labels, double bound,
                               std::int64_t value) {
  AddName(suffix, labels, NumberText(bound).view());
  text_.append(NumberText(value).view()).append("\n");
}

void PrometheusText::AddTotals(Labels labels, std::int64_t count, double sum) {
  AddName("_bucket", labels, "+Inf");
  text_.append(NumberText(count).view()).append("\n");
  AddName("_sum", labels);
  text_.append(NumberText(sum).view()).append("\n");
  AddName("_count", labels);
  text_.append(NumberText(count).view()).append("\n");
}

void PrometheusText::AddName(std::string_view suffix, Labels labels, std::string_view bound) {
  text_.append(name_).append(suffix);
  char separator = '{';
  const auto add = [&](std::string_view name, std::string_view value) {
    text_ += separator;
    text_.append(name).append("=\"");
    AppendEscaped(text_, value);
    text_ += '"';
    separator = ',';
  };
  for (const auto& [name, value] : labels) add(name, value);
  if (!bound.empty()) add("le", bound);
  if (separator == ',') text_ += '}';
  text_ += ' ';
}

}  // namespace penstock::metrics
