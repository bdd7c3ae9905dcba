// Turns the text of one command line flag into a value, or says why it is none. PURE: used by the
// generated options_text.cc, which brings names and ranges.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::host {

struct Range {
  std::int64_t min;
  std::int64_t max;
};

// A decimal number without sign, blank or unit.
bool ParseInt(std::string_view flag, std::string_view text, Range range, std::int64_t* value,
              std::string* error);

// "30" and "30s" are seconds, "500ms" milliseconds; the range is in milliseconds.
bool ParseDurationMs(std::string_view flag, std::string_view text, Range range, std::int64_t* value,
                     std::string* error);

// One or more of `choices`, separated by commas.
bool ParseList(std::string_view flag, std::string_view text,
               std::initializer_list<std::string_view> choices, std::vector<std::string>* value,
               std::string* error);

// "--flag: 'text' is not one of a, b, c".
std::string NoChoice(std::string_view flag, std::string_view text,
                     const std::vector<std::string_view>& choices);

template <typename EnumType>
bool ParseEnum(std::string_view flag, std::string_view text,
               std::initializer_list<std::pair<std::string_view, EnumType>> choices,
               EnumType* value, std::string* error) {
  std::vector<std::string_view> names;
  for (const auto& [name, choice] : choices) {
    if (name == text) {
      *value = choice;
      return true;
    }
    names.push_back(name);
  }
  *error = NoChoice(flag, text, names);
  return false;
}

}  // namespace penstock::host
