// A walk of the few message types of onnx.proto that matter.
#include "session/onnx_scan.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "session/protobuf_file.h"

namespace penstock {
namespace {

// Field numbers of onnx.proto.
constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kModelOpsetImport = 8;
constexpr std::uint32_t kModelFunctions = 25;
constexpr std::uint32_t kGraphNode = 1;
constexpr std::uint32_t kGraphInitializer = 5;
constexpr std::uint32_t kGraphInput = 11;
constexpr std::uint32_t kGraphSparseInitializer = 15;
constexpr std::uint32_t kFunctionName = 1;
constexpr std::uint32_t kFunctionNode = 7;
constexpr std::uint32_t kFunctionDomain = 10;
constexpr std::uint32_t kFunctionAttribute = 11;
constexpr std::uint32_t kNodeOpType = 4;
constexpr std::uint32_t kNodeAttribute = 5;
constexpr std::uint32_t kNodeDomain = 7;
constexpr std::uint32_t kAttributeTensor = 5;
constexpr std::uint32_t kAttributeGraph = 6;
constexpr std::uint32_t kAttributeTensors = 10;
constexpr std::uint32_t kAttributeGraphs = 11;
constexpr std::uint32_t kAttributeSparseTensor = 22;
constexpr std::uint32_t kAttributeSparseTensors = 23;
constexpr std::uint32_t kTensorExternalData = 13;
constexpr std::uint32_t kSparseTensorValues = 1;
constexpr std::uint32_t kSparseTensorIndices = 2;
constexpr std::uint32_t kEntryKey = 1;
constexpr std::uint32_t kEntryValue = 2;
constexpr std::uint32_t kValueName = 1;
constexpr std::uint32_t kValueType = 2;
constexpr std::uint32_t kTypeTensor = 1;
constexpr std::uint32_t kTensorTypeShape = 2;
constexpr std::uint32_t kShapeDimension = 1;
constexpr std::uint32_t kDimensionValue = 1;  // the only one that is no message or string

// Longer names than this are no operator that we look for, no path that a system takes and no name
// worth keeping.
constexpr std::uint64_t kNameBytesMax = 4096;

// Graphs in nodes of graphs. protobuf itself stops at 100 messages.
constexpr int kGraphDepthMax = 32;

// Control flow, the operators that hold a loop inside, and one that compares every pair of boxes
// that passes a threshold.
constexpr std::array<std::string_view, 9> kDataDependent = {"Loop",
                                                            "Scan",
                                                            "If",
                                                            "SequenceMap",
                                                            "BeamSearch",
                                                            "GreedySearch",
                                                            "Sampling",
                                                            "WhisperBeamSearch",
                                                            "NonMaxSuppression"};

// Domains whose operators come with ONNX Runtime.
constexpr std::array<std::string_view, 8> kKnownDomains = {"",
                                                           "ai.onnx",
                                                           "ai.onnx.ml",
                                                           "ai.onnx.training",
                                                           "ai.onnx.preview",
                                                           "ai.onnx.preview.training",
                                                           "com.microsoft",
                                                           "com.ms.internal.nhwc"};

class OnnxScanner final {
 public:
  explicit OnnxScanner(ProtobufFile& file) : file_(file) {}

  bool ScanModel();
  bool has_graph() const { return has_graph_; }
  bool has_opset() const { return has_opset_; }
  OnnxFacts TakeFacts();

 private:
  bool ScanGraph(std::uint64_t end);
  bool ScanFunction(std::uint64_t end);
  bool ScanNode(std::uint64_t end);
  bool ScanAttribute(std::uint64_t end);
  bool ScanTensor(std::uint64_t end);
  bool ScanSparseTensor(std::uint64_t end);
  bool ScanExternalData(std::uint64_t end);
  bool ScanInput(std::uint64_t end);
  bool ReadName(const ProtobufField& field, std::string& name);

