#include "flag_values.h"

#include <algorithm>
#include <charconv>

namespace penstock::host {
namespace {

bool ParseWhole(std::string_view text, std::int64_t* value) {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, *value);
  return !text.empty() && text.front() != '-' && failure == std::errc() && stop == end;
}

std::string Quoted(std::string_view flag, std::string_view text) {
  return std::string(flag) + ": '" + std::string(text) + "'";
}

bool CheckRange(std::string_view flag, std::string_view text, Range range, std::string_view unit,
                std::int64_t value, std::string* error) {
  if (value >= range.min && value <= range.max) return true;
  *error = Quoted(flag, text) + " is not in " + std::to_string(range.min) + ".." +
           std::to_string(range.max) + std::string(unit);
  return false;
}

}  // namespace

bool ParseInt(std::string_view flag, std::string_view text, Range range, std::int64_t* value,
              std::string* error) {
  std::int64_t parsed = 0;
  if (!ParseWhole(text, &parsed)) {
    *error = Quoted(flag, text) + " is not a whole number";
    return false;
  }
  if (!CheckRange(flag, text, range, "", parsed, error)) return false;
  *value = parsed;
  return true;
}

bool ParseDurationMs(std::string_view flag, std::string_view text, Range range, std::int64_t* value,
                     std::string* error) {
  std::string_view digits = text;
  std::int64_t unit_ms = 1000;
  if (digits.ends_with("ms")) {
    digits.remove_suffix(2);
    unit_ms = 1;
  } else if (digits.ends_with("s")) {
    digits.remove_suffix(1);
  }
  std::int64_t parsed = 0;
  if (!ParseWhole(digits, &parsed)) {
    *error = Quoted(flag, text) + " is not a time such as 30, 30s or 500ms";
    return false;
  }
  // Beyond the range anyway; it keeps the product from overflowing.
  parsed = std::min(parsed, range.max + 1) * unit_ms;
  if (!CheckRange(flag, text, range, " ms", parsed, error)) return false;
  *value = parsed;
  return true;
}

bool ParseList(std::string_view flag, std::string_view text,
               std::initializer_list<std::string_view> choices, std::vector<std::string>* value,
               std::string* error) {
  std::vector<std::string> items;
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view item = text.substr(start, comma - start);
    if (std::find(choices.begin(), choices.end(), item) == choices.end()) {
      *error = NoChoice(flag, item, choices);
      return false;
    }
    items.emplace_back(item);
    start = comma + 1;
  }
  *value = std::move(items);
  return true;
}

std::string NoChoice(std::string_view flag, std::string_view text,
                     const std::vector<std::string_view>& choices) {
  std::string message = Quoted(flag, text) + " is not one of ";
  for (const std::string_view choice : choices) {
    if (choice != choices.front()) message += ", ";
    message += choice;
  }
  return message;
}

}  // namespace penstock::host
