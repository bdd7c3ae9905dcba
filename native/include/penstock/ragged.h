// What a model's settings say of inputs that differ in length.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

// An input whose rows are longer in some requests than in others: these share runs all the same,
// padded to the longest.
struct RaggedDeclaration {
  std::string input;
  std::int64_t axis = 1;  // along which they differ
  double pad = 0;         // what is put behind a shorter row
  std::string mask;  // the input that is 1 where a row has an element and 0 behind it; the server
                     // fills it where the client does not. Empty: none
};

}  // namespace penstock
