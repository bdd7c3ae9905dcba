#include "base/status.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace penstock {

std::string_view StatusCodeName(StatusCode code) {
  static constexpr std::array<std::string_view, kStatusCodeCount> kNames = {"OK",
                                                                            "CANCELLED",
                                                                            "UNKNOWN",
                                                                            "INVALID_ARGUMENT",
                                                                            "DEADLINE_EXCEEDED",
                                                                            "NOT_FOUND",
                                                                            "ALREADY_EXISTS",
                                                                            "PERMISSION_DENIED",
                                                                            "RESOURCE_EXHAUSTED",
                                                                            "FAILED_PRECONDITION",
                                                                            "ABORTED",
                                                                            "OUT_OF_RANGE",
                                                                            "UNIMPLEMENTED",
                                                                            "INTERNAL",
                                                                            "UNAVAILABLE",
                                                                            "DATA_LOSS",
                                                                            "UNAUTHENTICATED"};
  return kNames[static_cast<std::size_t>(code)];
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::string text(StatusCodeName(code()));
  text.append(": ").append(message());
  return text;
}

Status Status::Under(std::string_view where) const {
  Status under = *this;
  under.rep_->message.insert(0, where);
  return under;
}

Status Status::AsFinal() && {
  rep_->final = true;
  return std::move(*this);
}

namespace internal {

void CheckFailed(const char* file, int line, const char* condition, const std::string& operands) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s%s\n", file, line, condition, operands.c_str());
  std::abort();
}

}  // namespace internal
}  // namespace penstock
