// Columns into tensors: each step on each kind of column, policies for what is missing and unknown,
// blocks, and the sentences of refusals. That the results are scikit-learn's is
// tests/conformance/test_sklearn.py's matter.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <penstock/columns.h>

#include "preprocess/tabular/murmur_hash.h"
#include "preprocess/transform.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using Numbers = std::vector<double>;
using Texts = std::vector<std::string>;

ColumnsSpec::Input One(std::string datatype, std::string column) {
  return {.datatype = std::move(datatype), .columns = {std::move(column)}};
}

// Of one input `x` and one feature over it.
ColumnsSpec SpecOf(std::string datatype, std::vector<ColumnStep> steps) {
  ColumnsSpec spec;
  spec.inputs = {One(std::move(datatype), "x")};
  spec.outputs = {"FP64"};
  spec.features = {{.columns = {"x"}, .steps = std::move(steps)}};
  spec.output_bytes_max = 1 << 20;
  return spec;
}

struct Column {
  DataType dtype = DataType::kInvalid;
  std::int64_t count = 0;
  std::vector<std::byte> bytes;
};

template <typename T>
Column ColumnOf(DataType dtype, const std::vector<T>& values) {
  Column column{.dtype = dtype, .count = static_cast<std::int64_t>(values.size())};
  column.bytes.resize(values.size() * sizeof(T));
  std::memcpy(column.bytes.data(), values.data(), column.bytes.size());
  return column;
}
Column ColumnOf(const Numbers& values) {
  return ColumnOf(DataType::kFp64, values);
}
Column ColumnOf(const Texts& values) {
  Column column{.dtype = DataType::kBytes, .count = static_cast<std::int64_t>(values.size())};
  for (const std::string& value : values) {
    const std::size_t at = column.bytes.size();
    column.bytes.resize(at + kBytesLengthSize + value.size());
    PutBytesElement(column.bytes.data() + at, std::as_bytes(std::span(value)));
  }
  return column;
}

struct Made {
  Status status;
  Numbers numbers;  // of the only output
  Shape shape;
};

Made RunColumns(const ColumnsSpec& spec, const std::vector<Column>& columns) {
  StepError error;
  const std::shared_ptr<const Transform> transform = MakeColumnsTransform(spec, &error);
  EXPECT_NE(transform, nullptr) << error.message;
  if (transform == nullptr) return {.status = Internal(error.message)};
  const std::int64_t rows =
      columns.front().count / static_cast<std::int64_t>(spec.inputs.front().columns.size());
  std::vector<TensorView> inputs;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Shape shape{rows};
    for (const std::int64_t dim : transform->inputs()[i].row_shape.dims()) shape.Append(dim);
    inputs.push_back({.dtype = columns[i].dtype, .shape = shape, .data = columns[i].bytes});
  }
  TensorArena arena;
  const std::unique_ptr<Transform::Scratch> scratch = transform->MakeScratch();
  std::vector<TensorView> outputs(spec.outputs.size());
  Made made;
  made.status = transform->Run(inputs, rows, arena, scratch.get(), outputs);
  if (!made.status.ok()) {
    EXPECT_EQ(made.status.code(), StatusCode::kInvalidArgument);
    return made;
  }
  made.shape = outputs.front().shape;
  const std::span<const std::byte> data = outputs.front().data;
  made.numbers.resize(data.size() / sizeof(double));
  if (!data.empty()) std::memcpy(made.numbers.data(), data.data(), data.size());
  return made;
}

Numbers Through(std::string datatype, std::vector<ColumnStep> steps, const Column& column) {
  const Made made = RunColumns(SpecOf(std::move(datatype), std::move(steps)), {column});
  EXPECT_TRUE(made.status.ok()) << made.status.ToString();
  return made.numbers;
}
std::string Refused(std::string datatype, std::vector<ColumnStep> steps, const Column& column) {
  return std::string(
      RunColumns(SpecOf(std::move(datatype), std::move(steps)), {column}).status.message());
}
std::string RefusedSpec(const ColumnsSpec& spec) {
  StepError error;
  EXPECT_EQ(MakeColumnsTransform(spec, &error), nullptr);
  return error.message;
}

const std::vector<ColumnValue> kCities = {std::string("Paris"), std::string("Rome"),
                                          std::string("S\xC3\xA3o Paulo")};

