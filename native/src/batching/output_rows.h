// Some rows of one output: how the answers of one run are told apart. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "session/session.h"

namespace penstock {

struct RowRange {
  std::int64_t first = 0;
  std::int64_t count = 1;
  std::int64_t of = 1;  // the output's first dimension
};

// The bytes of these rows of output `index`.
std::span<const std::byte> OutputRows(const SessionOutputs& outputs, std::size_t index,
                                      const RowRange& rows);

}  // namespace penstock
