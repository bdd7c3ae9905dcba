#include "load/answer_checker.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "base/strings.h"
#include "wire/infer_response_view.h"

namespace penstock::load {
namespace {

std::string_view View(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <typename Float>
Float ElementAt(std::span<const std::byte> data, std::size_t i) {
  Float value = 0;
  std::memcpy(&value, data.data() + i * sizeof(Float), sizeof(Float));
  return value;
}

// Both hold whole elements, equally many. -1: all agree; else the first that does not.
template <typename Float>
std::ptrdiff_t FirstFloatApart(std::span<const std::byte> expected,
                               std::span<const std::byte> answer, double tolerance) {
  const std::size_t count = expected.size() / sizeof(Float);
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double magnitude = std::abs(static_cast<double>(ElementAt<Float>(expected, i)));
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  const double bound = largest * tolerance;
  for (std::size_t i = 0; i < count; ++i) {
    const double want = ElementAt<Float>(expected, i);
    const double got = ElementAt<Float>(answer, i);
    const bool agrees =
        std::isnan(want) ? std::isnan(got) : want == got || std::abs(want - got) <= bound;
    if (!agrees) return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

std::string OutputDifference(const wire::InferOutputView& want, const wire::InferOutputView& got,
                             double tolerance) {
  const std::string name = StrCat("output '", Printable(want.name), "'");
  if (got.name != want.name) {
    return StrCat("output '", Printable(got.name), "', expected '", Printable(want.name), "'");
  }
  if (got.datatype != want.datatype || got.shape != want.shape) {
    return StrCat(name, ": ", Printable(got.datatype), " ", got.shape.ToString(), ", expected ",
                  Printable(want.datatype), " ", want.shape.ToString());
  }
  if (got.data.size() != want.data.size()) {
    return StrCat(name, ": ", got.data.size(), " bytes, expected ", want.data.size());
  }
  if (View(got.other_contents) != View(want.other_contents)) return StrCat(name, " differs");
  if (View(got.data) == View(want.data)) return "";
  std::ptrdiff_t apart = 0;
  if (want.datatype == "FP32" && want.data.size() % sizeof(float) == 0) {
    apart = FirstFloatApart<float>(want.data, got.data, tolerance);
  } else if (want.datatype == "FP64" && want.data.size() % sizeof(double) == 0) {
    apart = FirstFloatApart<double>(want.data, got.data, tolerance);
  } else {
    return StrCat(name, " differs");
  }
  if (apart < 0) return "";
  return StrCat(name, ": element ", apart, " differs by more than the tolerance");
}

}  // namespace

AnswerChecker::AnswerChecker(const std::vector<LoadPayload>& payloads) {
  for (const LoadPayload& payload : payloads) {
    Rule rule = {.check = payload.check, .tolerance = payload.tolerance};
    rule.answers.resize(payload.messages.size());
    for (std::size_t i = 0; i < payload.expected.size(); ++i) {
      rule.answers[i] = {.known = true, .bytes = payload.expected[i]};
    }
    rules_.push_back(std::move(rule));
  }
}

std::string AnswerChecker::Check(std::size_t payload, std::size_t message,
                                 std::span<const std::byte> answer) {
  Rule& rule = rules_[payload];
  if (rule.check == AnswerCheck::kStatus) return "";
  Expected& expected = rule.answers[message];
  const std::string_view bytes = View(answer);
  if (!expected.known) {
    if (rule.check == AnswerCheck::kTensors) {
      // What is no answer at all must not become the measure of all others.
      wire::InferResponseView ignored;
      const Status decoded = wire::DecodeInferResponse(answer, ignored);
      if (!decoded.ok()) return std::string(decoded.message());
    }
    expected = {.known = true, .bytes = std::string(bytes)};
    return "";
  }
  if (bytes == expected.bytes) return "";
  if (rule.check == AnswerCheck::kTensors) {
    return TensorDifference(std::as_bytes(std::span(expected.bytes)), answer, rule.tolerance);
  }
  if (bytes.size() != expected.bytes.size()) {
    return StrCat("answer of ", bytes.size(), " bytes, expected ", expected.bytes.size());
  }
  const auto apart = std::ranges::mismatch(bytes, expected.bytes).in1 - bytes.begin();
  return StrCat("answer differs at byte ", apart);
}

std::string TensorDifference(std::span<const std::byte> expected, std::span<const std::byte> answer,
                             double tolerance) {
  wire::InferResponseView want;
  wire::InferResponseView got;
  const Status expected_decoded = wire::DecodeInferResponse(expected, want);
  if (!expected_decoded.ok()) return StrCat("expected ", expected_decoded.message());
  const Status decoded = wire::DecodeInferResponse(answer, got);
  if (!decoded.ok()) return std::string(decoded.message());
  if (got.model_name != want.model_name || got.model_version != want.model_version) {
    return StrCat("answered by model '", Printable(got.model_name), "' version '",
                  Printable(got.model_version), "', expected '", Printable(want.model_name), "' '",
                  Printable(want.model_version), "'");
  }
  if (got.outputs.size() != want.outputs.size()) {
    return StrCat(got.outputs.size(), " outputs, expected ", want.outputs.size());
  }
  for (std::size_t i = 0; i < want.outputs.size(); ++i) {
    std::string difference = OutputDifference(want.outputs[i], got.outputs[i], tolerance);
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace penstock::load
