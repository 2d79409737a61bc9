// SPDX-License-Identifier: Apache-2.0
#include "core/duration.hpp"

#include <gtest/gtest.h>

namespace covey {
namespace {

TEST(Duration, reads_what_people_write) {
  EXPECT_EQ(*parse_duration("0"), Millis{0});
  EXPECT_EQ(*parse_duration("250ms"), Millis{250});
  EXPECT_EQ(*parse_duration("90s"), Millis{90'000});
  EXPECT_EQ(*parse_duration("10m"), Millis{600'000});
  EXPECT_EQ(*parse_duration("24h"), Millis{86'400'000});
  EXPECT_EQ(*parse_duration("7d"), Millis{604'800'000});
  EXPECT_EQ(*parse_duration("1h30m"), Millis{5'400'000});
  EXPECT_EQ(*parse_duration("3660d"), Millis{3660LL * 86'400'000});
}

TEST(Duration, refuses_the_rest) {
  for (const char* text :
       {"", "5", "m", "-5m", "+5m", "5 m", " 5m", "5m ", "1.5h", "5M", "5w", "5mm", "1h30", "3661d",
        "9999999999999999999s", "99999999999999999999d", "3660d1ms", "0x5s"}) {
    const Result<Millis> duration = parse_duration(text);
    ASSERT_FALSE(duration) << text << " was read as " << duration->count();
    EXPECT_EQ(duration.error().reason, "BAD_DURATION");
  }
}

TEST(Duration, property_text_round_trips) {
  EXPECT_EQ(to_string(Millis{0}), "0s");
  EXPECT_EQ(to_string(Millis{90'000}), "1m30s");
  EXPECT_EQ(to_string(Millis{86'400'000}), "1d");
  for (int64_t ms = 1; ms < 10LL * 365 * 86'400'000; ms = ms * 3 + 7) {
    const Result<Millis> back = parse_duration(to_string(Millis{ms}));
    ASSERT_TRUE(back) << to_string(Millis{ms});
    EXPECT_EQ(*back, Millis{ms});
  }
}

}  // namespace
}  // namespace covey
