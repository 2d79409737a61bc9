// SPDX-License-Identifier: Apache-2.0
#include "core/ratio.hpp"

#include <gtest/gtest.h>

namespace covey {
namespace {

TEST(Ratio, reads_percent_points_and_shares) {
  EXPECT_EQ(parse_ratio("5%")->ppm, 50'000);
  EXPECT_EQ(parse_ratio("0.5%")->ppm, 5'000);
  EXPECT_EQ(parse_ratio("2pp")->ppm, 20'000);
  EXPECT_EQ(parse_ratio("0.02")->ppm, 20'000);
  EXPECT_EQ(parse_ratio("0")->ppm, 0);
  EXPECT_EQ(parse_ratio("1")->ppm, 1'000'000);
  EXPECT_EQ(parse_ratio("100%")->ppm, 1'000'000);
  EXPECT_EQ(parse_ratio("0.000001")->ppm, 1);
  EXPECT_EQ(parse_ratio("0.0001%")->ppm, 1);
}

TEST(Ratio, refuses_what_is_no_share) {
  for (const char* text : {"",
                           "%",
                           "pp",
                           "5",
                           "101%",
                           "100.1%",
                           "1.000001",
                           "-1%",
                           "+1%",
                           "1.%",
                           ".5%",
                           "5 %",
                           " 5%",
                           "5%%",
                           "1e-2",
                           "0.0000001",
                           "0.00001%",
                           "abc",
                           "99999999999999999999%",
                           "0x1%",
                           "1,5%",
                           "nan"}) {
    const Result<Ratio> ratio = parse_ratio(text);
    ASSERT_FALSE(ratio) << text << " was read as " << ratio->ppm;
    EXPECT_EQ(ratio.error().reason, "BAD_RATIO");
    EXPECT_NE(ratio.error().message.find("5%"), std::string::npos) << "says how to write it";
  }
}

// Every digit counts, wherever it stands: what cannot be kept is refused, not cut.
TEST(Ratio, refuses_what_is_finer_than_it_can_keep) {
  for (const char* text : {"2.00005%", "2.000005%", "2.00000000000001%", "0.0000001", "0.00000009",
                           "0.000000000000000001", "2.000005pp", "1.00000000001", "99.99990001%"}) {
    const Result<Ratio> ratio = parse_ratio(text);
    ASSERT_FALSE(ratio) << text << " was read as " << ratio->ppm;
    EXPECT_NE(ratio.error().message.find("finer"), std::string::npos) << ratio.error().message;
  }
  EXPECT_EQ(parse_ratio("2.00010000000%")->ppm, 20'001);
  EXPECT_EQ(parse_ratio("0.020000000000")->ppm, 20'000);
}

TEST(Ratio, property_text_round_trips) {
  for (int32_t ppm = 0; ppm <= 1'000'000; ppm += 37) {
    const Result<Ratio> back = parse_ratio(to_string(Ratio{ppm}));
    ASSERT_TRUE(back) << to_string(Ratio{ppm});
    EXPECT_EQ(back->ppm, ppm);
  }
  EXPECT_EQ(to_string(Ratio{2'500}), "0.25%");
  EXPECT_EQ(to_string(Ratio{-15'000}), "-1.5%");
  EXPECT_EQ(to_string(Ratio{1}), "0.0001%");
}

TEST(Ratio, exceeds_is_exact_and_false_without_a_whole) {
  EXPECT_FALSE(exceeds(2, 100, Ratio::percent(2)));
  EXPECT_TRUE(exceeds(3, 100, Ratio::percent(2)));
  EXPECT_FALSE(exceeds(0, 0, Ratio::percent(0)));
  EXPECT_FALSE(exceeds(5, 0, Ratio::percent(0)));
  EXPECT_TRUE(exceeds(1, ~uint64_t{0}, Ratio{0}));
  EXPECT_FALSE(exceeds(~uint64_t{0}, ~uint64_t{0}, Ratio::percent(100)));
  EXPECT_TRUE(exceeds(~uint64_t{0}, ~uint64_t{0}, Ratio{999'999}));
}

TEST(Ratio, shares_round_up) {
  EXPECT_EQ(ceil_share(60, Ratio::percent(5)), 3U);
  EXPECT_EQ(ceil_share(61, Ratio::percent(5)), 4U);
  EXPECT_EQ(ceil_share(1, Ratio{1}), 1U);
  EXPECT_EQ(ceil_share(60, Ratio{0}), 0U);
  EXPECT_EQ(ceil_share(~uint64_t{0}, Ratio::percent(100)), ~uint64_t{0});
}

}  // namespace
}  // namespace covey
