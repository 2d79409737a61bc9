// SPDX-License-Identifier: Apache-2.0
// One device with good credentials that says whatever it likes: what its words make grow, and that
// each of these has a bound.
#include <gtest/gtest.h>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"
#include "tests/unit/engine/remembered.hpp"

namespace covey::test {
namespace {

using engine::Drop;

// A device without a budget, so that each bound is seen by itself.
engine::EngineConfig generous_config() {
  engine::EngineConfig config = quick_config();
  config.allowances[0] = {1'000'000'000, 1s, 1'000'000'000};
  config.allowances[1] = {1'000'000'000, 1s, 1'000'000'000};
  return config;
}

class LyingDevice : public FleetTest {
 protected:
  LyingDevice() {
    site.restart(generous_config());
    make(1);
  }
  engine::ReportMessage of_unknown_release(uint64_t number) {
    engine::ReportMessage report = site.window("d0", 10);
    for (size_t i = 0; i < report.manifest.size(); ++i) {
      report.manifest[i] = static_cast<uint8_t>(number >> (8 * i));
    }
    report.sequence = 1;
    report.base_sequence = 1;
    report.inferences_total = 10;
    return report;
  }
  uint64_t counted() const {
    return engine::count_inferences(site.state(), ModelName("bearing")).inferences;
  }
  // The engine and what a start makes of the store are the same.
  void expect_same_after_restart() {
    site.check_reload();
    const Remembered before = remembered(site.state(), site.engine().config(), site.now());
    site.restart(generous_config());
    EXPECT_TRUE(before == remembered(site.state(), site.engine().config(), site.now()));
  }
};

TEST_F(LyingDevice, WindowsOfTheFutureAreNotOpened) {
  engine::HelloMessage hello = site.hello_of("d0");
  hello.uptime_ms = 0;
  site.send("d0", hello);
  const Millis now = site.now().wall;
  for (uint64_t i = 1; i <= 2'000; ++i) {
    engine::ReportMessage report = site.window("d0", 10, -1, 1);
    report.base_sequence = report.sequence;
    report.t0_ms = (i + 1'000) * 1'800'000;
    report.t1_ms = report.t0_ms + 5;
    report.samples[0].uptime_ms = report.t1_ms;
    site.report("d0", report);
  }
  EXPECT_TRUE(site.state().telemetry.windows.empty());
  EXPECT_EQ(site.drops(Drop::kReportFuture), 2'000U);
  EXPECT_EQ(counted(), 20'000U) << "they count, in totals";
  const engine::FleetState& fleet = site.state().fleet;
  EXPECT_LE(fleet.sessions[*fleet.number_of(DeviceId("d0"))].reported_until, now)
      << "it has not reported for ever";
  const auto reader = site.store().reader();
  const auto sample = (*reader)->inference(DeviceId("d0"), site.device("d0").boot_id, 1);
  ASSERT_TRUE(sample.ok() && sample->sample);
  EXPECT_LE(sample->sample->at, now);
  EXPECT_EQ(sample->sample->wall, now);
  expect_same_after_restart();
}

TEST_F(LyingDevice, AnUptimeThatIsNoClockMovesNothing) {
  for (const uint64_t uptime : {uint64_t{0}, uint64_t{1} << 40, uint64_t{1} << 47}) {
    engine::HelloMessage hello = site.hello_of("d0");
    hello.uptime_ms = uptime;
    site.send("d0", hello);
    for (int i = 0; i < 20; ++i) {
      engine::ReportMessage report = site.window("d0", 10);
      report.t1_ms = uptime + static_cast<uint64_t>(i) * 60'000;
      report.t0_ms = report.t1_ms - std::min<uint64_t>(report.t1_ms, 1'000);
      site.report("d0", report);
    }
    for (const auto& [id, window] : site.state().telemetry.windows) {
      EXPECT_LE(id.second, site.now().wall / site.engine().config().window);
    }
    EXPECT_LE(site.state().telemetry.windows.size(), 8U);
  }
}

TEST_F(LyingDevice, RowsOfATimeThatHasNotBeenGo) {
  WindowRecord window;
  window.manifest = site.manifest({1, 0, 0});
  window.device = DeviceId("d0");
  window.length = site.engine().config().window;
  window.index = site.now().wall / window.length + 1'000'000;
  window.start = window.index * window.length;
  SampleRecord sample{.device = DeviceId("d0"), .boot_id = 1, .inference = 1};
  sample.wall = sample.at = window.start;
  const std::vector<Write> rows{PutWindow{window}, PutSample{sample}};
  ASSERT_TRUE(site.store().commit(rows).ok());
  site.pass(61min, 1s);
  EXPECT_TRUE(site.store().load({})->windows.empty());
  const auto reader = site.store().reader();
  EXPECT_FALSE((*reader)->inference(DeviceId("d0"), 1, 1)->sample.has_value());
}

TEST_F(LyingDevice, UnknownReleasesShareOneTotal) {
  for (uint64_t i = 1; i <= 3'000; ++i) {
    if (i % 100 == 0) site.reboot("d0");
    site.report("d0", of_unknown_release(i));
  }
  EXPECT_LE(site.state().telemetry.totals.size(), kUnknownTotalsMax + 1);
  EXPECT_LE(site.state().telemetry.streams.size(),
            kBootsPerDeviceMax * kStreamsPerBootMax + kForgottenBootsMax);
  uint64_t quarantined = 0;
  for (const auto& [key, total] : site.state().telemetry.totals) quarantined += total.quarantined;
  EXPECT_EQ(quarantined, 3'000U) << "all are counted";
  EXPECT_EQ(site.store().load({})->totals.size(), site.state().telemetry.totals.size());
  expect_same_after_restart();
}

TEST_F(LyingDevice, WhatNobodyCanReadIsKeptInASmallBound) {
  uint64_t acknowledged = 0;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) {
      for (const auto& stream : ack->ack.streams) acknowledged += stream.cumulative;
    }
  };
  for (uint32_t i = 0; i < 4'000; ++i) {
    engine::ReportMessage report = of_unknown_release(i % 100 + 1);
    report.sequence = i / 100 + 1;
    site.report("d0", report);
  }
  size_t bytes = 0;
  for (const ReportRecord& report : site.store().reports()) bytes += report.payload.size();
  EXPECT_LE(bytes, kRawBytesPerHour);
  EXPECT_GT(site.drops(Drop::kOverBudget), 0U);
  site.pass(2s);
  EXPECT_GT(acknowledged, 0U) << "counted, so the device may forget them";
  expect_same_after_restart();
}

TEST_F(LyingDevice, AReportFullOfUnknownFieldsIsNotCounted) {
  engine::ReportMessage stuffed = site.window("d0", 10);
  stuffed.unknown_bytes = kUnknownBytesMax + 1;
  site.report("d0", stuffed);
  EXPECT_EQ(counted(), 0U);
  engine::ReportMessage newer = site.window("d0", 10);
  newer.unknown_bytes = 40;  // an agent of a later version
  site.report("d0", newer);
  EXPECT_EQ(counted(), 10U);
}

TEST_F(LyingDevice, CountsMustBePossibleInTheirTime) {
  engine::ReportMessage report = site.window("d0", 1'000'000);
  report.t0_ms = report.t1_ms;
  site.report("d0", report);
  EXPECT_EQ(counted(), 0U);
  EXPECT_EQ(site.drops(Drop::kReportQuarantined), 1U);
}

TEST_F(LyingDevice, ALeapOfTheSequenceIsNoLossOfBillions) {
  site.report("d0", site.window("d0", 10));
  engine::ReportMessage far = site.window("d0", 10);
  far.sequence = 4'000'000'000;
  far.base_sequence = far.sequence;
  site.report("d0", far);
  EXPECT_EQ(engine::count_inferences(site.state(), ModelName("bearing")).windows_lost, 0U);
  EXPECT_EQ(counted(), 20U);
}

TEST_F(LyingDevice, TotalsOfRolloutsThatAreOverBecomeTheFleets) {
  std::vector<Write> rows;
  for (int i = 0; i < 80; ++i) {
    TotalRecord total;
    total.device = DeviceId("d0");
    total.manifest = site.manifest({1, 0, 0});
    total.cohort = Cohort::canary(RolloutName("r" + std::to_string(i)));
    total.inferences = 10;
    rows.emplace_back(PutTotal{total});
  }
  ASSERT_TRUE(site.store().commit(rows).ok());
  site.restart(generous_config());
  ASSERT_EQ(site.state().telemetry.totals.size(), 80U);
  site.report("d0", site.window("d0", 5));
  EXPECT_EQ(site.state().telemetry.totals.size(), 1U);
  EXPECT_EQ(counted(), 805U);
  EXPECT_EQ(site.store().load({})->totals.size(), 1U);
  expect_same_after_restart();
}

TEST_F(LyingDevice, AReportOfABootThatWasForgottenDoesNotCountAgain) {
  const engine::ReportMessage first = site.window("d0", 10);
  site.report("d0", first);
  for (int boot = 0; boot < 9; ++boot) {
    site.reboot("d0");
    site.hello("d0");
    site.report("d0", site.window("d0", 10));
  }
  EXPECT_EQ(counted(), 100U);
  uint32_t acknowledged = 0;
  site.on_said = [&](const engine::Effect& effect) {
    const auto* ack = std::get_if<engine::PublishAck>(&effect);
    if (ack == nullptr || ack->ack.boot_id != first.boot_id) return;
    for (const auto& stream : ack->ack.streams) acknowledged = stream.cumulative;
  };
  site.report("d0", first);
  EXPECT_EQ(counted(), 100U);
  EXPECT_EQ(acknowledged, first.sequence) << "or it would be repeated for ever";
  site.restart(generous_config());
  site.report("d0", first);
  EXPECT_EQ(counted(), 100U);
  for (int boot = 0; boot < 60; ++boot) {
    site.reboot("d0");
    site.hello("d0");
    site.report("d0", site.window("d0", 10));
  }
  EXPECT_EQ(site.state().telemetry.streams.size(), kBootsPerDeviceMax + kForgottenBootsMax);
  expect_same_after_restart();
}

TEST_F(LyingDevice, AlertsAndLogLinesOfOneDeviceAreFew) {
  site.join_many("e", 10);  // its word is not the site's
  size_t lines = 0;
  site.on_said = [&](const engine::Effect& effect) {
    if (std::holds_alternative<engine::LogLine>(effect)) ++lines;
  };
  for (int i = 0; i < 1'000; ++i) {
    engine::HelloMessage hello = site.hello_of("d0");
    hello.site_epoch = i % 2 == 0 ? 5 : 1;
    site.send("d0", hello);
  }
  EXPECT_LE(lines, 4 * kNoticesPerHour);
  const auto& alerts = site.state().telemetry.alerts;
  const auto alert = alerts.find({"", monitoring::AlertKind::kAheadOfSite, "d0", ""});
  ASSERT_NE(alert, alerts.end());
  EXPECT_LE(alert->second.newest->episode, kNoticesPerHour);
  EXPECT_EQ(site.state().site.site_epoch, 1U);
  expect_same_after_restart();
}

// A manifest is of the model that its author signed it for, whatever a device says it runs.
TEST_F(LyingDevice, AManifestOfAnotherModelIsNotBroughtBack) {
  site.join_many("e", 3);
  engine::HelloMessage hello = site.hello_of("d0");
  hello.goal_counter += 10;  // what it says it runs is adopted
  hello.models.push_back(hello.models[0]);
  hello.models[1].model = ModelName("other");
  site.send("d0", hello);
  hello.models[1].confirmed = site.manifest({1, 1, 0});
  site.send("d0", hello);
  site.pass(1min);
  EXPECT_EQ(site.attempts("d0"), 0U);
  expect_same_after_restart();
}

TEST_F(LyingDevice, ARollbackKeepsToItsModel) {
  const ReleaseId other{ModelName("other"), {9, 0, 0}};
  const auto foreign = site.open(other.version, {"m4"}, 0, other.model);
  ASSERT_TRUE(site.command(engine::CreateRelease{other, {foreign}}).ok());
  site.device("d0").model.confirmed = foreign->digest;
  site.hello("d0");
  ASSERT_TRUE(site.roll_out(simple_plan("r", "1.1.0")).ok());
  site.pass(5s);
  site.obey("d0");
  site.pass(10s);
  ASSERT_TRUE(site.command(engine::RollBackRollout{RolloutName("r"), "no good"}).ok());
  site.pass(1min);
  ASSERT_EQ(site.attempts("d0"), 2U);
  for (const Deployment& deployment : site.store().deployments()) {
    EXPECT_EQ(deployment.release.model, kSiteModel);
  }
  expect_same_after_restart();
}

TEST_F(LyingDevice, AlertsHaveATerm) {
  engine::EngineConfig config = generous_config();
  config.retention = 1h;
  site.restart(config);
  site.join_many("e", 10);
  engine::HelloMessage hello = site.hello_of("d0");
  hello.site_epoch = 5;
  site.send("d0", hello);
  site.hello("d0");
  ASSERT_EQ(site.state().telemetry.alerts.size(), 1U);
  site.pass(3h, 1s);
  EXPECT_TRUE(site.state().telemetry.alerts.empty());
  EXPECT_TRUE(site.store().load({})->alerts.empty());
}

}  // namespace
}  // namespace covey::test
