// PURE. Draws which payload, and which of its messages, the next call carries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <penstock/load.h>

#include "load/random.h"

namespace penstock::load {

struct MixChoice {
  std::size_t payload = 0;
  std::size_t message = 0;
};

class Mix final {
 public:
  // Every payload has a message and a positive weight.
  Mix(const std::vector<LoadPayload>& payloads, std::uint64_t seed);

  MixChoice Next();

 private:
  std::vector<double> upper_;  // of each payload's share in [0, 1)
  std::vector<std::size_t> messages_;
  bool single_ = false;
  Random random_;
};

}  // namespace penstock::load
