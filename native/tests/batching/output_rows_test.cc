// Rows of outputs of fixed and of variable size.
#include "batching/output_rows.h"

#include <gtest/gtest.h>

#include "support/fake_session.h"

namespace penstock {
namespace {

class OutputRowsTest : public testing::Test {
 protected:
  std::size_t Size(std::size_t index, const RowRange& rows) {
    return OutputRows(outputs_, index, rows).size();
  }

  std::atomic<std::int64_t> live_{0};
  FakeOutputs outputs_{&live_};
};

TEST_F(OutputRowsTest, Numbers_AreCutByTheirSize) {
  outputs_.Add(DataType::kInt16, {3, 2}, std::vector<std::int16_t>{1, 2, 3, 4, 5, 6});
  const std::span<const std::byte> row = OutputRows(outputs_, 0, {.first = 1, .count = 2, .of = 3});
  EXPECT_EQ(row.data(), outputs_.tensors()[0].data.data() + 4);
  EXPECT_EQ(row.size(), 8U);
}

TEST_F(OutputRowsTest, Strings_AreCutByTheirElements) {
  outputs_.AddStrings({3, 2}, {"a", "bb", "", "dddd", "e", ""});
  EXPECT_EQ(StringsOf(OutputRows(outputs_, 0, {.first = 0, .count = 1, .of = 3})),
            (std::vector<std::string>{"a", "bb"}));
  EXPECT_EQ(StringsOf(OutputRows(outputs_, 0, {.first = 1, .count = 1, .of = 3})),
            (std::vector<std::string>{"", "dddd"}));
  EXPECT_EQ(StringsOf(OutputRows(outputs_, 0, {.first = 1, .count = 2, .of = 3})),
            (std::vector<std::string>{"", "dddd", "e", ""}));
}

TEST_F(OutputRowsTest, RowsWithoutElements_HaveNoBytes) {
  outputs_.Add(DataType::kFp32, {4, 0}, std::vector<float>{});
  outputs_.AddStrings({4, 0}, {});
  EXPECT_EQ(Size(0, {.first = 3, .count = 1, .of = 4}), 0U);
  EXPECT_EQ(Size(1, {.first = 3, .count = 1, .of = 4}), 0U);
}

}  // namespace
}  // namespace penstock
