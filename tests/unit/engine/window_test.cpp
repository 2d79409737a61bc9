// SPDX-License-Identifier: Apache-2.0
// Windows close in pieces: no turn's work grows with the fleet, the statistics are somebody else's,
// and what happens meanwhile is neither lost nor judged twice.
#include <gtest/gtest.h>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;

engine::EngineConfig patient_config() {
  engine::EngineConfig config = quick_config();
  config.offline_after = 10min;
  return config;
}

class Windows : public testing::Test {
 protected:
  void make(int devices) {
    site.push({1, 0, 0});
    site.join_many("d", devices);
    for (int i = 0; i < devices; ++i) ids.push_back("d" + std::to_string(i));
    for (const std::string& id : ids) site.run(id, {1, 0, 0});
  }
  void report_all(uint32_t n) {
    for (const std::string& id : ids) site.report(id, site.window(id, n));
  }
  const engine::OpenWindow& first() const { return site.state().telemetry.windows.begin()->second; }
  std::vector<WindowRecord> stored_cohorts() {
    const std::vector<Digest> manifests{site.manifest({1, 0, 0})};
    return *(*site.store().reader())->windows(manifests, DeviceId(), {.limit = 10});
  }
  Site site{patient_config()};
  std::vector<std::string> ids;
};

TEST_F(Windows, NoTickCopiesOrWritesMoreThanItsShareOfTheFleet) {
  constexpr int kFleet = 1'300;
  make(kFleet);
  report_all(8);
  size_t asked = 0;
  size_t largest = 0;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* question = std::get_if<engine::JudgeWindow>(&effect)) {
      ++asked;
      EXPECT_EQ(question->window->devices.size(), static_cast<size_t>(kFleet));
      for (const auto& subject : question->window->subjects) {
        EXPECT_EQ(subject.devices.size(), static_cast<size_t>(kFleet)) << subject.name;
      }
    }
  };
  size_t copied = 0;
  for (int tick = 0; tick < 1'000 && !first().closed; ++tick) {
    site.pass(100ms);
    const auto& copy = site.state().telemetry.closing.copy;
    const size_t now = copy ? copy->devices.size() : 0;
    if (now > copied) largest = std::max(largest, now - copied);
    copied = now;
  }
  EXPECT_TRUE(first().closed);
  EXPECT_EQ(asked, 1U);
  EXPECT_EQ(largest, kDevicesCopiedPerTick);
  // One row for the cohort; those of the devices stand since their reports.
  ASSERT_EQ(stored_cohorts().size(), 1U);
  EXPECT_EQ(stored_cohorts()[0].devices, static_cast<uint32_t>(kFleet));
  EXPECT_EQ(stored_cohorts()[0].counts.inferences, 8U * kFleet);
}

TEST_F(Windows, LateCountsReviseTheRowInTheirOwnTransaction) {
  make(3);
  report_all(100);
  site.pass(90s);
  ASSERT_TRUE(first().closed);
  ASSERT_EQ(stored_cohorts().size(), 1U);
  EXPECT_FALSE(stored_cohorts()[0].revised);
  engine::ReportMessage late = site.window("d0", 40);
  late.t1_ms -= 90'000;
  late.t0_ms -= 90'000;
  site.report("d0", late);  // and no tick
  EXPECT_TRUE(stored_cohorts()[0].revised);
  EXPECT_EQ(stored_cohorts()[0].counts.inferences, 340U);
  EXPECT_EQ(stored_cohorts()[0].devices, 3U);
  site.restart();
  EXPECT_TRUE(first().closed) << "the cohort's row says so";
  EXPECT_EQ(first().cohorts.at(Cohort()).counts.inferences, 340U);
}

// What made the alert, or didn't, is what a person is shown: counts that come late are seen, and
// judge nothing.
TEST_F(Windows, AViewSaysWhatWasSaidWhenTheWindowClosed) {
  make(12);
  report_all(400);
  site.pass(90s);
  ASSERT_TRUE(first().closed);
  const auto outcome = [&] {
    const auto view = engine::view_drift(site.state(), site.engine().config(), ModelName("bearing"),
                                         std::nullopt, "", 1);
    return view.ok() ? view->histograms[0].verdict.outcome
                     : monitoring::DriftOutcome::kInsufficientData;
  };
  EXPECT_EQ(outcome(), monitoring::DriftOutcome::kOk);
  for (const std::string& id : ids) {
    engine::ReportMessage late = site.window(id, 4'000, 3);
    late.t1_ms -= 90'000;
    late.t0_ms -= 90'000;
    site.report(id, late);
  }
  EXPECT_EQ(first().cohorts.at(Cohort()).counts.inferences, 12U * 4'400);
  EXPECT_EQ(outcome(), monitoring::DriftOutcome::kOk);
  site.restart();
  EXPECT_EQ(outcome(), monitoring::DriftOutcome::kOk);
  site.check_reload();
}

TEST_F(Windows, CountsThatComeDuringTheStatisticsAreKept) {
  make(3);
  report_all(100);
  site.hold_verdicts = true;
  site.pass(90s);
  ASSERT_FALSE(first().closed);
  engine::ReportMessage late = site.window("d0", 40);
  late.t1_ms -= 90'000;
  late.t0_ms -= 90'000;
  site.report("d0", late);
  EXPECT_TRUE(stored_cohorts().empty());
  site.give_verdicts();
  EXPECT_TRUE(first().closed);
  ASSERT_EQ(stored_cohorts().size(), 1U);
  EXPECT_EQ(stored_cohorts()[0].counts.inferences, 340U);
}

TEST_F(Windows, AStartDuringTheStatisticsJudgesAgain) {
  make(3);
  report_all(100);
  site.hold_verdicts = true;
  site.pass(90s);
  site.restart();  // asks anew: the answer of the life before is gone
  EXPECT_FALSE(first().closed);
  site.hold_verdicts = false;
  site.pass(60s);
  EXPECT_TRUE(first().closed);
}

TEST_F(Windows, AVerdictOnAWindowThatWasAbandonedSinceIsDropped) {
  make(3);
  report_all(100);
  site.hold_verdicts = true;
  site.pass(90s);
  site.step_wall(1h);  // closes it without a judgement
  site.pass(100ms);
  site.give_verdicts();
  EXPECT_EQ(site.drops(Drop::kVerdictStale), 1U);
  EXPECT_TRUE(site.state().telemetry.alerts.empty());
}

TEST_F(Windows, TheMemoryOfAPastWindowIsGivenBackInPieces) {
  constexpr int kFleet = 1'100;
  make(kFleet);
  report_all(4);
  size_t largest = 0;
  size_t before = 0;
  for (int i = 0; i < 8 * 60; ++i) {
    site.pass(1s, 1s);
    size_t leaving = 0;
    for (const auto& devices : site.state().telemetry.windows_leaving) leaving += devices.size();
    if (leaving < before) largest = std::max(largest, before - leaving);
    before = leaving;
  }
  EXPECT_TRUE(site.state().telemetry.windows.empty());
  EXPECT_TRUE(site.state().telemetry.windows_leaving.empty());
  EXPECT_LE(largest, kDevicesForgottenPerTick);
}

}  // namespace
}  // namespace covey::test
