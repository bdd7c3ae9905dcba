// Every rule that a request can break, with the sentence that it gets.
#include "inference/request_tensors.h"

#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include <cstring>
#include <deque>

#include "support/fake_model.h"
#include "support/fake_transform.h"
#include "support/strings.h"

namespace penstock {
namespace {

class BindRequestTest : public testing::Test {
 protected:
  // Two inputs [-1,3] and [-1,2], batchable; max_batch_size as configured.
  std::unique_ptr<ModelVersion> TwoInputs(std::int64_t max_batch_size) {
    return MakeModel({.name = "two", .warmup = {.max_batch_size = max_batch_size}},
                     std::make_unique<FakeSession>(
                         std::vector<TensorSpec>{FloatSpec("a", {-1, 3}), FloatSpec("b", {-1, 2})},
                         std::vector<TensorSpec>{FloatSpec("c", {-1, 3}), FloatSpec("d", {-1, 2})},
                         EchoAll(clock_, 1000, 10)),
                     clock_);
  }
  std::unique_ptr<ModelVersion> Fixed(const Shape& shape) {
    return MakeModel({.name = "fixed"},
                     std::make_unique<FakeSession>(std::vector<TensorSpec>{FloatSpec("a", shape)},
                                                   std::vector<TensorSpec>{FloatSpec("c", shape)},
                                                   EchoAll(clock_, 1000, 10)),
                     clock_);
  }
  void Add(std::string_view name, const Shape& shape, std::size_t bytes,
           std::string_view datatype = "FP32") {
    request_.inputs.push_back({.name = name, .datatype = datatype, .shape = shape});
    request_.raw_input_contents.push_back(memory_.emplace_back(bytes));
  }
  std::string Bind(const ModelVersion& model) {
    return std::string(BindRequest(request_, model, buffers_, tensors_).message());
  }

