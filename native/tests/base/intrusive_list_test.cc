// Order, unlinking from anywhere, two lists through two tags.
#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace penstock {
namespace {

struct TagA;
struct TagB;
struct Element : ListLink<TagA>, ListLink<TagB> {
  explicit Element(int n) : number(n) {}
  int number;
};
using ListA = IntrusiveList<Element, TagA>;
using ListB = IntrusiveList<Element, TagB>;

std::vector<int> Numbers(ListA& list) {
  std::vector<int> numbers;
  for (Element* e = list.front(); e != nullptr; e = list.Next(*e)) numbers.push_back(e->number);
  return numbers;
}

TEST(IntrusiveListTest, PushAndPop_KeepOrder) {
  ListA list;
  Element one(1), two(2), three(3);
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(list.PopFront(), nullptr);
  list.PushBack(two);
  list.PushBack(three);
  list.PushFront(one);
  EXPECT_EQ(Numbers(list), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(list.PopFront(), &one);
  EXPECT_EQ(list.PopFront(), &two);
  EXPECT_EQ(list.PopFront(), &three);
  EXPECT_TRUE(list.empty());
}

TEST(IntrusiveListTest, Unlink_FromMiddleAndTwice) {
  ListA list;
  Element one(1), two(2), three(3);
  for (Element* e : {&one, &two, &three}) list.PushBack(*e);
  ListLink<TagA>& link = two;
  EXPECT_TRUE(link.linked());
  link.Unlink();
  link.Unlink();
  EXPECT_FALSE(link.linked());
  EXPECT_EQ(Numbers(list), (std::vector<int>{1, 3}));
  list.PopFront();
  list.PopFront();
}

TEST(IntrusiveListTest, TwoTags_AreIndependent) {
  ListA a;
  ListB b;
  Element one(1), two(2);
  a.PushBack(one);
  a.PushBack(two);
  b.PushBack(two);
  b.PushBack(one);
  EXPECT_EQ(b.PopFront(), &two);
  EXPECT_EQ(Numbers(a), (std::vector<int>{1, 2}));
  static_cast<ListLink<TagA>&>(one).Unlink();
  EXPECT_EQ(b.PopFront(), &one);
  EXPECT_EQ(a.PopFront(), &two);
}

TEST(IntrusiveListTest, Splice_MovesAllToEnd) {
  ListA list, other;
  Element one(1), two(2), three(3);
  list.PushBack(one);
  other.PushBack(two);
  other.PushBack(three);
  list.Splice(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(Numbers(list), (std::vector<int>{1, 2, 3}));
  list.Splice(other);
  while (list.PopFront() != nullptr) {
  }
}

}  // namespace
}  // namespace penstock
