#include "core/result.hpp"

#include <gtest/gtest.h>

#include <memory>

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
