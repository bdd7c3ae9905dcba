// Numbers of every dtype, written and compared: what the batch probe needs of arithmetic. Pure.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/tensor.h"

namespace penstock {

bool IsFloat(DataType type);

// Writes `number` as one element; integers and BOOL take its whole part.
void StoreNumber(DataType type, double number, std::span<std::byte> element);

// Whether two tensors hold the same elements: strings and integers exactly, floats within what
// another order of summation changes, measured against the largest of them. Not-a-number agrees
// with not-a-number.
bool ElementsAgree(DataType type, std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace penstock
