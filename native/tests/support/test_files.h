// Where the tests find ONNX Runtime and their models: the environment says. `make test` sets both;
// a test that needs one fails with what to set, it never skips.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace penstock {

inline std::string RequiredVariable(const char* name, const char* meaning) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value != '\0') return value;
  ADD_FAILURE() << "set " << name << " to " << meaning;
  return "";
}

inline std::string OrtLibraryPath() {
  return RequiredVariable("PENSTOCK_ORT_LIBRARY", "the path of libonnxruntime.so.X");
}

inline std::string TestModelPath(const std::string& name) {
  return RequiredVariable("PENSTOCK_TEST_MODELS",
                          "the directory that scripts/make_test_models.py filled") +
         "/" + name + ".onnx";
}

}  // namespace penstock