  ProtobufFile& file_;
  OnnxFacts facts_;
  std::set<std::string> own_functions_;  // "domain:Name"
  bool has_graph_ = false;
  bool has_opset_ = false;
  int graph_depth_ = 0;
};

bool OnnxScanner::ReadName(const ProtobufField& field, std::string& name) {
  return file_.ReadString(std::min(field.content_end - file_.position(), kNameBytesMax), name);
}

bool OnnxScanner::ScanModel() {
  return ForEachField(file_, file_.size(), [this](const ProtobufField& field) {
    has_opset_ |= field.Holds(kModelOpsetImport);
    if (field.Holds(kModelGraph)) {
      has_graph_ = true;
      return ScanGraph(field.content_end);
    }
    return !field.Holds(kModelFunctions) || ScanFunction(field.content_end);
  });
}

bool OnnxScanner::ScanGraph(std::uint64_t end) {
  if (++graph_depth_ > kGraphDepthMax) return false;
  const bool well_formed = ForEachField(file_, end, [this](const ProtobufField& field) {
    if (field.Holds(kGraphNode)) return ScanNode(field.content_end);
    if (field.Holds(kGraphInitializer)) return ScanTensor(field.content_end);
    if (field.Holds(kGraphSparseInitializer)) return ScanSparseTensor(field.content_end);
    // Only the outermost graph's inputs are the model's.
    if (field.Holds(kGraphInput) && graph_depth_ == 1) return ScanInput(field.content_end);
    return true;
  });
  --graph_depth_;
  return well_formed;
}

bool OnnxScanner::ScanFunction(std::uint64_t end) {
  std::string name;
  std::string domain;
  const bool well_formed = ForEachField(file_, end, [&](const ProtobufField& field) {
    if (field.Holds(kFunctionName)) return ReadName(field, name);
    if (field.Holds(kFunctionDomain)) return ReadName(field, domain);
    if (field.Holds(kFunctionNode)) return ScanNode(field.content_end);
    return !field.Holds(kFunctionAttribute) || ScanAttribute(field.content_end);
  });
  own_functions_.insert(StrCat(domain, ":", name));
  return well_formed;
}

bool OnnxScanner::ScanNode(std::uint64_t end) {
  std::string op_type;
  std::string domain;
  const bool well_formed = ForEachField(file_, end, [&](const ProtobufField& field) {
    if (field.Holds(kNodeOpType)) return ReadName(field, op_type);
    if (field.Holds(kNodeDomain)) return ReadName(field, domain);
    return !field.Holds(kNodeAttribute) || ScanAttribute(field.content_end);
  });
  if (std::ranges::find(kKnownDomains, domain) == kKnownDomains.end()) {
    facts_.custom_operators.insert(StrCat(domain, ":", op_type));
  }
  if (facts_.data_dependent_operator.empty() &&
      std::ranges::find(kDataDependent, op_type) != kDataDependent.end()) {
    facts_.data_dependent_operator = std::move(op_type);
  }
  return well_formed;
}

bool OnnxScanner::ScanAttribute(std::uint64_t end) {
  return ForEachField(file_, end, [this](const ProtobufField& field) {
    if (!field.has_content) return true;
    switch (field.number) {
      case kAttributeTensor:
      case kAttributeTensors:
        return ScanTensor(field.content_end);
      case kAttributeGraph:
      case kAttributeGraphs:
        return ScanGraph(field.content_end);
      case kAttributeSparseTensor:
      case kAttributeSparseTensors:
        return ScanSparseTensor(field.content_end);
      default:
        return true;
    }
  });
}

bool OnnxScanner::ScanTensor(std::uint64_t end) {
  return ForEachField(file_, end, [this](const ProtobufField& field) {
    return !field.Holds(kTensorExternalData) || ScanExternalData(field.content_end);
  });
}

bool OnnxScanner::ScanSparseTensor(std::uint64_t end) {
  return ForEachField(file_, end, [this](const ProtobufField& field) {
    if (field.Holds(kSparseTensorValues) || field.Holds(kSparseTensorIndices)) {
      return ScanTensor(field.content_end);
    }
    return true;
  });
}

bool OnnxScanner::ScanExternalData(std::uint64_t end) {
  std::string key;
  std::string value;
  const bool well_formed = ForEachField(file_, end, [&](const ProtobufField& field) {
    if (field.Holds(kEntryKey)) return ReadName(field, key);
    return !field.Holds(kEntryValue) || ReadName(field, value);
  });
  if (key == "location") facts_.external_locations.insert(std::move(value));
  return well_formed;
}

struct InputFacts {
  std::string name;
  bool is_tensor = false;
  bool has_shape = false;
  bool inner_dims_free = false;
};

bool ScanShape(ProtobufFile& file, std::uint64_t end, InputFacts& input) {
  std::size_t index = 0;
  return ForEachField(file, end, [&](const ProtobufField& dimension) {
    if (!dimension.Holds(kShapeDimension)) return true;
    bool has_value = false;
    const bool well_formed =
        ForEachField(file, dimension.content_end, [&](const ProtobufField& field) {
          has_value |= !field.has_content && field.number == kDimensionValue;
          return true;
        });
    if (index > 0 && !has_value) input.inner_dims_free = true;
    ++index;
    return well_formed;
  });
}

bool ScanType(ProtobufFile& file, std::uint64_t end, InputFacts& input) {
  return ForEachField(file, end, [&](const ProtobufField& type) {
    if (!type.Holds(kTypeTensor)) return true;
    input.is_tensor = true;
    return ForEachField(file, type.content_end, [&](const ProtobufField& field) {
      if (!field.Holds(kTensorTypeShape)) return true;
      input.has_shape = true;
      return ScanShape(file, field.content_end, input);
    });
  });
}

bool OnnxScanner::ScanInput(std::uint64_t end) {
  InputFacts input;
  const bool well_formed = ForEachField(file_, end, [&](const ProtobufField& field) {
    if (field.Holds(kValueName)) return ReadName(field, input.name);
    return !field.Holds(kValueType) || ScanType(file_, field.content_end, input);
  });
  facts_.inner_dims_free |= input.inner_dims_free;
  if (input.is_tensor && !input.has_shape) {
    facts_.inputs_without_shape.push_back(std::move(input.name));
  }
  return well_formed;
}

OnnxFacts OnnxScanner::TakeFacts() {
  // A function may stand in the file after the node that calls it.
  for (const std::string& own : own_functions_) facts_.custom_operators.erase(own);
  return std::move(facts_);
}

}  // namespace

Result<OnnxFacts> ScanOnnxFile(const std::string& path) {
  ProtobufFile file;
  RETURN_IF_ERROR(file.Open(path));
  constexpr std::uint64_t kProtobufBytesMax = std::numeric_limits<std::int32_t>::max();
  if (file.size() > kProtobufBytesMax) {
    return InvalidArgument(StrCat("'", path, "' has ", file.size(), " bytes, a protobuf has ",
                                  kProtobufBytesMax,
                                  " at most; save the model with its weights as external data"));
  }
  OnnxScanner scanner(file);
  const bool well_formed = scanner.ScanModel();
  if (!well_formed) {
    return InvalidArgument(StrCat("'", path, "' is not an ONNX model: its bytes end or break at ",
                                  file.position(), " of ", file.size()));
  }
  const std::string_view missing = !scanner.has_graph()   ? "graph"
                                   : !scanner.has_opset() ? "opset"
                                                          : "";
  if (!missing.empty()) {
    return InvalidArgument(
        StrCat("'", path, "' is not a whole ONNX model: no ", missing, " in it"));
  }
  return scanner.TakeFacts();
}

}  // namespace penstock
