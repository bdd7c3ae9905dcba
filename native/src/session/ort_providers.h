// Which hardware a session runs on: turns our names ("cpu", "cuda", "openvino", "xnnpack") into the
// engine's providers, or says what is missing. Never falls back in silence. Control thread, at
// load.
#pragma once

#include <span>
#include <string>

#include "base/status.h"
#include "session/ort_abi.h"

namespace penstock {

struct ProviderChoice {
  std::span<const std::string> wanted;     // our names, in order of preference
  std::span<const std::string> available;  // the engine's names
  const std::string& library_path;  // libonnxruntime's; the providers' own libraries lie beside it
  // Absolute paths of what the CUDA provider needs beyond the driver, each after those it needs
  // itself. Opened when "cuda" is wanted.
  std::span<const std::string> libraries;
};

// INVALID_ARGUMENT for a list that makes no sense, FAILED_PRECONDITION for what is not installed,
// with the command that installs it.
Status AppendProviders(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                       const ProviderChoice& choice);

}  // namespace penstock
