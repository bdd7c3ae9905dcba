// A table of a peer, on its way to numbers. The input is the rows' values, taken apart from the
// front: 8 bytes for each number, a length and that many bytes for each text. Whatever they are, a
// scratch that was used before gives the same as a fresh one, and one-hot rows have at most one 1.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <penstock/columns.h>

#include "base/check.h"
#include "fuzz/fuzz_input.h"
#include "preprocess/transform.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

constexpr std::size_t kOneHotWidth = 3;
constexpr std::size_t kRowsMax = 600;  // more than two blocks

ColumnsSpec SpecOf(bool strict) {
  const std::vector<ColumnValue> texts = {std::string("a"), std::string("Rome"), std::string(),
                                          std::string("a longer text than eight bytes")};
  OneHotStep one_hot{.categories = texts, .slots = {0, 1, 2, -1}, .width = kOneHotWidth};
  OrdinalStep codes{.categories = {std::int64_t{0}, std::int64_t{-1}}, .values = {1, 2}};
  if (!strict) {
    one_hot.unknown = -1;
    codes.unknown = 9;
  }
  ColumnsSpec spec;
  spec.inputs = {{.datatype = "FP64", .columns = {"x", "y"}, .matrix = true},
                 {.datatype = "INT64", .columns = {"id"}},
                 {.datatype = "BYTES", .columns = {"text"}}};
  spec.outputs = {"FP64", strict ? "INT32" : "INT64"};
  spec.features = {
      {.columns = {"text"}, .steps = {one_hot}},
      {.columns = {"x"},
       .steps = {BucketizeStep{.edges = {-1, 0, 1e300}}},
       .refuse_missing = strict},
      {.columns = {"y"}, .steps = {ImputeStep{.value = 1.0}, ClipStep{.min = -5, .max = 5}}},
      {.columns = {"text"}, .steps = {HashStep{.width = 5, .string_bytes_max = 40}}},
      {.columns = {"id"}, .steps = {codes}},
      {.columns = {"id"}, .output = 1},
      {.columns = {"y"},
       .steps = {ImputeStep{.value = 0.0}, ScaleStep{.multiply = 2}},
       .output = 1},
  };
  spec.output_bytes_max = 1 << 20;
  return spec;
}

const Transform& TransformOf(bool strict) {
  static const std::array<std::shared_ptr<const Transform>, 2>& made = *[] {
    auto* const both = new std::array<std::shared_ptr<const Transform>, 2>();
    StepError error;
    for (const bool each : {false, true})
      (*both)[each] = MakeColumnsTransform(SpecOf(each), &error);
    return both;
  }();
  CHECK(made[strict] != nullptr);
  return *made[strict];
}

// What the rows' values are, column by column; `numbers` of eight bytes each.
struct Table {
  std::int64_t rows = 0;
  std::vector<std::byte> numbers;
  std::vector<std::byte> ids;
  std::vector<std::byte> texts;
};

void Append(std::string_view bytes, std::size_t size, std::vector<std::byte>& to) {
  const std::size_t at = to.size();
  to.resize(at + size);
  std::memcpy(to.data() + at, bytes.data(), bytes.size());
}

Table Read(FuzzInput& input) {
  Table table;
  while (!input.empty() && table.rows < static_cast<std::int64_t>(kRowsMax)) {
    ++table.rows;
    for (int i = 0; i < 2; ++i) Append(input.Bytes(8), 8, table.numbers);
    Append(input.Bytes(8), 8, table.ids);
    const std::string_view text = input.Bytes(input.Byte() % 64);
    const std::size_t at = table.texts.size();
    table.texts.resize(at + kBytesLengthSize + text.size());
    PutBytesElement(table.texts.data() + at, std::as_bytes(std::span(text)));
  }
  return table;
}

void Run(FuzzInput input) {
  const Transform& transform = TransformOf(input.Byte() % 2 != 0);
  const Table table = Read(input);
  const std::vector<TensorView> inputs = {
      {.dtype = DataType::kFp64, .shape = {table.rows, 2}, .data = table.numbers},
      {.dtype = DataType::kInt64, .shape = {table.rows}, .data = table.ids},
      {.dtype = DataType::kBytes, .shape = {table.rows}, .data = table.texts}};
  static Transform::Scratch& used = *transform.MakeScratch().release();
  const std::unique_ptr<Transform::Scratch> fresh = transform.MakeScratch();
  TensorArena arena;
  std::array<TensorView, 2> first;
  std::array<TensorView, 2> second;
  const Status status = transform.Run(inputs, table.rows, arena, fresh.get(), first);
  const Status again = transform.Run(inputs, table.rows, arena, &used, second);
  CHECK(status.code() == again.code());
  CHECK(status.message() == again.message());
  if (!status.ok()) return;
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK_EQ(first[i].data.size(), second[i].data.size());
    CHECK(std::memcmp(first[i].data.data(), second[i].data.data(), first[i].data.size()) == 0);
  }
  const auto width = static_cast<std::size_t>(first[0].shape[1]);
  std::vector<double> row(width);
  for (std::int64_t at = 0; at < table.rows; ++at) {
    std::memcpy(row.data(), first[0].data.data() + static_cast<std::size_t>(at) * width * 8,
                width * 8);
    double ones = 0;
    for (std::size_t i = 0; i < kOneHotWidth; ++i) {
      CHECK(row[i] == 0 || row[i] == 1);
      ones += row[i];
    }
    CHECK(ones <= 1);
  }
}

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::Run(penstock::FuzzInput(data, size));
  return 0;
}