TEST(ColumnsTransform, Numbers_PassScaleClip) {
  const Column column = ColumnOf(Numbers{1, 2.5, -4});
  EXPECT_EQ(Through("FP64", {}, column), (Numbers{1, 2.5, -4}));
  const ScaleStep scale{.subtract = 1, .divide = 2, .multiply = 10, .add = 0.5};
  EXPECT_EQ(Through("FP64", {scale}, column), (Numbers{0.5, 8, -24.5}));
  EXPECT_EQ(Through("FP64", {ClipStep{.min = -1, .max = 2}}, column), (Numbers{1, 2, -1}));
}

TEST(ColumnsTransform, Bucketize_CountsEdgesNotAbove) {
  const BucketizeStep step{.edges = {0, 1, 1.5}};
  EXPECT_EQ(Through("FP64", {step}, ColumnOf(Numbers{-1, 0, 0.5, 1, 1.5, 9})),
            (Numbers{0, 1, 1, 2, 3, 3}));
}

TEST(ColumnsTransform, Missing_IsImputedSeenOrRefused) {
  const Column column = ColumnOf(Numbers{1, kNan, -1});
  EXPECT_EQ(Through("FP64", {ImputeStep{.value = 7.0}}, column), (Numbers{1, 7, -1}));
  EXPECT_EQ(Through("FP64", {IsMissingStep{}}, column), (Numbers{0, 1, 0}));
  EXPECT_EQ(Refused("FP64", {ClipStep{.min = 0, .max = 1}}, column),
            "row 1: column 'x' is NaN (missing), and nothing takes its place");
  const ImputeStep marked{.marker = -1.0, .value = 0.0};
  EXPECT_EQ(Refused("FP64", {marked}, column),
            "row 1: column 'x' is NaN (missing), and nothing takes its place");
  EXPECT_EQ(Through("FP64", {marked}, ColumnOf(Numbers{1, -1})), (Numbers{1, 0}));
}

TEST(ColumnsTransform, Missing_GoesOnWhereItMay) {
  ColumnsSpec spec = SpecOf("FP64", {ScaleStep{.subtract = 1}, BucketizeStep{.edges = {0}}});
  spec.features[0].refuse_missing = false;
  const Made made = RunColumns(spec, {ColumnOf(Numbers{kNan, 3})});
  ASSERT_TRUE(made.status.ok());
  EXPECT_TRUE(std::isnan(made.numbers[0]));
  EXPECT_EQ(made.numbers[1], 1);
}

TEST(ColumnsTransform, Texts_OneHotByUnknownPolicy) {
  OneHotStep step{.categories = kCities, .slots = {0, -1, 1}, .width = 2};
  const Column known = ColumnOf(Texts{"S\xC3\xA3o Paulo", "Rome", "Paris"});
  EXPECT_EQ(Through("BYTES", {step}, known), (Numbers{0, 1, 0, 0, 1, 0}));
  const Column unknown = ColumnOf(Texts{"Paris", "Sa\xCC\x83o Paulo\n"});
  EXPECT_EQ(Refused("BYTES", {step}, unknown),
            "row 1: column 'x' is 'Sa??o Paulo?', none of its 3 categories");
  EXPECT_EQ(Refused("BYTES", {step}, ColumnOf(Texts{""})),
            "row 0: column 'x' is empty (missing), none of its 3 categories");
  step.unknown = -1;
  EXPECT_EQ(Through("BYTES", {step}, unknown), (Numbers{1, 0, 0, 0}));
  step.unknown = 1;
  EXPECT_EQ(Through("BYTES", {step}, unknown), (Numbers{1, 0, 0, 1}));
  EXPECT_EQ(
      Through("BYTES", {ImputeStep{.value = std::string("Rome")}, step}, ColumnOf(Texts{"", "x"})),
      (Numbers{0, 0, 0, 1}));
}

TEST(ColumnsTransform, Texts_OrdinalAndMissing) {
  const OrdinalStep step{.categories = kCities, .values = {0, 1, 7}, .unknown = -1};
  EXPECT_EQ(Through("BYTES", {step}, ColumnOf(Texts{"Rome", "?", "S\xC3\xA3o Paulo", ""})),
            (Numbers{1, -1, 7, -1}));
  EXPECT_EQ(Through("BYTES", {IsMissingStep{}}, ColumnOf(Texts{"", "a"})), (Numbers{1, 0}));
}

