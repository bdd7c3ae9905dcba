// Which hardware a session runs on: turns our names ("cpu", "cuda") into the engine's providers,
// or says what is missing. Never falls back in silence. Control thread, at load.
#pragma once

#include <span>
#include <string>

#include "base/status.h"
#include "session/ort_abi.h"

namespace penstock {

struct ProviderChoice {
  std::span<const std::string> wanted;     // our names, in order of preference
  std::span<const std::string> available;  // the engine's names
  const std::string& library_path;         // libonnxruntime, beside which NVIDIA's packages lie
};

Status AppendProviders(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                       const ProviderChoice& choice);

}  // namespace penstock
