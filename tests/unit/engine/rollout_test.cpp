// SPDX-License-Identifier: Apache-2.0
// How a rollout deals with its devices: who is offered what and when, retries, absence, gates.
#include <gtest/gtest.h>

#include <set>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

class Fleet : public FleetTest {
 protected:
  std::set<std::string> offered() const {
    std::set<std::string> ids;
    for (const auto& [number, d] : site.state().rollouts.deployments) {
      if (d.attempt > 0) ids.insert(d.device.str());
    }
    return ids;
  }
  void keep_in_touch() {
    for (const auto& [id, device] : site.state().fleet.devices) {
      if (engine::is_online(site.state(), id)) site.status(id.str());
    }
  }
};

TEST_F(Fleet, FirstRolloutSucceeds) {
  make(3);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(1s);
  site.obey_all();
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  site.check_reload();
}

TEST_F(Fleet, MaxInFlightIsNeverExceeded) {
  make(6);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].max_in_flight = 2;
  ASSERT_TRUE(site.roll_out(plan).ok());
  for (int round = 0; round < 4; ++round) {
    site.pass(1s);
    size_t in_flight_now = 0;
    for (const auto& [number, d] : site.state().rollouts.deployments) {
      in_flight_now += in_flight(d.state) ? 1 : 0;
    }
    EXPECT_LE(in_flight_now, 2U);
    site.obey_all();
  }
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
}

// nerves_hub_web#1617: failed devices kept their slot.
TEST_F(Fleet, AFailedDeviceGivesItsPlaceBack) {
  make(3);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].max_in_flight = 1;
  plan.attempt.retries = 0;
  plan.gates = {failures_gate("60%")};
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(300ms);
  ASSERT_EQ(offered().size(), 1U);
  site.say(*offered().begin(), "FAILED", "FLASH_WRITE");
  site.pass(300ms);
  EXPECT_EQ(offered().size(), 2U);
}

// hawkBit: a stage whose threshold was not met fires its success action.
TEST_F(Fleet, StagesFollowOnlyOnAPass) {
  make(4);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages = {stage("canary", "1"), stage("fleet", "100%")};
  plan.stages[0].soak = "5s";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  ASSERT_EQ(offered().size(), 1U);
  site.obey_all();
  site.pass(3s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING canary=SOAKING fleet=PENDING");
  EXPECT_EQ(offered().size(), 1U);
  site.pass(5s);
  EXPECT_EQ(offered().size(), 4U);
}

TEST_F(Fleet, TheHoldbackIsNeverOffered) {
  make(10);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.holdback = "20%";
  ASSERT_TRUE(site.roll_out(plan).ok());
  const Rollout& rollout = site.rollout("r");
  ASSERT_EQ(rollout.plan->holdback, 2U);
  const std::set<DeviceId> held(rollout.plan->order.end() - 2, rollout.plan->order.end());
  for (int i = 0; i < 5; ++i) {
    site.pass(1s);
    site.obey_all();
  }
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kSucceeded);
  site.pass(30s);  // nor by the standing assignment afterwards
  EXPECT_EQ(offered().size(), 8U);
  for (const DeviceId& id : held) EXPECT_FALSE(offered().contains(id.str())) << id.str();
}

TEST_F(Fleet, OfflineDevicesAreSkippedAfterTheirTime) {
  make(3);
  site.leave("d1");
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.offline.skip_after = "30s";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  site.obey_all();
  EXPECT_EQ(site.newest("d1").state, DeploymentState::kQueued);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=DEPLOYING");
  keep_in_touch();
  site.pass(31s);
  EXPECT_EQ(site.newest("d1").state, DeploymentState::kCanceled);
  EXPECT_EQ(site.newest("d1").reason, "OFFLINE_SKIPPED");
  site.pass(1s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  // Back from the mountains: the release is the target's current one.
  site.hello("d1");
  site.pass(1s);
  EXPECT_EQ(site.newest("d1").cause, Cause::kAssignment);
  site.obey("d1");
  EXPECT_EQ(site.newest("d1").state, DeploymentState::kConfirmed);
}

// A power cut of the site, a weekend long, is nobody's fault.
TEST_F(Fleet, TimeWithoutABrokerDoesNotCount) {
  make(1);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.attempt.deadline = "20s";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  site.say("d0", "DOWNLOADING");
  site.disconnect_broker();
  site.pass(3600s, 1s);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kDownloading);
  site.connect_broker();
  site.pass(18s);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kDownloading);
  site.pass(2s);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kTimedOut);
}

// hawkbit#3251: attempts are numbered; #446: a device that fell back gets the release again.
TEST_F(Fleet, RetriesWaitTheirBackoffAndAreNumbered) {
  make(1);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.gates = {failures_gate("0%")};
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(300ms);
  const uint32_t first = site.newest("d0").attempt;
  site.say("d0", "REVERTED", "WATCHDOG");
  site.pass(9s);
  EXPECT_EQ(site.attempts("d0"), 1U);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRunning)
      << "a failure with a retry left";
  site.pass(2s);
  EXPECT_EQ(site.attempts("d0"), 2U);
  EXPECT_EQ(site.newest("d0").attempt, first + 1);
  EXPECT_EQ(site.newest("d0").attempt_in_rollout, 2U);
  // A late word about the first attempt says nothing about the second.
  site.device("d0").model.attempt = first;
  site.device("d0").model.phase = "FAILED";
  site.status("d0");
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kOffered);
  site.obey("d0");
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
}