  ManualClock clock_;
  std::unique_ptr<ModelVersion> model_ = TwoInputs(4);
  wire::InferRequest request_;
  BufferPool buffers_;
  RequestTensors tensors_;
  std::deque<std::vector<std::byte>> memory_;
};

TEST_F(BindRequestTest, GoodRequest_IsInTheModelsOrder) {
  Add("b", {2, 2}, 16);
  Add("a", {2, 3}, 24);
  ASSERT_TRUE(model_->batchable()) << model_->warmup().batchable_reason;
  ASSERT_EQ(Bind(*model_), "");
  EXPECT_EQ(tensors_.rows, 2);
  ASSERT_EQ(tensors_.inputs.size(), 2U);
  EXPECT_EQ(tensors_.inputs[0].data.data(), memory_[1].data());
  EXPECT_EQ(tensors_.inputs[0].shape, (Shape{2, 3}));
  EXPECT_EQ(tensors_.inputs[1].data.data(), memory_[0].data());
  EXPECT_EQ(tensors_.outputs, (std::vector<std::size_t>{0, 1}));
}

TEST_F(BindRequestTest, RequestedOutputs_AreThoseInTheirOrder) {
  Add("a", {1, 3}, 12);
  Add("b", {1, 2}, 8);
  request_.requested_outputs = {"d"};
  ASSERT_EQ(Bind(*model_), "");
  EXPECT_EQ(tensors_.outputs, (std::vector<std::size_t>{1}));
  request_.requested_outputs = {"d", "c"};
  ASSERT_EQ(Bind(*model_), "");
  EXPECT_EQ(tensors_.outputs, (std::vector<std::size_t>{1, 0}));
}

struct GivenInput {
  std::string_view name;
  Shape shape;
  std::size_t bytes = 0;
  std::string_view datatype = "FP32";
};
struct BadCase {
  const char* name;
  std::vector<GivenInput> inputs;
  const char* message;
};

const GivenInput kGoodA = {"a", {1, 3}, 12};
const GivenInput kGoodB = {"b", {1, 2}, 8};
const std::vector<BadCase> kBadCases = {
    {"nothing", {}, "input 'a' is missing; the model takes 'a', 'b'"},
    {"one missing", {kGoodA}, "input 'b' is missing; the model takes 'a', 'b'"},
    {"unknown input",
     {kGoodB, {"x\n", {1, 3}, 12}},
     "input 'x?': the model has no such input; it takes 'a', 'b'"},
    {"twice", {kGoodB, kGoodB}, "input 'b': given more than once"},
    {"wrong dtype",
     {{"a", {1, 3}, 12, "INT64"}},
     "input 'a': datatype 'INT64', the model takes FP32"},
    {"no dtype", {{"a", {1, 3}, 12, ""}}, "input 'a': datatype '', the model takes FP32"},
    {"wrong dimension", {{"a", {1, 4}, 16}}, "input 'a': shape [1,4], the model takes [-1,3]"},
    {"wrong rank", {{"a", {3}, 12}}, "input 'a': shape [3], the model takes [-1,3]"},
    {"negative batch", {{"a", {-1, 3}, 12}}, "input 'a': shape [-1,3], the model takes [-1,3]"},
    {"too few bytes",
     {{"a", {1, 3}, 11}},
     "input 'a': 11 bytes in raw_input_contents, FP32 [1,3] needs 12"},
    {"too many bytes",
     {{"a", {1, 3}, 24}},
     "input 'a': 24 bytes in raw_input_contents, FP32 [1,3] needs 12"},
    {"countless elements",
     {{"a", {std::int64_t{1} << 62, 3}, 12}},
     "input 'a': shape [4611686018427387904,3] holds more elements than can be counted"},
    {"countless bytes",
     {{"a", {std::int64_t{1} << 61, 3}, 12}},
     "input 'a': shape [2305843009213693952,3] holds more elements than can be counted"},
    {"rows differ", {{"a", {2, 3}, 24}, kGoodB}, "input 'b': 1 rows, input 'a' has 2"},
    {"no rows",
     {{"a", {0, 3}, 0}, {"b", {0, 2}, 0}},
     "input 'a': shape [0,3] has no rows; at least 1 is expected"},
    {"too many rows",
     {{"a", {5, 3}, 60}, {"b", {5, 2}, 40}},
     "the request has 5 rows, model 'two' takes 1 to 4 (max_batch_size)"},
};

TEST_F(BindRequestTest, BadInputs_HaveTheirSentences) {
  for (const BadCase& test : kBadCases) {
    SCOPED_TRACE(test.name);
    request_.Clear();
    for (const GivenInput& input : test.inputs) {
      Add(input.name, input.shape, input.bytes, input.datatype);
    }
    EXPECT_EQ(Bind(*model_), test.message);
    EXPECT_EQ(BindRequest(request_, *model_, buffers_, tensors_).code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(BindRequestTest, Strings_AreCheckedElementByElement) {
  const TensorSpec spec = {
      .name = "s", .dtype = DataType::kBytes, .shape = {-1, 2}, .first_dim_symbolic = true};
  const std::unique_ptr<ModelVersion> model = MakeModel(
      {.name = "strings"},
      std::make_unique<FakeSession>(std::vector<TensorSpec>{spec}, std::vector<TensorSpec>{spec},
                                    EchoAll(clock_, 1000, 10)),
      clock_);
  ASSERT_TRUE(model->batchable()) << model->warmup().batchable_reason;
  const std::vector<std::byte> good = BytesOf({"a", "", "bc", "d"});
  request_.inputs = {{.name = "s", .datatype = "BYTES", .shape = {2, 2}}};
  request_.raw_input_contents = {good};
  ASSERT_EQ(Bind(*model), "");
  EXPECT_EQ(tensors_.rows, 2);
  EXPECT_EQ(tensors_.inputs[0].data.data(), good.data());
  EXPECT_EQ(tensors_.inputs[0].data.size(), good.size());

  request_.raw_input_contents = {std::span(good).first(good.size() - 1)};
  EXPECT_EQ(Bind(*model),
            "input 's': BYTES [2,2] in raw_input_contents element 3 at offset 15 declares 1 bytes, "
            "0 are left");
  request_.raw_input_contents = {std::span(good).first(9)};
  EXPECT_EQ(Bind(*model),
            "input 's': BYTES [2,2] in raw_input_contents ends after 2 of 4 elements");
  request_.raw_input_contents = {good};
  request_.inputs[0].shape = {1, 2};
  EXPECT_EQ(Bind(*model),
            "input 's': BYTES [1,2] in raw_input_contents has 11 bytes after its 2 elements, at "
            "offset 9");
  request_.inputs[0].shape = {std::int64_t{1} << 62, 2};
  EXPECT_EQ(Bind(*model),
            "input 's': shape [4611686018427387904,2] holds more elements than can be counted");
}

TEST_F(BindRequestTest, RawEntriesThatDoNotFitTheInputs_AreRefused) {
  Add("a", {1, 3}, 12);
  request_.raw_input_contents.emplace_back(memory_.emplace_back(1));
  EXPECT_EQ(
      Bind(*model_),
      "2 entries in raw_input_contents for 1 inputs; one for each is expected, in their order");
  request_.raw_input_contents.clear();
  EXPECT_EQ(
      Bind(*model_),
      "input 'a': neither raw_input_contents nor typed contents, FP32 [1,3] needs 3 elements");
}

class TypedRequestTest : public BindRequestTest {
 protected:
  void AddTyped(std::string_view name, const Shape& shape, const std::vector<float>& values) {
    std::string& contents = contents_.emplace_back();
    protozero::pbf_writer(contents).add_packed_float(6, values.begin(), values.end());
    request_.inputs.push_back({.name = name,
                               .datatype = "FP32",
                               .shape = shape,
                               .has_contents = true,
                               .contents = std::as_bytes(std::span(contents))});
  }
  std::vector<float> Bound(std::size_t index) {
    std::vector<float> values(tensors_.inputs[index].data.size() / sizeof(float));
    std::memcpy(values.data(), tensors_.inputs[index].data.data(), values.size() * sizeof(float));
    return values;
  }

  std::deque<std::string> contents_;
};

TEST_F(TypedRequestTest, TypedContents_AreConvertedIntoAlignedMemory) {
  AddTyped("b", {2, 2}, {7, 8, 9, 10});
  AddTyped("a", {2, 3}, {1, 2, 3, 4, 5, 6});
  ASSERT_EQ(Bind(*model_), "");
  EXPECT_EQ(tensors_.rows, 2);
  EXPECT_EQ(Bound(0), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Bound(1), (std::vector<float>{7, 8, 9, 10}));
  for (const TensorView& view : tensors_.inputs) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data.data()) % BufferPool::kAlignment, 0U);
  }
  EXPECT_EQ(buffers_.live(), 1);
  tensors_.Clear();
  EXPECT_EQ(buffers_.live(), 0);
}

TEST_F(TypedRequestTest, TypedBesideRaw_IsRefused) {
  AddTyped("a", {1, 3}, {1, 2, 3});
  AddTyped("b", {1, 2}, {1, 2});
  request_.inputs[1].has_contents = false;
  request_.raw_input_contents.push_back(memory_.emplace_back(8));
  EXPECT_EQ(Bind(*model_), "input 'a': typed contents beside raw_input_contents; send one of them");
}

TEST_F(TypedRequestTest, WrongCounts_HaveTheirSentences) {
  AddTyped("a", {1, 3}, {1, 2});
  AddTyped("b", {1, 2}, {1, 2});
  EXPECT_EQ(Bind(*model_), "input 'a': 2 elements in fp32_contents, FP32 [1,3] needs 3 elements");
  request_.Clear();
  AddTyped("a", {1, 3}, {1, 2, 3, 4});
  EXPECT_EQ(Bind(*model_), "input 'a': 4 elements in fp32_contents, FP32 [1,3] needs 3 elements");
  request_.Clear();
  AddTyped("a", {1, 3}, {1, 2, 3});
  AddTyped("b", {1, 2}, {});
  request_.inputs[1].has_contents = false;
  request_.inputs[1].contents = {};
  EXPECT_EQ(
      Bind(*model_),
      "input 'b': neither raw_input_contents nor typed contents, FP32 [1,2] needs 2 elements");
  EXPECT_EQ(buffers_.live(), 0) << "nothing is converted for a request that is refused";
}

TEST_F(TypedRequestTest, FieldOfAnotherType_IsRefused) {
  std::string& contents = contents_.emplace_back();
  protozero::pbf_writer(contents).add_double(7, 1);
  request_.inputs.push_back({.name = "a",
                             .datatype = "FP32",
                             .shape = {1, 3},
                             .has_contents = true,
                             .contents = std::as_bytes(std::span(contents))});
  EXPECT_EQ(Bind(*model_), "input 'a': FP32 travels in fp32_contents, fp64_contents is given");
}

TEST_F(TypedRequestTest, NumberOutOfRange_IsRefusedWithItsPlace) {
  const TensorSpec spec = {
      .name = "i", .dtype = DataType::kInt8, .shape = {-1}, .first_dim_symbolic = true};
  const std::unique_ptr<ModelVersion> model = MakeModel(
      {.name = "small"},
      std::make_unique<FakeSession>(std::vector<TensorSpec>{spec}, std::vector<TensorSpec>{spec},
                                    EchoAll(clock_, 1000, 10)),
      clock_);
  std::string& contents = contents_.emplace_back();
  protozero::pbf_writer writer(contents);
  writer.add_int32(2, -128);
  writer.add_int32(2, 200);
  request_.inputs.push_back({.name = "i",
                             .datatype = "INT8",
                             .shape = {2},
                             .has_contents = true,
                             .contents = std::as_bytes(std::span(contents))});
  EXPECT_EQ(Bind(*model), "input 'i': element 1 of int_contents is 200, INT8 holds -128 to 127");
}

// Without elements there is nothing to send, in either form.
TEST_F(TypedRequestTest, TensorWithoutElements_NeedsNoContents) {
  const std::unique_ptr<ModelVersion> model = Fixed({-1, -1});
  request_.inputs.push_back({.name = "a", .datatype = "FP32", .shape = {2, 0}});
  ASSERT_EQ(Bind(*model), "");
  EXPECT_EQ(tensors_.rows, 2);
  EXPECT_TRUE(tensors_.inputs[0].data.empty());
  request_.raw_input_contents.emplace_back();
  EXPECT_EQ(Bind(*model), "");
}

// They would cost nothing to send, and a run without end.
TEST_F(BindRequestTest, CountlessRowsWithoutElements_AreRefused) {
  const std::unique_ptr<ModelVersion> model = Fixed({-1, -1});
  ASSERT_TRUE(model->batchable()) << model->warmup().batchable_reason;
  Add("a", {std::int64_t{1} << 60, 0}, 0);
  EXPECT_EQ(Bind(*model),
            "input 'a': shape [1152921504606846976,0] holds no elements; its other dimensions come "
            "to more than 16777216");
  request_.inputs[0].shape = {(1 << 24) + 1, 0};
  EXPECT_NE(Bind(*model), "");
  request_.inputs[0].shape = {1 << 24, 0};
  EXPECT_EQ(Bind(*model), "");
}

// Whichever of the model's inputs the mask is.
TEST_F(BindRequestTest, MaskThatIsLeftOut_IsAsLongAsTheOthers) {
  const auto transform = std::make_shared<FakeTransform>();
  transform->takes = {{.dtype = DataType::kBytes}};
  transform->makes = {
      {.dtype = DataType::kFp32, .row_shape = {-1}, .padding = PortPadding{.mask = true}},
      {.dtype = DataType::kFp32, .row_shape = {-1}, .padding = PortPadding{}}};
  ModelConfig config = {.name = "texts"};
  config.pipeline = {.preprocessing = {{.from = {"text"},
                                        .to = {"mask", "a"},
                                        .steps = {"fake"},
                                        .transform = transform}},
                     .allow_raw = true};
  const std::vector<TensorSpec> inputs = {FloatSpec("mask", {-1, -1}), FloatSpec("a", {-1, -1})};
  const std::vector<TensorSpec> outputs = {FloatSpec("c", {-1, -1}), FloatSpec("d", {-1, -1})};
  const std::unique_ptr<ModelVersion> model = MakeModel(
      config, std::make_unique<FakeSession>(inputs, outputs, EchoAll(clock_, 1000, 10)), clock_);
  ASSERT_NE(model->ragged(), nullptr) << model->ragged_text();
  Add("a", {2, 5}, 40);
  ASSERT_EQ(Bind(*model), "");
  EXPECT_EQ(tensors_.inputs[0].shape, (Shape{2, 5}));
  EXPECT_EQ(tensors_.run_length, RunLength(5));
}

// Texts to be prepared are as long as they are, however they are sent.
TEST_F(TypedRequestTest, ExpectedLength_IsThatOfRawContents) {
  const auto transform = std::make_shared<FakeTransform>();
  transform->takes = {{.dtype = DataType::kBytes}};
  transform->makes = {{.dtype = DataType::kFp32, .row_shape = {-1}, .padding = PortPadding{}}};
  transform->estimate = [](std::span<const TensorView> inputs) {
    return static_cast<std::int64_t>(inputs[0].data.size() - kBytesLengthSize);
  };
  ModelConfig config = {.name = "texts"};
  config.pipeline.preprocessing = {
      {.from = {"text"}, .to = {"a"}, .steps = {"fake"}, .transform = transform}};
  const std::unique_ptr<ModelVersion> model =
      MakeModel(config,
                std::make_unique<FakeSession>(std::vector<TensorSpec>{FloatSpec("a", {-1, -1})},
                                              std::vector<TensorSpec>{FloatSpec("c", {-1, -1})},
                                              EchoAll(clock_, 1000, 10)),
                clock_);
  ASSERT_NE(model->ragged(), nullptr) << model->ragged_text();
  const std::string text(50, 'x');
  std::string& contents = contents_.emplace_back();
  protozero::pbf_writer(contents).add_bytes(8, text);
  request_.inputs.push_back({.name = "text",
                             .datatype = "BYTES",
                             .shape = {1},
                             .has_contents = true,
                             .contents = std::as_bytes(std::span(contents))});
  ASSERT_EQ(Bind(*model), "");
  EXPECT_EQ(tensors_.run_length, RunLength(50));
}

TEST_F(BindRequestTest, BadRequestedOutputs_AreRefused) {
  Add("a", {1, 3}, 12);
  Add("b", {1, 2}, 8);
  request_.requested_outputs = {"z"};
  EXPECT_EQ(Bind(*model_), "output 'z': the model has no such output; it gives 'c', 'd'");
  request_.requested_outputs = {"c", "c"};
  EXPECT_EQ(Bind(*model_), "output 'c': requested more than once");
}

TEST_F(BindRequestTest, Classes_AreThoseOfNumbers) {
  Add("a", {1, 3}, 12);
  Add("b", {1, 2}, 8);
  request_.requested_outputs = {"d", "c"};
  request_.classes = {{.output = 1, .count = 2}};
  ASSERT_EQ(Bind(*model_), "");
  ASSERT_EQ(tensors_.classes.size(), 1U);
  EXPECT_EQ(tensors_.classes[0].output, 1U);
  request_.classes.clear();
  ASSERT_EQ(Bind(*model_), "");
  EXPECT_TRUE(tensors_.classes.empty());
}

TEST_F(BindRequestTest, ClassesBeyondTheirLimit_AreRefused) {
  const std::vector<TensorSpec> specs = {
      {.name = "free", .dtype = DataType::kFp32, .shape = {1, -1}},
      {.name = "two", .dtype = DataType::kFp32, .shape = {1, 2}}};
  const std::unique_ptr<ModelVersion> model =
      MakeModel({.name = "wide"},
                std::make_unique<FakeSession>(specs, specs, EchoAll(clock_, 1000, 10)), clock_);
  Add("free", {1, 3}, 12);
  Add("two", {1, 2}, 8);
  request_.requested_outputs = {"free", "two"};
  // As many as there are, where that is known.
  request_.classes = {{.output = 0, .count = 65536}, {.output = 1, .count = 1'000'000}};
  EXPECT_EQ(Bind(*model), "");
  request_.classes = {{.output = 0, .count = 65537}};
  EXPECT_EQ(Bind(*model),
            "output 'free': parameter 'classification': 65537 classes of 1 rows; at most 65536 in "
            "all are given");
}

TEST_F(BindRequestTest, ClassesOfStrings_AreRefused) {
  const std::vector<TensorSpec> specs = {{.name = "s", .dtype = DataType::kBytes, .shape = {1}}};
  const std::unique_ptr<ModelVersion> model =
      MakeModel({.name = "strings"},
                std::make_unique<FakeSession>(specs, specs, EchoAll(clock_, 1000, 10)), clock_);
  Add("s", {1}, 4, "BYTES");
  request_.requested_outputs = {"s"};
  request_.classes = {{.output = 0, .count = 1}};
  EXPECT_EQ(Bind(*model),
            "output 's': parameter 'classification': the output is BYTES, numbers are needed to "
            "tell classes");
}

TEST_F(BindRequestTest, MaxBatchSizeChosenByTheServer_LimitsNoRequest) {
  const std::unique_ptr<ModelVersion> model = TwoInputs(0);
  ASSERT_TRUE(model->batchable());
  Add("a", {500, 3}, 6000);
  Add("b", {500, 2}, 4000);
  EXPECT_EQ(Bind(*model), "");
}

TEST_F(BindRequestTest, UnbatchableModel_TakesItsShapeAsOneRow) {
  const std::unique_ptr<ModelVersion> model = Fixed({2, 3});
  EXPECT_FALSE(model->batchable());
  Add("a", {2, 3}, 24);
  ASSERT_EQ(Bind(*model), "");
  EXPECT_EQ(tensors_.rows, 1);
}

TEST_F(BindRequestTest, Scalar_IsBound) {
  const std::unique_ptr<ModelVersion> model = Fixed({});
  Add("a", {}, 4);
  EXPECT_EQ(Bind(*model), "");
}

}  // namespace
}  // namespace penstock
