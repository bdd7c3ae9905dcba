#include "preprocess/text/tokenize_transform.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "preprocess/text/text_padding.h"
#include "tensor/bytes.h"

namespace penstock::preprocess {
namespace {

// Room for more ids is let go after a run.
constexpr std::size_t kKeptIds = 1 << 18;

// Of ordinary text in Latin letters; of others it is more or less, and so is what it is used for.
constexpr std::size_t kBytesPerId = 4;

// As long as a sentence is.
constexpr std::string_view kSampleText =
    "The committee will meet again on Thursday to discuss what the survey has shown, and it "
    "expects to publish its answer within a month.";

class TokenizeScratch final : public Transform::Scratch {
 public:
  std::unique_ptr<TextScratch> text;
  EncodedTexts encoded;
  std::array<std::vector<std::string_view>, 2> rows;
};

void ViewRows(const TensorView& tensor, std::int64_t rows, std::vector<std::string_view>& views) {
  views.clear();
  BytesReader reader(tensor.data);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::span<const std::byte> text = reader.Next();
    views.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
  }
}

}  // namespace

Result<std::shared_ptr<const Transform>> TokenizeTransform::Create(const TokenizeStep& step) {
  const DataType dtype = DataTypeFromName(step.datatype);
  CHECK(dtype == DataType::kInt64 || dtype == DataType::kInt32);
  CHECK(!step.outputs.empty() && step.padding.multiple_of > 0);
  ASSIGN_OR_RETURN(std::unique_ptr<TextEncoder> encoder, TextEncoder::Create(step.tokenizer));
  return std::shared_ptr<const Transform>(new TokenizeTransform(step, dtype, std::move(encoder)));
}

TokenizeTransform::TokenizeTransform(const TokenizeStep& step, DataType dtype,
                                     std::unique_ptr<const TextEncoder> encoder)
    : encoder_(std::move(encoder)),
      inputs_(step.pairs ? 2 : 1, TransformPort{.dtype = DataType::kBytes}),
      tensors_(step.outputs),
      padding_(step.padding),
      dtype_(dtype),
      length_max_(PaddedLength(encoder_->LengthMax(step.pairs), padding_)) {}

Result<std::vector<TransformPort>> TokenizeTransform::OutputsFor(
    std::span<const TransformPort> /*inputs*/) const {
  // Padded to no less than the longest can be, all rows are alike.
  const bool fixed = PaddedLength(0, padding_) == length_max_;
  std::vector<TransformPort> ports;
  ports.reserve(tensors_.size());
  for (const TextTensor tensor : tensors_) {
    TransformPort& port = ports.emplace_back();
    port.dtype = dtype_;
    port.row_shape.Append(fixed ? static_cast<std::int64_t>(length_max_) : -1);
    if (fixed) continue;
    port.padding = {.value = PadOf(padding_, tensor),
                    .before = padding_.left,
                    .mask = tensor == TextTensor::kMask};
  }
  return ports;
}

std::unique_ptr<Transform::Scratch> TokenizeTransform::MakeScratch() const {
  return std::make_unique<TokenizeScratch>();
}

Status TokenizeTransform::Run(std::span<const TensorView> inputs, std::int64_t rows,
                              TensorArena& arena, Scratch* scratch,
                              std::span<TensorView> outputs) const {
  auto& own = static_cast<TokenizeScratch&>(*scratch);
  for (std::size_t i = 0; i < inputs.size(); ++i) ViewRows(inputs[i], rows, own.rows[i]);
  RETURN_IF_ERROR(encoder_->EncodeRows(own.rows[0], own.rows[1], own.text, &own.encoded));
  const std::size_t length = penstock::PaddedLength(own.encoded, padding_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    outputs[i] = MakeTensor(own.encoded, length, tensors_[i], arena);
  }
  if (own.encoded.ids.capacity() > kKeptIds) own.encoded = {};
  return {};
}

TensorView TokenizeTransform::MakeTensor(const EncodedTexts& encoded, std::size_t length,
                                         TextTensor tensor, TensorArena& arena) const {
  const std::size_t rows = encoded.ends.size();
  const std::span<std::byte> memory = arena.Get(rows * length * DataTypeSize(dtype_));
  if (dtype_ == DataType::kInt32) {
    FillPaddedAs(encoded, padding_, length, tensor, reinterpret_cast<std::int32_t*>(memory.data()));
  } else {
    FillPadded(encoded, padding_, length, tensor, reinterpret_cast<std::int64_t*>(memory.data()));
  }
  return {.dtype = dtype_,
          .shape = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(length)},
          .data = memory};
}

std::int64_t TokenizeTransform::RowBytesMax() const {
  return static_cast<std::int64_t>(tensors_.size() * length_max_ * DataTypeSize(dtype_));
}

std::int64_t TokenizeTransform::EstimateLength(std::span<const TensorView> inputs) const {
  std::size_t bytes = 0;
  for (const TensorView& input : inputs) {
    std::size_t longest = 0;
    for (BytesReader reader(input.data); !reader.done();) {
      longest = std::max(longest, reader.Next().size());
    }
    bytes += longest;
  }
  // The template adds about one id to each text, and one.
  const std::size_t ids = bytes / kBytesPerId + inputs.size() + 1;
  return static_cast<std::int64_t>(std::min(PaddedLength(ids, padding_), length_max_));
}

std::vector<TensorView> TokenizeTransform::SampleRow(TensorArena& arena) const {
  const auto text = std::as_bytes(std::span(kSampleText));
  const std::span<std::byte> memory = arena.Get(kBytesLengthSize + text.size());
  PutBytesElement(memory.data(), text);
  return {inputs_.size(), TensorView{.dtype = DataType::kBytes, .shape = {1}, .data = memory}};
}

}  // namespace penstock::preprocess

namespace penstock {

std::shared_ptr<const Transform> MakeTokenizeTransform(const TokenizeStep& step, Error* error) {
  Result<std::shared_ptr<const Transform>> made = preprocess::TokenizeTransform::Create(step);
  if (made.ok()) return std::move(made).value();
  *error = {.code = static_cast<int>(made.status().code()),
            .message = std::string(made.status().message())};
  return nullptr;
}

}  // namespace penstock