TEST(ColumnsTransform, Texts_OfEveryLengthAreFound) {
  OrdinalStep step;
  Texts texts;
  Numbers expected;
  for (std::size_t i = 0; i < 200; ++i) {
    texts.push_back(std::string(i % 40, static_cast<char>('a' + i / 40)) + std::to_string(i));
    step.categories.emplace_back(texts.back());
    step.values.push_back(static_cast<double>(i));
    expected.push_back(static_cast<double>(i));
  }
  EXPECT_EQ(Through("BYTES", {step}, ColumnOf(texts)), expected);
  step.unknown = -5;
  for (std::string& text : texts) text.back() ^= 0x40;
  EXPECT_EQ(Through("BYTES", {step}, ColumnOf(texts)), Numbers(texts.size(), -5));
  EXPECT_EQ(Through("BYTES", {step}, ColumnOf(Texts{std::string(10'000'000, 'a')})), Numbers{-5});
}

TEST(ColumnsTransform, Numbers_AreCategoriesToo) {
  const OrdinalStep step{.categories = {0.0, kNan, 2.5}, .values = {10, 11, 12}, .unknown = 0};
  EXPECT_EQ(Through("FP64", {step}, ColumnOf(Numbers{-0.0, kNan, 2.5, 3})),
            (Numbers{10, 11, 12, 0}));
  EXPECT_EQ(Through("FP32", {step}, ColumnOf(DataType::kFp32, std::vector<float>{2.5F, 0})),
            (Numbers{12, 10}));
  EXPECT_EQ(Refused("FP64", {OneHotStep{.categories = {1.0}, .slots = {0}, .width = 1}},
                    ColumnOf(Numbers{0.1})),
            "row 0: column 'x' is 0.1, none of its 1 category");
}

TEST(ColumnsTransform, Integers_AreTakenAsTheyAre) {
  constexpr std::int64_t kLarge = (std::int64_t{1} << 53) + 1;  // no double has it
  const Column column = ColumnOf(DataType::kInt64, std::vector<std::int64_t>{kLarge, kLarge - 1});
  const OrdinalStep step{.categories = {kLarge - 1, kLarge}, .values = {1, 2}};
  EXPECT_EQ(Through("INT64", {step}, column), (Numbers{2, 1}));
  const Column bools = ColumnOf(DataType::kBool, std::vector<std::uint8_t>{1, 0});
  EXPECT_EQ(Through("BOOL", {}, bools), (Numbers{1, 0}));
  EXPECT_EQ(Through("BOOL", {ScaleStep{.add = 0.5}}, bools), (Numbers{1.5, 0.5}));
  const Column small = ColumnOf(DataType::kInt8, std::vector<std::int8_t>{-7, 5});
  EXPECT_EQ(Through("INT8", {ImputeStep{.marker = std::int64_t{-7}, .value = 2.5}}, small),
            (Numbers{2.5, 5}));
}

TEST(ColumnsTransform, IntegersOut_RefuseWhatTheyCannotHold) {
  ColumnsSpec spec = SpecOf("FP64", {});
  spec.outputs = {"INT32"};
  EXPECT_TRUE(RunColumns(spec, {ColumnOf(Numbers{-2147483648.0, 2147483647.5})}).status.ok());
  EXPECT_EQ(RunColumns(spec, {ColumnOf(Numbers{0, 2147483648.0})}).status.message(),
            "row 1: column 'x' is 2.14748365e+09, which INT32 cannot hold");
  spec.features[0].refuse_missing = false;
  EXPECT_EQ(RunColumns(spec, {ColumnOf(Numbers{kNan})}).status.message(),
            "row 0: column 'x' is NaN (missing), which INT32 cannot hold");
}

