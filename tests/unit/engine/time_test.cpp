// SPDX-License-Identifier: Apache-2.0
// Observed time and the two clocks (docs/design/time-and-persistence.md, "Observed time":
// deadlines, soak and silence consume observed time with a grace after a start; a site that was
// off, or whose clock steps by years, rolls nothing back).
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

GateDocument silence_gate(const std::string& max) {
  GateDocument gate;
  gate.silence = GateDocument::Silence{max};
  return gate;
}

// Every device reports each 10 s, as quick_config() expects.
void report_for(Site& site, Millis duration, const std::vector<std::string>& ids) {
  for (Millis gone{0}; gone < duration; gone += 10s) {
    for (const std::string& id : ids) {
      site.status(id);
      site.report(id, site.window(id, 40));
    }
    site.pass(10s, 1s);
  }
}

bool alerted(const Site& site) {
  const auto& tracks = site.state().telemetry.alerts;
  return std::any_of(tracks.begin(), tracks.end(),
                     [](const auto& entry) { return entry.second.newest.has_value(); });
}

const std::vector<std::string> kFour{"d0", "d1", "d2", "d3"};

// A fleet of four on 1.0.0 that soaks 1.1.0 under a silence gate.
PlanDocument soaking_plan() {
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages[0].soak = "10m";
  plan.gates = {failures_gate("20%"), silence_gate("20%")};
  return plan;
}

void start(Site& site, const PlanDocument& plan) {
  site.push({1, 0, 0});
  site.push({1, 1, 0});
  site.join_many("d", 4);
  for (const std::string& id : kFour) site.run(id, {1, 0, 0});
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(1s);
}

TEST(ObservedTime, AWeekendWithoutPowerRollsNothingBack) {
  Site site;
  start(site, soaking_plan());
  site.obey_all();
  report_for(site, 60s, kFour);
  ASSERT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  site.power_off(60h);
  // Devices come back one after the other; their first windows are closed half a minute later.
  site.pass(15s);
  for (const std::string& id : kFour) {
    site.reboot(id);
    site.hello(id);
  }
  site.pass(25s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  report_for(site, 10min, kFour);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
  EXPECT_FALSE(alerted(site));
}

// Three intervals after the last word a device would be silent; after a start two more are given,
// for whoever was not heard at all.
TEST(ObservedTime, AStartIsNoReasonForSilence) {
  Site site;
  start(site, soaking_plan());
  site.obey_all();
  site.restart();
  site.pass(45s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  site.pass(10s);
  EXPECT_EQ(site.rollout_text("r"), "ROLLED_BACK(TOO_MUCH_SILENCE) all=FAILED") << "not for ever";
}

TEST(ObservedTime, WhoWasNotHeardSinceTheStartIsNoProof) {
  Site site;
  PlanDocument plan = soaking_plan();
  plan.stages[0].soak = "1m";
  start(site, plan);
  site.obey_all();
  report_for(site, 50s, kFour);
  site.restart();
  // The soak ends while nobody has been heard: the gate must not pass on nothing. (What was
  // observed since the last row, ten seconds ago, is forgotten.)
  site.pass(25s);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=ANALYZING");
  const auto& gates = site.state().rollouts.gates.at({RolloutName("r"), 0}).results;
  EXPECT_EQ(gates.at(1).reason, "NOT_HEARD_YET");
  for (const std::string& id : kFour) site.hello(id);
  report_for(site, 10s, kFour);
  EXPECT_EQ(site.rollout_text("r"), "SUCCEEDED all=PASSED");
}

TEST(ObservedTime, AnAttemptDoesNotExpireBeforeItsDeviceCouldSpeak) {
  Site site;
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.attempt.deadline = "60s";
  plan.attempt.retries = 0;
  start(site, plan);
  for (const std::string& id : kFour) site.say(id, "PROBATION_OK");
  site.pass(55s, 1s);
  site.power_off(60h);
  site.pass(15s);
  // The proof was made while the gateway was away.
  for (const std::string& id : kFour) {
    site.hello(id);
    site.obey(id);
    EXPECT_EQ(site.newest(id).state, DeploymentState::kConfirmed);
  }
}

TEST(ObservedTime, TheGraceEnds) {
  Site site;
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.on_fail = "PAUSE";
  plan.attempt.deadline = "60s";
  plan.attempt.retries = 0;
  start(site, plan);
  for (const std::string& id : kFour) site.say(id, "PROBATION_OK");
  site.pass(55s, 1s);
  site.disconnect_broker();
  site.pass(24h, 1min);
  site.connect_broker();
  site.pass(19s);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kProbation);
  site.pass(2s);
  EXPECT_EQ(site.newest("d0").state, DeploymentState::kTimedOut);
}

TEST(WallClock, AStepOfYearsIsCountedAndDeletesNothing) {
  Site site;
  start(site, soaking_plan());
  site.obey_all();
  report_for(site, 2min, kFour);
  const size_t stored = site.store().reports().size();
  ASSERT_GT(stored, 0U);
  for (const Millis step : {Millis{24h * 3650}, Millis{-24h * 7300}, Millis{24h * 3650}}) {
    site.step_wall(step);
    report_for(site, 2min, kFour);
  }
  EXPECT_EQ(site.state().counters.wall_jumps, 3U);
  EXPECT_EQ(site.rollout_text("r"), "RUNNING all=SOAKING");
  EXPECT_FALSE(alerted(site));
  // Retention, which runs every hour, goes by the wall: it waits for a day.
  site.step_wall(24h * 7300);
  site.pass(2h, 1s);
  EXPECT_GE(site.store().reports().size(), stored);
  site.pass(24h, 5s);
  EXPECT_EQ(site.store().reports().size(), 0U);
  site.check_reload();
}

// The offset between a device's uptime and the wall is learnt anew: what it sends after the step
// belongs to the new time.
TEST(WallClock, WindowsGoOnAfterAStep) {
  Site site;
  start(site, soaking_plan());
  report_for(site, 2min, kFour);
  const uint64_t late = site.state().counters.windows_late;
  for (const Millis step : {Millis{24h * 3650}, Millis{-24h * 7300}}) {
    site.step_wall(step);
    report_for(site, 2min, kFour);
    EXPECT_EQ(site.state().counters.windows_late, late);
    for (const auto& [key, window] : site.state().telemetry.windows) {
      EXPECT_LE(key.second * Millis{60s}, site.now().wall) << "a window of a time taken back";
    }
  }
}

TEST(WallClock, SlewingIsNoStep) {
  Site site;
  for (int i = 0; i < 100; ++i) {
    site.step_wall(500ms);
    site.pass(1s);
  }
  EXPECT_EQ(site.state().counters.wall_jumps, 0U);
  site.step_wall(5min + 1s);
  site.pass(1s);
  EXPECT_EQ(site.state().counters.wall_jumps, 1U);
  EXPECT_TRUE(engine::schedules_held(site.state()));
}

}  // namespace
}  // namespace covey::test
