// The engine has one error code for most of these, so its text is what tells them apart. Texts of
// ONNX Runtime 1.20 to 1.31; where a later one differs, the engine's message stands alone.
#include "session/load_failure.h"

#include <optional>
#include <vector>

#include "base/strings.h"

namespace penstock {
namespace {

// What stands between `before` and `after`, or the end of the text.
std::optional<std::string_view> Between(std::string_view text, std::string_view before,
                                        std::string_view after) {
  const std::size_t found = text.find(before);
  if (found == std::string_view::npos) return std::nullopt;
  text.remove_prefix(found + before.size());
  return text.substr(0, text.find(after));
}

std::string Operator(std::string_view domain, std::string_view name) {
  return StrCat("'", Printable(name), "' of domain '",
                domain.empty() ? "ai.onnx" : Printable(domain), "'");
}

std::string ExplainCustomOperators(const OnnxFacts& facts) {
  std::string names;
  for (const std::string& name : facts.custom_operators) {
    const std::size_t colon = name.rfind(':');
    names +=
        StrCat(names.empty() ? "" : ", ", Operator(name.substr(0, colon), name.substr(colon + 1)));
  }
  return StrCat(facts.custom_operators.size() == 1 ? "it needs the custom operator "
                                                   : "it needs the custom operators ",
                names,
                ", and libraries of custom operators are not loaded; export the model with "
                "operators of ONNX only");
}

}  // namespace

std::string ExplainLoadFailure(std::string_view engine_message, const OnnxFacts& facts) {
  if (const auto opset = Between(engine_message, "versions. Opset ", " is under development")) {
    const auto domain = Between(engine_message, "official support for domain ", " is till opset");
    const auto newest = Between(engine_message, "is till opset ", ".");
    if (domain.has_value() && newest.has_value()) {
      return StrCat("it uses opset ", *opset, " of domain '", *domain,
                    "', and this ONNX Runtime knows them up to ", *newest,
                    "; export the model for opset ", *newest,
                    " or an older one, or install a newer onnxruntime");
    }
  }
  if (const auto version = Between(engine_message, "Unsupported model IR version: ", ",")) {
    const auto newest = Between(engine_message, "max supported IR version: ", "\n");
    return StrCat("its file format is IR version ", *version,
                  ", and this ONNX Runtime reads them up to ", newest.value_or("an older one"),
                  "; save the model with an older ir_version, or install a newer onnxruntime");
  }
  const bool operator_missing =
      engine_message.find("is not a registered function/op") != std::string_view::npos ||
      engine_message.find("No opset import for domain") != std::string_view::npos;
  if (operator_missing && !facts.custom_operators.empty()) return ExplainCustomOperators(facts);
  if (const auto unknown =
          Between(engine_message, "No Op registered for ", " with domain_version")) {
    const auto opset = Between(engine_message, "with domain_version of ", "\n");
    return StrCat("it needs the operator '", Printable(*unknown), "', which opset ",
                  opset.value_or("of the model"), " does not have in this ONNX Runtime; ",
                  "export the model for an opset that has it, or install a newer onnxruntime");
  }
  if (const auto cuda = Between(engine_message, "CUDA failure ", " ;")) {
    return StrCat("the GPU cannot be used, CUDA failure ", *cuda);
  }
  if (engine_message.find("fallback to CPU EP has been explicitly disabled") !=
      std::string_view::npos) {
    return "the providers asked for cannot run all of it, and cpu is not among them; add cpu as "
           "the "
           "last provider to let the rest run there";
  }
  if (const auto tensor = Between(engine_message, "External initializer: ", " offset")) {
    return StrCat("the weights '", Printable(*tensor),
                  "' reach beyond the end of the file that holds them; it was cut short or belongs "
                  "to another model");
  }
  return "";
}

}  // namespace penstock
