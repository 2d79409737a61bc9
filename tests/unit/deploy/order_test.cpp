// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace covey {
namespace {

std::vector<OrderedDevice> fleet(size_t count, size_t strata = 1) {
  std::vector<OrderedDevice> devices;
  for (size_t i = 0; i < count; ++i) {
    devices.push_back({DeviceId("d" + std::to_string(i)),
                       strata > 1 ? "s" + std::to_string(i % strata) : "", false});
  }
  return devices;
}

StageSize share(int percent) { return {0, Ratio::percent(percent)}; }
StageSize count(uint32_t devices) { return {devices, {}}; }

TEST(Order, DependsOnSeedAndIdsOnly) {
  std::vector<OrderedDevice> devices = fleet(200, 3);
  const std::vector<DeviceId> order = hash_order(devices, "seed");
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(devices.begin(), devices.end(), random);
    EXPECT_EQ(hash_order(devices, "seed"), order);
  }
  EXPECT_NE(hash_order(devices, "other seed"), order);
  devices.push_back(devices.front());
  EXPECT_EQ(hash_order(devices, "seed"), order);
}

// Stored plans must be reproducible by later versions.
TEST(Order, IsFixedForEver) {
  const std::vector<DeviceId> order = hash_order(fleet(5), "bearing-vibration-1.4.0");
  std::string text;
  for (const DeviceId& device : order) text += device.str() + " ";
  EXPECT_EQ(text, "d2 d3 d4 d1 d0 ");
}

TEST(Order, AnotherPlanPicksOtherGuineaPigs) {
  std::map<DeviceId, int> first;
  for (int seed = 0; seed < 1000; ++seed) ++first[hash_order(fleet(10), std::to_string(seed))[0]];
  EXPECT_EQ(first.size(), 10U);
  for (const auto& [device, times] : first) {
    EXPECT_GT(times, 60) << device.str();  // 100 expected, standard deviation 9.5
    EXPECT_LT(times, 140) << device.str();
  }
}

TEST(Order, EveryPrefixRepresentsEveryStratum) {
  std::vector<OrderedDevice> devices = fleet(60, 3);  // 20 each
  for (size_t i = 0; i < 100; ++i)
    devices.push_back({DeviceId("big" + std::to_string(i)), "big", false});
  const std::vector<DeviceId> order = hash_order(devices, "seed");
  size_t big = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i].str().starts_with("big")) ++big;
    const double expected = static_cast<double>(i + 1) * 100 / 160;
    EXPECT_NEAR(static_cast<double>(big), expected, 2.5) << i;
  }
}

TEST(Stages, SizesRoundUp) {
  const std::vector<StageSize> sizes{share(5), share(25), share(100)};
  EXPECT_EQ(assign_stages(fleet(60), "s", sizes, {}).ends, (std::vector<size_t>{3, 15, 60}));
  EXPECT_EQ(assign_stages(fleet(61), "s", sizes, {}).ends, (std::vector<size_t>{4, 16, 61}));
  EXPECT_EQ(assign_stages(fleet(1), "s", sizes, {}).ends, (std::vector<size_t>{1, 1, 1}));
  EXPECT_EQ(assign_stages(fleet(0), "s", sizes, {}).ends, (std::vector<size_t>{0, 0, 0}));
  EXPECT_TRUE(assign_stages(fleet(0), "s", sizes, {}).nothing_to_do());
}

TEST(Stages, HoldbackIsNeverOffered) {
  const std::vector<StageSize> sizes{count(10), share(100)};
  const StageSets sets = assign_stages(fleet(60), "s", sizes, Ratio::percent(5));
  EXPECT_EQ(sets.holdback, 3U);
  EXPECT_EQ(sets.ends, (std::vector<size_t>{10, 57}));
  EXPECT_EQ(sets.held_back().size(), 3U);
  EXPECT_EQ(sets.added_by(1).size(), 47U);
  EXPECT_TRUE(sets.added_by(2).empty());
  // The last device is not held back from itself.
  EXPECT_EQ(assign_stages(fleet(1), "s", sizes, Ratio::percent(50)).ends.back(), 1U);
}

TEST(Stages, DevicesThatRunTheReleaseLeaveFirst) {
  std::vector<OrderedDevice> devices = fleet(100);
  for (size_t i = 0; i < 40; ++i) devices[i].runs_release = true;
  const StageSets sets = assign_stages(devices, "s", std::vector{share(10)}, {});
  EXPECT_EQ(sets.already_running.size(), 40U);
  EXPECT_EQ(sets.order.size(), 60U);
  EXPECT_EQ(sets.ends, std::vector<size_t>{6});
  for (OrderedDevice& device : devices) device.runs_release = true;
  EXPECT_TRUE(assign_stages(devices, "s", std::vector{share(10)}, {}).nothing_to_do());
}

TEST(Stages, Properties) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<OrderedDevice> devices = fleet(random() % 120, 1 + random() % 5);
    for (OrderedDevice& device : devices) device.runs_release = random() % 4 == 0;
    std::vector<StageSize> sizes;
    for (size_t i = 1 + random() % 5; i > 0; --i) {
      sizes.push_back(random() % 2 == 0 ? share(1 + static_cast<int>(random() % 100))
                                        : count(1 + static_cast<uint32_t>(random() % 200)));
    }
    const Ratio holdback = Ratio::percent(static_cast<int>(random() % 100));
    const StageSets sets = assign_stages(devices, std::to_string(round), sizes, holdback);

    ASSERT_EQ(sets.order.size() + sets.already_running.size(), devices.size());
    const std::set<DeviceId> unique(sets.order.begin(), sets.order.end());
    ASSERT_EQ(unique.size(), sets.order.size());
    ASSERT_EQ(sets.ends.size(), sizes.size());
    size_t covered = 0;
    for (size_t stage = 0; stage < sizes.size(); ++stage) {
      ASSERT_LE(sets.ends[stage], sets.order.size() - sets.holdback);
      ASSERT_GE(sets.ends[stage], stage > 0 ? sets.ends[stage - 1] : 0U);
      ASSERT_EQ(sets.ends[stage] == 0, sets.order.empty());
      covered += sets.added_by(stage).size();
      ASSERT_EQ(covered, sets.ends[stage]);
    }
    if (!sets.order.empty()) {
      ASSERT_LT(sets.holdback, sets.order.size());
      ASSERT_GE(sets.holdback,
                std::min(ceil_share(sets.order.size(), holdback), sets.order.size() - 1));
    }
    std::shuffle(devices.begin(), devices.end(), random);
    ASSERT_EQ(assign_stages(devices, std::to_string(round), sizes, holdback).order, sets.order);
  }
}

}  // namespace
}  // namespace covey
