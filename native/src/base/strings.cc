#include "base/strings.h"

namespace penstock {

std::string Printable(std::string_view text) {
  constexpr std::size_t kLengthMax = 64;
  std::string out;
  for (char c : text.substr(0, kLengthMax)) out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  if (text.size() > kLengthMax) out.append("...");
  return out;
}

}  // namespace penstock
