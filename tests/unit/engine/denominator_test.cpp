// SPDX-License-Identifier: Apache-2.0
// What the failures gate divides by (docs/design/rollouts.md, "Denominators"): targeted, attempted,
// reported.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

PlanDocument plan_of(const std::string& denominator, const std::string& max, uint32_t min_sample) {
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.on_fail = "PAUSE";
  plan.attempt.retries = 0;
  plan.stages[0].soak = "10m";
  plan.gates[0].failures = GateDocument::Failures{max, denominator, min_sample};
  return plan;
}

// Four devices on 1.0.0; d3 is away.
Site site_with(const PlanDocument& plan) {
  Site site;
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 4);
  for (const char* id : {"d0", "d1", "d2", "d3"}) site.run(id, {1, 0, 0});
  site.leave("d3");
  EXPECT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  return site;
}

const monitoring::GateResult& gate(const Site& site) {
  return site.state().rollouts.gates.at({RolloutName("r"), 0}).results.at(0);
}

double measure(const Site& site, const std::string& name) {
  for (const monitoring::Measure& one : gate(site).measures) {
    if (one.name == name) return one.value;
  }
  return NAN;
}

TEST(Denominator, AttemptedIsWhoBeganToDownload) {
  Site site = site_with(plan_of("attempted", "40%", 1));
  EXPECT_EQ(gate(site).reason, "NO_DATA");
  site.say("d1", "DOWNLOADING");
  site.say("d2", "DOWNLOADING");
  site.pass(1s);
  EXPECT_EQ(measure(site, "attempted"), 2);
  site.say("d0", "FAILED", "FLASH_WRITE");
  site.pass(1s);
  EXPECT_EQ(measure(site, "attempted"), 3);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRunning) << "one of three";
}

TEST(Denominator, AnOfferThatNobodyTookIsNoAttempt) {
  PlanDocument plan = plan_of("attempted", "40%", 1);
  plan.attempt.retries = 1;
  Site site = site_with(plan);
  // The second attempt is queued: nothing was downloaded in the first one.
  site.pass(10min + 15s, 1s);
  EXPECT_EQ(site.attempts("d0"), 2U);
  EXPECT_EQ(gate(site).reason, "NO_DATA");
  site.hello("d0");
  site.pass(1s);
  // One that was downloading once stays attempted while its retry waits.
  site.say("d0", "DOWNLOADING");
  site.say("d0", "FAILED", "FLASH_WRITE");
  site.pass(1s);
  EXPECT_EQ(measure(site, "attempted"), 1);
}

TEST(Denominator, TargetedIsTheWholeStage) {
  Site site = site_with(plan_of("targeted", "30%", 1));
  EXPECT_EQ(gate(site).reason, "IN_PROGRESS");
  site.say("d0", "FAILED", "FLASH_WRITE");
  site.pass(1s);
  EXPECT_EQ(measure(site, "targeted"), 4);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRunning) << "one of four";
  site.say("d1", "FAILED", "FLASH_WRITE");
  site.pass(1s);
  EXPECT_EQ(site.rollout_text("r"), "PAUSED(GATE_FAILED) all=FAILED");
  EXPECT_NE(site.rollout("r").progress.explanation.find("2 of 4 targeted devices"),
            std::string::npos)
      << site.rollout("r").progress.explanation;
}

TEST(Denominator, ReportedIsWhoSentAWindowOfTheRelease) {
  Site site = site_with(plan_of("reported", "40%", 2));
  site.report("d1", site.window("d1", 10));  // of the old release
  for (const char* id : {"d0", "d1", "d2"}) site.obey(id);
  site.pass(1s);
  EXPECT_EQ(gate(site).reason, "NO_DATA");
  for (const char* id : {"d0", "d1", "d2"}) {
    site.reboot(id);
    site.hello(id);
  }
  site.report("d1", site.window("d1", 10));
  site.pass(1s);
  EXPECT_EQ(measure(site, "reported"), 1);
  EXPECT_EQ(gate(site).reason, "SAMPLE_TOO_SMALL");
  site.report("d2", site.window("d2", 10));
  site.pass(1s);
  EXPECT_EQ(measure(site, "reported"), 2);
  EXPECT_EQ(gate(site).verdict, Verdict::kPass);
  // It failed before it reported anything: a failure counts all the same.
  site.fall_back("d0", {1, 0, 0}, "STARTS_EXHAUSTED");
  site.pass(1s);
  EXPECT_EQ(measure(site, "reported"), 3);
  EXPECT_EQ(measure(site, "failed"), 1);
}

}  // namespace
}  // namespace covey::test
