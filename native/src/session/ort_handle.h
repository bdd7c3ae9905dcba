// Ownership of what the engine hands out: a pointer with the function that releases it.
#pragma once

#include <memory>

namespace penstock {

template <typename T>
using OrtHandle = std::unique_ptr<T, void (*)(T*)>;

}  // namespace penstock