// Reference: sklearn.utils.murmurhash3_32(text, seed=0, positive=True).
TEST(MurmurHash, OfPieces_IsThatOfTheWhole) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  const std::vector<std::pair<std::string, std::uint32_t>> known = {
      {"", 0},
      {"a", 0x3C2569B2},
      {"city=Paris", 0xFE05E38F},
      {"\xC3\xA9t\xC3\xA9", 0x3393660F},
      {text, 0x2E4FF723}};
  for (const auto& [each, expected] : known) {
    preprocess::MurmurHash hash;
    hash.Add(each);
    EXPECT_EQ(hash.Finish(), expected) << each;
  }
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    preprocess::MurmurHash pieces;
    pieces.Add(text.substr(0, cut));
    pieces.Add(text.substr(cut));
    EXPECT_EQ(pieces.Finish(), 0x2E4FF723U) << cut;
  }
}

TEST(ColumnsTransform, Hash_SumsColumnsIntoTheSameNumbers) {
  ColumnsSpec spec = SpecOf("BYTES", {HashStep{.width = 8, .string_bytes_max = 4}});
  spec.inputs = {{.datatype = "BYTES", .columns = {"x", "y"}, .matrix = true}};
  spec.features[0].columns = {"x", "y"};
  const Made made = RunColumns(spec, {ColumnOf(Texts{"a", "a", "", ""})});
  ASSERT_TRUE(made.status.ok()) << made.status.ToString();
  EXPECT_EQ(made.shape, (Shape{2, 8}));
  preprocess::MurmurHash hash;
  hash.Add("a");
  const auto value = static_cast<std::int32_t>(hash.Finish());
  Numbers expected(16, 0);
  expected[static_cast<std::size_t>(std::abs(std::int64_t{value}) % 8)] = value < 0 ? -2 : 2;
  EXPECT_EQ(made.numbers, expected);
  EXPECT_EQ(RunColumns(spec, {ColumnOf(Texts{"a", "12345"})}).status.message(),
            "row 0: column 'y' has 5 bytes, at most 4 are hashed");
}

TEST(ColumnsTransform, SeveralInputs_StandInDeclaredOrder) {
  ColumnsSpec spec;
  spec.inputs = {{.datatype = "FP32", .columns = {"a", "b"}, .matrix = true}, One("BYTES", "city")};
  spec.outputs = {"FP64"};
  spec.features = {
      {.columns = {"city"},
       .steps = {OneHotStep{.categories = kCities, .slots = {0, 1, 2}, .width = 3}}},
      {.columns = {"b"}},
      {.columns = {"a"}, .steps = {ScaleStep{.multiply = 2}}},
      {.columns = {"b"}, .steps = {ScaleStep{.multiply = 3}}},
  };
  spec.output_bytes_max = 1 << 20;
  const Made made = RunColumns(spec, {ColumnOf(DataType::kFp32, std::vector<float>{1, 2, 3, 4}),
                                      ColumnOf(Texts{"Rome", "Paris"})});
  ASSERT_TRUE(made.status.ok()) << made.status.ToString();
  EXPECT_EQ(made.shape, (Shape{2, 6}));
  EXPECT_EQ(made.numbers, (Numbers{0, 1, 0, 2, 2, 6, 1, 0, 0, 4, 6, 12}));
}

TEST(ColumnsTransform, ManyRows_GoBlockByBlock) {
  constexpr std::size_t kRows = 1000;
  Texts texts;
  Numbers expected;
  for (std::size_t row = 0; row < kRows; ++row) {
    texts.push_back(row % 3 == 0 ? "Paris" : "Rome");
    expected.push_back(row % 3 == 0 ? 0 : 1);
  }
  const OrdinalStep step{.categories = kCities, .values = {0, 1, 2}};
  EXPECT_EQ(Through("BYTES", {step}, ColumnOf(texts)), expected);
  texts[700] = "Oslo";
  EXPECT_EQ(Refused("BYTES", {step}, ColumnOf(texts)),
            "row 700: column 'x' is 'Oslo', none of its 3 categories");
  EXPECT_EQ(Through("BYTES", {step}, ColumnOf(Texts{})), Numbers{});
}

TEST(ColumnsTransform, OutputThatWouldBeTooLarge_IsRefused) {
  ColumnsSpec spec = SpecOf("FP64", {});
  spec.output_bytes_max = 16;
  EXPECT_TRUE(RunColumns(spec, {ColumnOf(Numbers{1, 2})}).status.ok());
  EXPECT_EQ(RunColumns(spec, {ColumnOf(Numbers{1, 2, 3})}).status.message(),
            "3 rows of 8 bytes would be made, at most 16 bytes are");
}