TEST_F(Fleet, WhatNoAttemptCanMendIsNotRetried) {
  make(1);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(300ms);
  site.say("d0", "FAILED", "SELFTEST_MISMATCH");
  site.pass(1s);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRollingBack);
  EXPECT_EQ(site.rollout("r").progress.reason, "FAILURES_CERTAIN");
}

// amazon-freertos#3407, hawkbit#3185: the device says "confirmed" and runs something else.
TEST_F(Fleet, SuccessIsWhatTheDeviceProves) {
  make(1);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(300ms);
  for (const char* phase : {"DOWNLOADING", "VERIFYING", "PROBATION", "PROBATION_OK"}) {
    site.say("d0", phase);
  }
  ASSERT_TRUE(site.goal("d0")->models.at(0).may_confirm);
  Played& d = site.device("d0");
  d.model.phase = "CONFIRMED";  // confirmed and active are still what they were
  d.model.active = site.manifest({1, 0, 0});
  site.status("d0");
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kProbation);
  site.pass(5s);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRunning);
}

TEST_F(Fleet, TheGrantIsInTheGoalOnlyAfterTheProbation) {
  make(1);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(300ms);
  site.say("d0", "PROBATION");
  EXPECT_FALSE(site.goal("d0")->models.at(0).may_confirm);
  site.say("d0", "PROBATION_OK");
  EXPECT_TRUE(site.goal("d0")->models.at(0).may_confirm);
  site.say("d0", "CONFIRMED");
  EXPECT_FALSE(site.goal("d0")->models.at(0).candidate.has_value());
}

// The broker's queue was full, or it was killed: a device that stays connected does not ask.
TEST_F(Fleet, AGoalThatADeviceDoesNotShowIsSaidAgain) {
  make(1);
  std::vector<engine::GoalMessage> said;
  site.on_said = [&said](const engine::Effect& effect) {
    if (const auto* e = std::get_if<engine::PublishGoal>(&effect)) said.push_back(e->goal);
  };
  const auto connected_for = [this](int seconds) {
    for (int s = 0; s < seconds; s += 10) {
      site.report("d0", site.window("d0", 1));
      site.pass(10s, 1s);
    }
  };
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(1s);
  ASSERT_EQ(said.size(), 1U);
  connected_for(10);
  EXPECT_EQ(said.size(), 1U);
  connected_for(10);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[1].counter, said[0].counter);
  connected_for(20);
  EXPECT_EQ(said.size(), 2U) << "twice as long until the next";
  connected_for(20);
  EXPECT_EQ(said.size(), 3U);
  site.say("d0", "DOWNLOADING");
  const size_t shown = said.size();
  connected_for(200);
  EXPECT_EQ(said.size(), shown);
}

// Lost on our way to the broker, no device can ever fetch it: not one may fail for ever.
TEST_F(Fleet, WhatADeviceCouldNotFetchIsPublishedAgain) {
  make(1);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(1s);
  std::set<Digest> said;
  site.on_said = [&said](const engine::Effect& effect) {
    if (const auto* e = std::get_if<engine::PublishBlob>(&effect)) said.insert(e->digest);
  };
  site.say("d0", "DOWNLOADING");
  EXPECT_TRUE(said.empty());
  site.say("d0", "FAILED", "FETCH_TIMEOUT");
  EXPECT_TRUE(said.contains(site.manifest({1, 1, 0})));
  EXPECT_EQ(said.size(), 3U) << "manifest, chunk table, telemetry tables";
}

// hawkbit#3185: a fall-back after the success is seen, and put right.
TEST_F(Fleet, AConfirmedDeviceThatFallsBackFailsTheGate) {
  make(4);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].soak = "60s";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey_all();
  site.pass(1s);
  ASSERT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  site.fall_back("d0", {1, 0, 0}, "BOOT_LOOP");
  site.pass(1s);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRunning) << "1 of 4 is within 30 %";
  site.fall_back("d1", {1, 0, 0}, "BOOT_LOOP");
  site.pass(1s);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRollingBack);
}

TEST_F(Fleet, AdmissionSaysWhoCannotTakeItAndWhy) {
  site.push({1, 0, 0}, {"m4"});
  site.join("good");
  site.join("other", "m7");
  site.join("small");
  site.device("small").facts.arena_bytes = 100;
  site.hello("small");
  site.join("stale");
  site.device("stale").facts.algorithms = 0;
  site.hello("stale");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  std::map<std::string, std::string> reasons;
  for (const Exclusion& e : site.rollout("r").plan->excluded) reasons[e.device.str()] = e.reason;
  EXPECT_EQ(reasons, (std::map<std::string, std::string>{{"other", "CLASS_MISMATCH"},
                                                         {"small", "ARENA_TOO_SMALL"},
                                                         {"stale", "ALGORITHM_UNSUPPORTED"}}));
  EXPECT_EQ(site.rollout("r").plan->order.size(), 1U);
}

