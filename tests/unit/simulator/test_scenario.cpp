// SPDX-License-Identifier: Apache-2.0
// Scenario files and single steps: what they mean, and errors that name the place.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "device_agent/simulator/scenario.hpp"

namespace covey::simulator {
namespace {

DeviceSpec device(const std::string& hall, const std::string& machine) {
  DeviceSpec spec;
  spec.id = "dev-0001";
  spec.device_class = "m4f-256k";
  spec.hall = hall;
  spec.machine_type = machine;
  return spec;
}

TEST(Scenario, StepsAreSortedByTime) {
  const auto steps = parse_scenario(R"(
steps:
  - {at: 1m30s, action: offline, devices: {offline: true}}
  - at: 10s
    devices: {hall: hall-2, machine_type: fan, share: 50%}
    action: gain 0.5
  - {at: 10s, action: stuck}
)");
  ASSERT_TRUE(steps.ok()) << steps.error().message;
  ASSERT_EQ(steps->size(), 3u);
  EXPECT_EQ((*steps)[0].at, 10s);
  EXPECT_DOUBLE_EQ(std::get<SetGain>((*steps)[0].action).factor, 0.5);
  EXPECT_TRUE(std::get<SetStuck>((*steps)[1].action).stuck);
  EXPECT_EQ((*steps)[2].at, 90s);
  EXPECT_TRUE(std::holds_alternative<GoOffline>((*steps)[2].action));
}

TEST(Scenario, WhatCouldGrowWithoutEndIsRefusedWithItsLine) {
  const Result<std::vector<Step>> steps = parse_scenario(R"(steps:
  - &all {at: 1s, action: offline}
  - *all
)");
  ASSERT_FALSE(steps.ok());
  EXPECT_EQ(steps.error().reason, "BAD_SCENARIO");
  EXPECT_NE(steps.error().message.find("line 2"), std::string::npos) << steps.error().message;
}

TEST(Scenario, EverySelectorKeyMustMatch) {
  Selector selector;
  EXPECT_TRUE(selector.matches(device("hall-1", "pump")));
  selector.hall = "hall-2";
  selector.machine_type = "fan";
  EXPECT_TRUE(selector.matches(device("hall-2", "fan")));
  EXPECT_FALSE(selector.matches(device("hall-2", "pump")));
  EXPECT_FALSE(selector.matches(device("hall-1", "fan")));
}

TEST(Scenario, AShareIsAlwaysTheSameDevices) {
  Selector half;
  half.share = Ratio::percent(50);
  Selector quarter;
  quarter.share = Ratio::percent(25);
  int halves = 0;
  for (uint64_t seed = 0; seed < 1000; seed++) {
    DeviceSpec spec = device("hall-1", "pump");
    spec.seed = seed;
    halves += half.matches(spec) ? 1 : 0;
    if (quarter.matches(spec)) {
      EXPECT_TRUE(half.matches(spec));
    }
  }
  EXPECT_NEAR(halves, 500, 60);
}

TEST(Scenario, EveryActionIsRead) {
  EXPECT_DOUBLE_EQ(std::get<SetNoise>(*parse_action("noise 40")).lsb, 40);
  EXPECT_FALSE(std::get<SetStuck>(*parse_action("stuck off")).stuck);
  EXPECT_EQ(std::get<SetMachine>(*parse_action("machine_type press")).machine_type, "press");
  EXPECT_TRUE(std::holds_alternative<GoOnline>(*parse_action("online")));
  EXPECT_TRUE(std::holds_alternative<Reboot>(*parse_action("reboot")));
  EXPECT_TRUE(std::holds_alternative<PowerCut>(*parse_action("power_cut")));
  EXPECT_TRUE(std::holds_alternative<PauseInference>(*parse_action("pause_inference")));
  EXPECT_TRUE(std::holds_alternative<ResumeInference>(*parse_action("resume_inference")));
}

TEST(Scenario, BadStepsNameThePlace) {
  struct Case {
    const char* yaml;
    const char* place;
  };
  const Case cases[] = {
      {"steps: [{at: 1s, action: explode}]", "steps[0]"},
      {"steps: [{at: 1s, action: offline}, {action: online}]", "steps[1]"},
      {"steps: [{at: soon, action: offline}]", "steps[0].at"},
      {"steps: [{at: 1s, action: gain -1}]", "steps[0]"},
      {"steps: [{at: 1s, action: gain nan}]", "steps[0]"},
      {"steps: [{at: 1s, action: gain}]", "steps[0]"},
      {"steps: [{at: 1s, action: offline now}]", "steps[0]"},
      {"steps: [{at: 1s, action: machine_type boat}]", "steps[0]"},
      {"steps: [{at: 1s, action: offline, devices: {color: red}}]", "steps[0].devices.color"},
      {"steps: [{at: 1s, action: offline, devices: {share: 101%}}]", "steps[0].devices.share"},
      {"steps: [{at: 1s, action: offline, devices: {small: maybe}}]", "steps[0].devices.small"},
      {"steps: [{at: 1s, action: offline, when: now}]", "steps[0].when"},
      {"steps: [7]", "steps[0]"},
      {"steps: 7", "scenario"},
      {"[", "scenario"},
      {"", "scenario"},
  };
  for (const Case& bad : cases) {
    const auto steps = parse_scenario(bad.yaml);
    ASSERT_FALSE(steps.ok()) << bad.yaml;
    EXPECT_EQ(steps.error().reason, "BAD_SCENARIO");
    EXPECT_EQ(steps.error().message.rfind(bad.place, 0), 0u)
        << bad.yaml << " -> " << steps.error().message;
  }
}

TEST(Scenario, TheControlChannelSendsTheSameStepAsJson) {
  const auto step = parse_step(
      nlohmann::json::parse(R"({"devices": {"small": true}, "action": "noise 5"})"), "step");
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->devices.small, true);
}

}  // namespace
}  // namespace covey::simulator
