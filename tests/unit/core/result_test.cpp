// SPDX-License-Identifier: Apache-2.0
#include "core/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace covey {
namespace {

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> value = 7;
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 7);
  const Result<int> error = invalid("BAD_THING", "say it better");
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, Code::kInvalidArgument);
  EXPECT_EQ(error.error().reason, "BAD_THING");
  EXPECT_TRUE(Status());
  EXPECT_EQ(Status(not_found("no such device")).error().reason, "NOT_FOUND");
}

TEST(Result, moves_its_value_out) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 3);
}

TEST(Result, what_is_taken_from_a_temporary_outlives_it) {
  struct Owner {
    std::shared_ptr<int> alive = std::make_shared<int>(1);
    std::vector<int> list{1, 2, 3};
    auto begin() const { return list.begin(); }
    auto end() const { return list.end(); }
  };
  static_assert(std::is_same_v<decltype(*std::declval<Result<Owner>>()), Owner>);
  static_assert(std::is_same_v<decltype(std::declval<Result<Owner>>().value()), Owner>);
  std::weak_ptr<int> watch;
  const auto make = [&]() -> Result<Owner> {
    Owner owner;
    watch = owner.alive;
    return owner;
  };
  int sum = 0;
  for (const int x : *make()) {
    EXPECT_FALSE(watch.expired());
    sum += x;
  }
  EXPECT_EQ(sum, 6);
  EXPECT_TRUE(watch.expired());
}

TEST(ResultDeathTest, asking_for_what_is_not_there_ends_the_process) {
  const Result<int> error = invalid("BAD_THING", "");
  EXPECT_DEATH(static_cast<void>(*error), "assertion failed");
  const Result<int> value = 1;
  EXPECT_DEATH(static_cast<void>(value.error()), "assertion failed");
}

TEST(Assert, a_bug_that_can_be_lived_with_is_counted) {
  const uint64_t before = bug_count();
  COVEY_BUG("only a test");
  EXPECT_EQ(bug_count(), before + 1);
}

}  // namespace
}  // namespace covey
