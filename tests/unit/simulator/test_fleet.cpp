// SPDX-License-Identifier: Apache-2.0
// Fleet assignment: deterministic, balanced, and what the options ask for.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "device_agent/simulator/fleet.hpp"

namespace covey::simulator {
namespace {

FleetOptions demo() {
  FleetOptions options;
  options.classes = *parse_classes("m4f-256k:50,m0-64k:10");
  options.seed = 7;
  options.small = 2;
  options.offline = 3;
  return options;
}

TEST(Fleet, SameSeedSameFleet) {
  const auto fleet = assign_fleet(demo());
  ASSERT_TRUE(fleet.ok());
  EXPECT_EQ(to_json(*fleet, 7), to_json(*assign_fleet(demo()), 7));
  FleetOptions other = demo();
  other.seed = 8;
  EXPECT_NE(to_json(*fleet, 7), to_json(*assign_fleet(other), 7));
}

TEST(Fleet, CountsClassesAndFlagsAreWhatWasAsked) {
  const auto fleet = assign_fleet(demo());
  ASSERT_EQ(fleet->size(), 60u);
  std::map<std::string, int> classes;
  std::map<std::string, int> halls;
  std::map<std::pair<std::string, std::string>, int> cells;
  std::set<std::string> ids;
  int small = 0;
  int offline = 0;
  for (const DeviceSpec& device : *fleet) {
    classes[device.device_class]++;
    halls[device.hall]++;
    cells[{device.hall, device.machine_type}]++;
    ids.insert(device.id);
    small += device.small ? 1 : 0;
    offline += device.offline ? 1 : 0;
    EXPECT_FALSE(device.small && device.offline);
    EXPECT_EQ(device.slot_bytes == kSlotBytesSmall, device.small);
  }
  EXPECT_EQ(classes["m4f-256k"], 50);
  EXPECT_EQ(classes["m0-64k"], 10);
  EXPECT_EQ(ids.size(), 60u);
  EXPECT_EQ(*ids.begin(), "dev-0001");
  EXPECT_EQ(small, 2);
  EXPECT_EQ(offline, 3);
  EXPECT_EQ(halls.size(), 4u);
  EXPECT_EQ(cells.size(), 12u);
  for (const auto& [cell, count] : cells) EXPECT_EQ(count, 5) << cell.first << cell.second;
}

TEST(Fleet, SizesCanBeGiven) {
  const auto classes = parse_classes("tiny:3:12:2");
  ASSERT_TRUE(classes.ok());
  EXPECT_EQ((*classes)[0].slot_bytes, 12u * 1024);
  EXPECT_EQ((*classes)[0].arena_bytes, 2u * 1024);
}

TEST(Fleet, BadTextIsRefusedWithTheItem) {
  for (const char* text : {"", "m4f-256k", "m4f-256k:0", "m4f-256k:x", "m4f-256k:1:2", "what:5",
                           "m4f-256k:1,m4f-256k:2", "tiny:1:7:1", "tiny:1:13:1", "a b:1:16:8",
                           "m4f-256k:99999999999"}) {
    const auto classes = parse_classes(text);
    ASSERT_FALSE(classes.ok()) << text;
    EXPECT_EQ(classes.error().reason, "BAD_CLASSES");
  }
  FleetOptions options = demo();
  options.small = 58;
  EXPECT_EQ(assign_fleet(options).error().reason, "BAD_FLEET");
  options = demo();
  options.id_prefix = "svc-";
  EXPECT_FALSE(assign_fleet(options).ok());
}

}  // namespace
}  // namespace covey::simulator
