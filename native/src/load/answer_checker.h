// PURE. Says whether an answer is the right one: the bytes expected or, where none were given, what
// the first answer to the same message said. One thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <penstock/load.h>

namespace penstock::load {

class AnswerChecker final {
 public:
  explicit AnswerChecker(const std::vector<LoadPayload>& payloads);

  // `answer` is one message without prefix. Empty if it is right, else what is wrong with it.
  std::string Check(std::size_t payload, std::size_t message, std::span<const std::byte> answer);

 private:
  struct Expected {
    bool known = false;
    std::string bytes;
  };
  struct Rule {
    AnswerCheck check = AnswerCheck::kBytes;
    double tolerance = 0;
    std::vector<Expected> answers;  // one for each message
  };
  std::vector<Rule> rules_;
};

// Compares two ModelInferResponses by what they say: model, outputs, and floats within `tolerance`
// of the largest magnitude in the expected tensor. A NaN agrees with a NaN only, an infinity with
// itself. Parameters and the id are not compared. Empty if they agree, else the difference.
std::string TensorDifference(std::span<const std::byte> expected, std::span<const std::byte> answer,
                             double tolerance);

}  // namespace penstock::load
