// From the engine's status to ours. Takes every engine status it is given: they are released here
// and nowhere else. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "session/ort_abi.h"

namespace penstock {

// A failure of Run, fit for a client: INVALID_ARGUMENT where the engine blames the input, else
// INTERNAL; paths are taken out and the text is cut. OK where `raw` is null.
// Inline, because a run that succeeds asks nine times.
Status TakeRunFailure(const ort_abi::Api& api, ort_abi::Status* raw);
inline Status TakeRunStatus(const ort_abi::Api& api, ort_abi::Status* raw) {
  return raw == nullptr ? Status() : TakeRunFailure(api, raw);
}

// A failure while the engine or a model is set up, for the operator: the engine's whole message
// after `what` ("model '/m/a.onnx' cannot be loaded").
Status TakeSetupStatus(const ort_abi::Api& api, ort_abi::Status* raw, std::string_view what);

// The engine's message as a client may see it: anything that looks like an absolute path becomes
// "<path>", control bytes become spaces, and it ends after 300 bytes.
std::string ClientSafeMessage(std::string_view message);

}  // namespace penstock
