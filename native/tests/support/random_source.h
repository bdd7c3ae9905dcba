// Seeded randomness for tests: the seed is part of every failure's message, and
// PENSTOCK_TEST_SEED repeats a run. Any thread, one source each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace penstock {

class RandomSource final {
 public:
  explicit RandomSource(std::uint64_t seed) : engine_(seed) {}

  // PENSTOCK_TEST_SEED, else what the test says.
  static std::uint64_t Seed(std::uint64_t standard) {
    const char* text = std::getenv("PENSTOCK_TEST_SEED");
    return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : standard;
  }

  // 0 <= result < bound.
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
  bool OneIn(std::size_t n) { return Below(n) == 0; }
  std::vector<std::byte> Bytes(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(engine_());
    return bytes;
  }
  std::string Text(std::size_t size) {
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>('a' + Below(26));
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace penstock
