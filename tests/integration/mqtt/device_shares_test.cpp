// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/mqtt/device_shares.hpp"

#include <gtest/gtest.h>

#include <string>

namespace covey::mqtt {
namespace {

const DeviceShares::Clock::time_point kStart{std::chrono::hours(1)};

TEST(DeviceShares, AFloodIsCutAndOthersAreNot) {
  DeviceShares shares({.per_s = 64, .burst = 1'024});
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) taken += shares.take(DeviceId("liar"), kStart) ? 1 : 0;
  EXPECT_EQ(taken, 1'024);
  EXPECT_TRUE(shares.take(DeviceId("honest"), kStart));
  taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    taken += shares.take(DeviceId("liar"), kStart + std::chrono::milliseconds(i)) ? 1 : 0;
  }
  EXPECT_NEAR(taken, 640, 2) << "64 in each of ten seconds";
}

TEST(DeviceShares, RemembersOnlyWhoSentLately) {
  DeviceShares shares;
  for (int i = 0; i < 100'000; ++i) {
    const auto now = kStart + std::chrono::milliseconds(i);
    EXPECT_TRUE(shares.take(DeviceId("d" + std::to_string(i)), now));
  }
  EXPECT_LE(shares.size(), 4'096U);
}

}  // namespace
}  // namespace covey::mqtt
