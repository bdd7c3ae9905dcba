// The two mappings of engine error codes, and the filter on what a client may read.
#include "session/ort_status.h"

#include "base/strings.h"

namespace penstock {
namespace {

// Enough for the node, the operator and what was wrong; the rest repeats it.
constexpr std::size_t kMessageBytesMax = 300;

bool StartsPath(std::string_view text, std::size_t i) {
  const bool after_break =
      i == 0 || std::string_view(" \t\n'\"(=:,[<").find(text[i - 1]) != std::string_view::npos;
  if (!after_break || i + 1 >= text.size()) return false;
  if (text[i] == '/') return text[i + 1] != ' ';
  return i + 2 < text.size() && text[i + 1] == ':' && text[i + 2] == '\\';
}

// Takes the code and the message, and releases the status.
int TakeParts(const ort_abi::Api& api, ort_abi::Status* raw, std::string& message) {
  const int code = api.GetErrorCode(raw);
  message = api.GetErrorMessage(raw);
  api.ReleaseStatus(raw);
  return code;
}

StatusCode SetupCode(int code) {
  switch (code) {
    case ort_abi::kErrorNoSuchFile:
      return StatusCode::kNotFound;
    case ort_abi::kErrorInvalidArgument:
    case ort_abi::kErrorNoModel:
    case ort_abi::kErrorInvalidProtobuf:
    case ort_abi::kErrorInvalidGraph:
      return StatusCode::kInvalidArgument;
    case ort_abi::kErrorNotImplemented:
      return StatusCode::kFailedPrecondition;
    default:
      // FAIL is what the engine says for a newer opset or IR version, a missing provider library
      // and much else: nothing that a retry mends, so not INTERNAL either.
      return StatusCode::kFailedPrecondition;
  }
}

}  // namespace

std::string ClientSafeMessage(std::string_view message) {
  std::string safe;
  std::size_t i = 0;
  while (i < message.size()) {
    if (StartsPath(message, i)) {
      safe.append("<path>");
      i = message.find_first_of(" \t\n'\")],", i);
      if (i == std::string_view::npos) break;
      continue;
    }
    const unsigned char byte = static_cast<unsigned char>(message[i]);
    safe.push_back(byte < 0x20 || byte >= 0x7f ? ' ' : static_cast<char>(byte));
    ++i;
  }
  if (safe.size() > kMessageBytesMax) safe.resize(kMessageBytesMax);
  return safe;
}

Status TakeRunFailure(const ort_abi::Api& api, ort_abi::Status* raw) {
  std::string message;
  const int code = TakeParts(api, raw, message);
  return Status(
      code == ort_abi::kErrorInvalidArgument ? StatusCode::kInvalidArgument : StatusCode::kInternal,
      ClientSafeMessage(message));
}

Status TakeSetupStatus(const ort_abi::Api& api, ort_abi::Status* raw, std::string_view what) {
  if (raw == nullptr) return {};
  std::string message;
  const int code = TakeParts(api, raw, message);
  return Status(SetupCode(code), StrCat(what, ": ", message));
}

}  // namespace penstock
