// Tensors by name, as error messages list them. Pure; any thread.
#pragma once

#include <span>
#include <string>

#include "tensor/tensor.h"

namespace penstock {

// "'a', 'b'".
inline std::string NamesOf(std::span<const TensorSpec> specs) {
  std::string names;
  for (const TensorSpec& spec : specs) {
    names.append(names.empty() ? "'" : ", '").append(spec.name).append("'");
  }
  return names;
}

}  // namespace penstock