TEST_F(Fleet, AFirmwareChangeIsAdmittedAgainWhenItsStageBegins) {
  make(2);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages = {stage("one", "1"), stage("all", "100%")};
  ASSERT_TRUE(site.roll_out(plan).ok());
  const std::string second = site.rollout("r").plan->order[1].str();
  site.device(second).facts.arena_bytes = 1;
  site.hello(second);
  site.pass(500ms);
  site.obey_all();
  site.pass(3s);
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kSucceeded);
  EXPECT_FALSE(offered().contains(second));
  const auto events = site.events("r");
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [&](const EventRecord& e) {
    return e.kind == "DEVICE_SKIPPED" && e.subject == second;
  }));
}

TEST_F(Fleet, NothingToDoIsASuccess) {
  make(2);
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.0.0")).ok());
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED(NOTHING_TO_DO) all=PASSED");
  EXPECT_TRUE(offered().empty());
}

TEST_F(Fleet, PauseOffersNobodyMoreAndLeavesTheOthersAlone) {
  make(4);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].max_in_flight = 1;
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(300ms);
  ASSERT_TRUE(site.command(engine::PauseRollout{RolloutName("r"), "look"}).ok());
  const std::string first = *offered().begin();
  site.obey(first);
  site.pass(5s);
  EXPECT_EQ(offered().size(), 1U);
  EXPECT_EQ(site.newest(first).state, DeploymentState::kConfirmed);
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  site.pass(500ms);
  EXPECT_EQ(offered().size(), 2U);
}

TEST_F(Fleet, AbortLeavesWhatIsInProgressUnlessNow) {
  make(2);
  PlanDocument plan = simple_plan("gentle", "1.1.0");
  plan.stages[0].max_in_flight = 1;
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(300ms);
  const std::string first = *offered().begin();
  const std::string other = first == "d0" ? "d1" : "d0";
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("gentle"), false, "no"}).ok());
  EXPECT_EQ(site.newest(other).state, DeploymentState::kCanceled);
  EXPECT_TRUE(in_flight(site.newest(first).state));
  site.obey(first);
  EXPECT_EQ(site.newest(first).state, DeploymentState::kConfirmed);

  plan.name = "hard";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(300ms);
  ASSERT_TRUE(in_flight(site.newest(other).state));
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("hard"), true, "now"}).ok());
  EXPECT_EQ(site.newest(other).state, DeploymentState::kCanceled);
  EXPECT_FALSE(site.goal(other)->models.at(0).candidate.has_value()) << "cancel is a goal";
}

// A release of a model that some control devices never had: no evidence, not a crash.
TEST_F(Fleet, AnAccuracyGateOverAModelThatIsNew) {
  site.push({1, 0, 0});
  site.enroll("template");
  for (const char* id : {"a", "b", "c"}) {
    const DeviceFacts& facts = site.device("template").facts;
    site.handle(engine::EnrollReceived{DeviceId(id), {DeviceId(id), 1, facts, {}}});
    site.enroll(id);
    site.device(id).model.model = ModelName("other");
    site.accept(id);
    site.hello(id);
    ASSERT_FALSE(site.state().fleet.devices.at(DeviceId(id)).models.contains(ModelName("bearing")));
  }
  PlanDocument plan = simple_plan("r", "1.0.0");
  plan.stages = {stage("canary", "1"), stage("all", "100%")};
  GateDocument accuracy;
  accuracy.accuracy = {.non_inferior_by = "2pp", .alpha = "5%", .per = "", .min_sample = {}};
  plan.gates.push_back(accuracy);
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
  const std::string canary = site.rollout("r").plan->order[0].str();
  site.device(canary).model.model = ModelName("bearing");
  site.obey(canary);
  site.pass(2s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING canary=ANALYZING all=PENDING");
}

// Offline is no reason to be left out: such a device waits.
TEST(Preview, OfflineDevicesAreTheirOwnList) {
  Site site;
  site.push({1, 0, 0});
  site.join_many("d", 4);
  site.join("other", "m7");
  site.run("d0", {1, 0, 0});
  for (const char* id : {"d0", "d1"}) site.leave(id);
  const Result<Plan> plan = parse_plan(simple_plan("r", "1.0.0"));
  ASSERT_TRUE(plan.ok());
  const auto preview = engine::preview_rollout(site.state(), *plan);
  ASSERT_TRUE(preview.ok());
  EXPECT_EQ(preview->matched, 5U);
  EXPECT_EQ(preview->offline, std::vector<DeviceId>{DeviceId("d1")});
  ASSERT_EQ(preview->excluded.size(), 2U);
  EXPECT_EQ(preview->excluded[0].reason, "ALREADY_RUNNING");
  EXPECT_EQ(preview->excluded[1].reason, "CLASS_MISMATCH");
  EXPECT_EQ(preview->sets.order.size(), 3U);
}

}  // namespace
}  // namespace covey::test
