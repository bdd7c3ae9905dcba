#include "base/log.h"

#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace penstock {
namespace {

constexpr std::array<std::string_view, 4> kSeverityNames = {"debug", "info", "warning", "error"};

std::string Timestamp() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  std::array<char, 32> text;
  const std::size_t length = strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> milliseconds;
  std::snprintf(milliseconds.data(), milliseconds.size(), ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000) % 1000);
  return std::string(text.data(), length).append(milliseconds.data());
}

void AppendQuoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c) & 0xffU);
      out.append(escape.data());
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

// Control characters too: a value may hold what a peer sent, and must not write lines of its own.
bool NeedsQuotes(std::string_view value) {
  return value.empty() || std::ranges::any_of(value, [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == 0x7f;
         });
}

}  // namespace

void Logger::Write(LogSeverity severity, std::string_view message, Fields fields) {
  if (severity < options_.severity_min) return;
  const std::string_view name = kSeverityNames[static_cast<std::size_t>(severity)];
  std::string line;
  if (options_.json) {
    line.append("{\"time\":\"").append(Timestamp()).append("\",\"level\":\"").append(name);
    line.append("\",\"message\":");
    AppendQuoted(line, message);
    for (const LogField& field : fields) {
      line.push_back(',');
      AppendQuoted(line, field.name);
      line.push_back(':');
      AppendQuoted(line, field.value);
    }
    line.append("}\n");
  } else {
    line.append(Timestamp()).append(" ").append(name).append(" ").append(message);
    for (const LogField& field : fields) {
      line.append(" ").append(field.name).append("=");
      if (NeedsQuotes(field.value)) {
        AppendQuoted(line, field.value);
      } else {
        line.append(field.value);
      }
    }
    line.push_back('\n');
  }
  const std::lock_guard<std::mutex> lock(mu_);
  // A log that cannot be written has nowhere to complain: the line is lost, the server is not.
  [[maybe_unused]] const ssize_t written = write(options_.fd, line.data(), line.size());
}

}  // namespace penstock