TEST(ColumnsTransform, SampleRow_IsTaken) {
  ColumnsSpec spec;
  spec.inputs = {{.datatype = "INT16", .columns = {"a", "b"}, .matrix = true},
                 One("BYTES", "city")};
  spec.outputs = {"FP32"};
  spec.features = {
      {.columns = {"a"}, .steps = {OrdinalStep{.categories = {std::int64_t{-3}}, .values = {1}}}},
      {.columns = {"b"}},
      {.columns = {"city"},
       .steps = {OneHotStep{.categories = kCities, .slots = {0, 1, 2}, .width = 3}}}};
  spec.output_bytes_max = 1 << 20;
  StepError error;
  const std::shared_ptr<const Transform> transform = MakeColumnsTransform(spec, &error);
  ASSERT_NE(transform, nullptr) << error.message;
  TensorArena arena;
  const std::vector<TensorView> row = transform->SampleRow(arena);
  ASSERT_EQ(row.size(), 2U);
  EXPECT_EQ(row[0].shape, (Shape{1, 2}));
  EXPECT_EQ(row[1].shape, (Shape{1}));
  std::vector<TensorView> outputs(1);
  const std::unique_ptr<Transform::Scratch> scratch = transform->MakeScratch();
  EXPECT_TRUE(transform->Run(row, 1, arena, scratch.get(), outputs).ok());
}

TEST(ColumnsTransform, SpecsThatCannotWork_AreRefusedWithTheirPlace) {
  const OneHotStep cities{.categories = kCities, .slots = {0, 1, 2}, .width = 3};
  const std::vector<std::pair<ColumnsSpec, std::string>> cases = {
      {SpecOf("BYTES", {}),
       "features[0]: strings are left; one_hot, ordinal or hash makes numbers of them"},
      {SpecOf("BYTES", {ScaleStep{}}),
       "features[0].steps[0].scale: it needs numbers, and gets strings"},
      {SpecOf("FP32", {ScaleStep{.divide = 0}}), "features[0].steps[0].scale: divide is 0"},
      {SpecOf("FP32", {ScaleStep{.add = kNan}}),
       "features[0].steps[0].scale: its numbers must be finite"},
      {SpecOf("FP32", {ClipStep{.min = 2, .max = 1}}),
       "features[0].steps[0].clip: min must not be above max"},
      {SpecOf("FP32", {BucketizeStep{.edges = {2, 1}}}),
       "features[0].steps[0].bucketize: edges must be one or more numbers in ascending order"},
      {SpecOf("FP32", {HashStep{.width = 3}}),
       "features[0].steps[0].hash: it needs strings, and gets numbers"},
      {SpecOf("BYTES", {cities, ScaleStep{}}),
       "features[0].steps[1].scale: nothing can come behind one_hot or hash"},
      {SpecOf("FP32", {cities}),
       "features[0].steps[0].one_hot: a category is a string, and the column has numbers"},
      {SpecOf("BYTES", {ImputeStep{.value = 1.0}}),
       "features[0].steps[0].impute: value is a number, and the column has strings"},
      {SpecOf("INT8",
              {OrdinalStep{.categories = {std::int64_t{1}, std::int64_t{1}}, .values = {0, 1}}}),
       "features[0].steps[0].ordinal: category 1 was there before"},
      {SpecOf("FP16", {}), "inputs: columns cannot be FP16"},
  };
  for (const auto& [spec, message] : cases) EXPECT_EQ(RefusedSpec(spec), message);
  ColumnsSpec spec = SpecOf("FP32", {});
  spec.features[0].columns = {"y"};
  EXPECT_EQ(RefusedSpec(spec), "features[0]: no input has a column 'y'");
  spec = SpecOf("FP32", {});
  spec.inputs.push_back(One("FP32", "x"));
  EXPECT_EQ(RefusedSpec(spec), "inputs: two columns are named 'x'");
  spec.inputs.back() = One("FP32", "y");
  EXPECT_EQ(RefusedSpec(spec), "inputs: no feature uses input 1");
  spec.features.push_back({.columns = {"x", "y"}});
  EXPECT_EQ(RefusedSpec(spec), "features[1].columns: several of them can only be hashed");
}

}  // namespace
}  // namespace penstock
