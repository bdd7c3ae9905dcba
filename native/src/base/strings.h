// StrCat: builds messages from strings and integers. Here because no packaged compiler of the
// supported distributions has <format>, and a message needs no more than this.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <string_view>

namespace penstock {
namespace internal {

inline void AppendPiece(std::string& out, std::string_view piece) {
  out.append(piece);
}
inline void AppendPiece(std::string& out, char piece) {
  out.push_back(piece);
}
template <std::integral T>
  requires(!std::same_as<T, char>)
void AppendPiece(std::string& out, T piece) {
  out.append(std::to_string(piece));
}

}  // namespace internal

template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  (internal::AppendPiece(out, pieces), ...);
  return out;
}

// What a peer sent, made fit for a message: control and non-ASCII bytes become '?', and what is
// longer than 64 bytes is cut, so that an error never repeats a megabyte or breaks a log line.
std::string Printable(std::string_view text);

// As protobuf demands of every string field: no surrogates, nothing above U+10FFFF, nothing longer
// than it need be.
bool IsUtf8(std::string_view text);

}  // namespace penstock
