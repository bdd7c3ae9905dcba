// PURE. The generator's own random numbers: the same seed gives the same schedule on every machine
// and with every standard library, which <random>'s distributions do not promise.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace penstock::load {

// xoshiro256++ of Blackman and Vigna, seeded by SplitMix64.
class Random final {
 public:
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t Next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // In [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // Mean 1.
  double Exponential() { return -std::log1p(-Uniform()); }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace penstock::load
