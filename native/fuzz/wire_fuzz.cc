// Every decoder of the wire on the same bytes, and every request that decodes against models of
// every kind. An input is one protobuf message as a peer would send it, without its gRPC prefix.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "inference/request_tensors.h"
#include "support/fake_model.h"
#include "tensor/bytes.h"
#include "wire/control_messages.h"
#include "wire/infer_request.h"
#include "wire/infer_response_view.h"

namespace penstock {
namespace {

using Message = std::span<const std::byte>;

// Reads every byte: a sanitizer tells where a view reaches outside what it may.
template <typename Bytes>
void Touch(const Bytes& bytes) {
  volatile unsigned sum = 0;
  for (const auto byte : bytes) sum = sum + static_cast<unsigned char>(byte);
}

// What a client is told is a sentence, not a copy of what it sent.
void CheckMessage(const Status& status) {
  constexpr std::size_t kMessageMax = 4096;
  CHECK(!status.message().empty());
  CHECK_LE(status.message().size(), kMessageMax);
}

class Models final {
 public:
  Models() {
    Add("two", {FloatSpec("a", {-1, 3}), FloatSpec("b", {-1, 2})}, 4);
    for (auto type = std::uint8_t{1}; type <= static_cast<std::uint8_t>(DataType::kBytes); ++type) {
      const auto dtype = static_cast<DataType>(type);
      Add(std::string(DataTypeName(dtype)), {Spec("x", dtype, {-1, -1})}, 0);
    }
    Add("scalar", {Spec("x", DataType::kInt64, {})}, 0);
    Add("fixed", {Spec("x", DataType::kFp32, {2, 3})}, 0);
    Add("empty_rows", {Spec("x", DataType::kFp32, {-1, 0})}, 0);
    Add("free", {Spec("x", DataType::kUint8, {-1, -1, -1})}, 0);
  }
  const std::vector<std::unique_ptr<ModelVersion>>& all() const { return models_; }

 private:
  static TensorSpec Spec(const std::string& name, DataType dtype, const Shape& shape) {
    TensorSpec spec = FloatSpec(name, shape);
    spec.dtype = dtype;
    return spec;
  }
  void Add(const std::string& name, const std::vector<TensorSpec>& inputs, std::int64_t rows_max) {
    auto session = std::make_unique<FakeSession>(inputs, inputs, EchoAll(clock_, 1000, 10));
    models_.push_back(MakeModel({.name = name, .warmup = {.max_batch_size = rows_max}},
                                std::move(session), clock_));
  }

  ManualClock clock_;
  std::vector<std::unique_ptr<ModelVersion>> models_;
};

// Walked as the engine's adapter walks them.
std::int64_t ElementsOf(const TensorView& view) {
  Touch(view.data);
  const std::size_t size = DataTypeSize(view.dtype);
  if (size != 0) {
    CHECK_EQ(view.data.size() % size, std::size_t{0});
    return static_cast<std::int64_t>(view.data.size() / size);
  }
  std::int64_t count = 0;
  for (BytesReader reader(view.data); !reader.done(); ++count) Touch(reader.Next());
  return count;
}

void CheckBound(const ModelVersion& model, const RequestTensors& tensors) {
  CHECK_EQ(tensors.inputs.size(), model.inputs().size());
  CHECK_GE(tensors.rows, 1);
  CHECK_LE(tensors.rows, model.request_rows_max());
  for (std::size_t i = 0; i < tensors.inputs.size(); ++i) {
    const TensorView& view = tensors.inputs[i];
    CHECK(view.dtype == model.inputs()[i].dtype);
    const std::optional<std::int64_t> count = view.shape.ElementCount();
    CHECK(count.has_value());
    CHECK_EQ(ElementsOf(view), *count);
  }
  CHECK(!tensors.outputs.empty());
  for (const std::size_t output : tensors.outputs) CHECK_LT(output, model.outputs().size());
}

void DecodeInfer(Message message) {
  static const Models& models = *new Models();
  static wire::InferRequest& request = *new wire::InferRequest();
  static BufferPool& buffers = *new BufferPool();
  static RequestTensors& tensors = *new RequestTensors();
  const Status decoded = wire::DecodeInferRequest(message, request);
  if (!decoded.ok()) return CheckMessage(decoded);
  Touch(request.model_name);
  Touch(request.model_version);
  Touch(request.id);
  for (const std::unique_ptr<ModelVersion>& model : models.all()) {
    const Status bound = BindRequest(request, *model, buffers, tensors);
    if (bound.ok()) {
      CheckBound(*model, tensors);
    } else {
      CheckMessage(bound);
    }
    tensors.Clear();
    CHECK_EQ(buffers.live(), 0);
  }
}

void FindFirstTensor(Message message) {
  for (const std::size_t size : {message.size(), message.size() / 2}) {
    const std::optional<std::size_t> offset =
        wire::ReadRequestHead(message.first(size)).first_raw_tensor;
    if (offset.has_value()) CHECK_LE(*offset, size);
  }
}

void DecodeResponse(Message message) {
  wire::InferResponseView response;
  const Status decoded = wire::DecodeInferResponse(message, response);
  if (!decoded.ok()) return CheckMessage(decoded);
  Touch(response.id);
  for (const wire::InferOutputView& output : response.outputs) {
    Touch(output.name);
    Touch(output.datatype);
    Touch(output.data);
    Touch(output.other_contents);
  }
}

void DecodeControl(Message message) {
  const Status empty = wire::CheckEmptyRequest(message, "ServerLiveRequest");
  if (!empty.ok()) CheckMessage(empty);
  if (auto ready = wire::DecodeModelReadyRequest(message); ready.ok()) {
    Touch(ready->name);
    Touch(ready->version);
  }
  if (auto metadata = wire::DecodeModelMetadataRequest(message); metadata.ok()) {
    Touch(metadata->name);
    Touch(metadata->version);
  }
  if (auto health = wire::DecodeHealthCheckRequest(message); health.ok()) Touch(health->service);
  if (auto reflection = wire::DecodeReflectionRequest(message); reflection.ok()) {
    Touch(reflection->argument);
    Touch(wire::EncodeReflectionError(*reflection, NotFound("not here")));
  }
}

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = std::as_bytes(std::span(data, size));
  penstock::DecodeInfer(message);
  penstock::FindFirstTensor(message);
  penstock::DecodeResponse(message);
  penstock::DecodeControl(message);
  return 0;
}
