// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

using engine::Drop;
const ModelName kBearing("bearing");

class Telemetry : public FleetTest {
 protected:
  uint64_t counted() const { return engine::count_inferences(site.state(), kBearing).inferences; }
};

TEST_F(Telemetry, EveryInferenceIsCountedOnce) {
  make(1);
  const auto first = site.window("d0", 100);
  const auto second = site.window("d0", 50);
  site.report("d0", second);  // out of order
  site.report("d0", first);
  site.report("d0", first);
  site.report("d0", second);
  EXPECT_EQ(counted(), 150U);
  EXPECT_EQ(site.drops(Drop::kReportDuplicate), 2U);
  site.restart();
  site.report("d0", first);
  EXPECT_EQ(counted(), 150U) << "a restart forgot what was counted";
  EXPECT_EQ(site.store().reports().size(), 2U);
  site.check_reload();
}

TEST_F(Telemetry, AcknowledgedOnlyWithItsBitmap) {
  make(1);
  site.pass(300ms);
  std::vector<engine::AckMessage> acks;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) acks.push_back(ack->ack);
  };
  (void)site.window("d0", 10);  // lost on the way
  site.report("d0", site.window("d0", 10));
  site.pass(500ms);
  ASSERT_FALSE(acks.empty());
  ASSERT_EQ(acks.back().streams.size(), 1U);
  EXPECT_EQ(acks.back().streams[0].cumulative, 0U);
  EXPECT_EQ(acks.back().streams[0].bitmap, 0b10U);
}

TEST_F(Telemetry, AGapIsAMeasuredLossAndNeverAWedge) {
  make(1);
  site.report("d0", site.window("d0", 10));
  (void)site.window("d0", 10);
  (void)site.window("d0", 10);
  engine::ReportMessage later = site.window("d0", 10);
  later.base_sequence = later.sequence;  // the device holds nothing older
  site.report("d0", later);
  const engine::Totals totals = engine::count_inferences(site.state(), kBearing);
  EXPECT_EQ(totals.inferences, 20U);
  EXPECT_EQ(totals.windows_lost, 2U);
}

TEST_F(Telemetry, WhatCannotBeTrueIsQuarantinedAndAcknowledged) {
  make(1);
  engine::ReportMessage wrong = site.window("d0", 100);
  wrong.counts.classes = {100, 100};
  site.report("d0", wrong);
  EXPECT_EQ(counted(), 0U);
  EXPECT_EQ(site.drops(Drop::kReportQuarantined), 1U);
  EXPECT_EQ(engine::count_inferences(site.state(), kBearing).quarantined, 1U);
  EXPECT_TRUE(site.state().telemetry.windows.empty());
  site.report("d0", site.window("d0", 7));
  EXPECT_EQ(counted(), 7U) << "the stream goes on";
  engine::ReportMessage zero = site.window("d0", 1);
  zero.sequence = 0;
  site.report("d0", zero);
  EXPECT_EQ(site.drops(Drop::kReportInvalid), 1U);
}

TEST_F(Telemetry, LeavesWithoutATreeAndImpossibleEnergyAreQuarantined) {
  make(1);
  engine::ReportMessage leaves = site.window("d0", 10);
  leaves.counts.joint = {4, 6};
  site.report("d0", leaves);
  engine::ReportMessage energy = site.window("d0", 10);
  energy.counts.energy = {11};
  energy.counts.energy_sum_uj = 50;
  site.report("d0", energy);
  EXPECT_EQ(site.drops(Drop::kReportQuarantined), 2U);
  EXPECT_EQ(counted(), 0U);
  engine::ReportMessage good = site.window("d0", 10);
  good.counts.energy = {9};
  good.counts.energy_sum_uj = 50;
  good.counts.health.heap_free_min_bytes = 700;
  site.report("d0", good);
  EXPECT_EQ(counted(), 10U);
  ASSERT_EQ(site.state().telemetry.windows.size(), 1U);
  const monitoring::WindowCounts& merged =
      site.state().telemetry.windows.begin()->second.devices.begin()->second;
  EXPECT_EQ(merged.energy_sum_uj, 50U);
  EXPECT_EQ(merged.health.heap_free_min_bytes, 700U);
}

TEST_F(Telemetry, EnergyAndHealthOfADeviceAreInItsTotals) {
  make(2);
  engine::ReportMessage first = site.window("d0", 10);
  first.counts.energy = {4, 5};
  first.counts.energy_sum_uj = 300;
  first.counts.health.heap_free_min_bytes = 700;
  first.counts.health.arena_used_max_bytes = 2'000;
  first.counts.health.drops = 2;
  first.counts.health.watchdog_resets = 1;
  engine::ReportMessage second = site.window("d0", 10);
  second.counts.energy = {1};
  second.counts.energy_sum_uj = 7;
  second.counts.health.heap_free_min_bytes = 900;
  second.counts.health.arena_used_max_bytes = 1'500;
  second.counts.health.stack_used_max_bytes = 400;
  second.counts.health.rejects = 3;
  second.counts.health.saturated = 4;
  engine::ReportMessage wrong = site.window("d0", 10);
  wrong.counts.classes = {10, 10};
  wrong.counts.health.heap_free_min_bytes = 1;
  site.report("d0", first);
  site.report("d0", first);
  site.report("d0", second);
  site.report("d0", wrong);
  site.report("d1", site.window("d1", 5));
  const monitoring::Health expected{.rejects = 3,
                                    .drops = 2,
                                    .saturated = 4,
                                    .watchdog_resets = 1,
                                    .heap_free_min_bytes = 700,
                                    .arena_used_max_bytes = 2'000,
                                    .stack_used_max_bytes = 400};
  const ReleaseId release{kBearing, {1, 0, 0}};
  const auto of_d0 = engine::count_inferences(site.state(), DeviceId("d0"));
  ASSERT_EQ(of_d0.size(), 1U);
  EXPECT_EQ(of_d0.at(release).health, expected);
  EXPECT_EQ(of_d0.at(release).inferences, 20U);
  EXPECT_EQ(of_d0.at(release).energy_inferences, 10U);
  EXPECT_EQ(of_d0.at(release).energy_sum_uj, 307U);
  EXPECT_EQ(engine::count_inferences(site.state(), DeviceId("d1")).at(release).health,
            monitoring::Health{});
  EXPECT_EQ(engine::count_inferences(site.state(), kBearing)
                .cohorts.at({"bearing@1.0.0", "fleet"})
                .health,
            expected);
  site.check_reload();
  site.restart();
  EXPECT_EQ(engine::count_inferences(site.state(), DeviceId("d0")), of_d0);
}

TEST_F(Telemetry, AnUnknownManifestIsKeptApartAndDoesNotWedgeTheDevice) {
  make(1);
  engine::ReportMessage unknown = site.window("d0", 10);
  unknown.manifest = {9, 9, 9, 9, 9, 9, 9, 9};
  site.report("d0", unknown);
  EXPECT_EQ(site.drops(Drop::kUnknownManifest), 1U);
  EXPECT_EQ(counted(), 0U);
  site.pass(500ms);
}

TEST_F(Telemetry, CohortsAreThoseOfTheRolloutThatIsOn) {
  make(4);
  PlanDocument plan = simple_plan("r", "1.1.0");
  plan.stages = {stage("canary", "1"), stage("all", "100%")};
  plan.stages[0].soak = "1h";
  ASSERT_TRUE(site.roll_out(plan).ok());
  site.pass(500ms);
  site.obey_all();
  const std::string canary = site.rollout("r").plan->order[0].str();
  const std::string control = site.rollout("r").plan->order[1].str();
  site.reboot(canary);
  site.hello(canary);
  site.report(canary, site.window(canary, 10));
  site.report(control, site.window(control, 20));
  const auto cohorts = engine::count_inferences(site.state(), kBearing).cohorts;
  EXPECT_EQ(cohorts.at({"bearing@1.1.0", "r/canary"}).inferences, 10U);
  EXPECT_EQ(cohorts.at({"bearing@1.0.0", "r/control"}).inferences, 20U);
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("r"), true, ""}).ok());
  site.report(control, site.window(control, 5));
  EXPECT_EQ(engine::count_inferences(site.state(), kBearing)
                .cohorts.at({"bearing@1.0.0", "fleet"})
                .inferences,
            5U);
}

TEST_F(Telemetry, WindowsCloseAndLateCountsReviseThem) {
  make(3);
  for (const char* id : {"d0", "d1", "d2"}) site.report(id, site.window(id, 100));
  for (int i = 0; i < 9; ++i) {
    site.pass(10s);
    for (const char* id : {"d0", "d1", "d2"}) site.status(id);
  }
  const auto view =
      engine::view_drift(site.state(), site.engine().config(), kBearing, std::nullopt, "", 1);
  ASSERT_TRUE(view.ok()) << view.error().message;
  EXPECT_EQ(view->inferences, 300U);
  EXPECT_EQ(view->devices, 3U);
  engine::ReportMessage late = site.window("d0", 40);
  late.t1_ms -= 90'000;
  late.t0_ms -= 90'000;
  site.report("d0", late);
  site.pass(1s);
  EXPECT_EQ(site.state().counters.windows_late, 1U);
  EXPECT_EQ(engine::view_drift(site.state(), site.engine().config(), kBearing, std::nullopt, "", 1)
                ->inferences,
            340U);
  site.check_reload();
}

// What an operator needs: the input that moved, and the devices to walk to.
TEST_F(Telemetry, ADriftAlertNamesTheFeatureAndTheDevices) {
  make(12);
  std::vector<std::string> told;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* report = std::get_if<engine::LogLine>(&effect)) {
      if (report->event == "alert") told.push_back(report->subject + " " + report->text);
    }
  };
  for (int minute = 0; minute < 5; ++minute) {
    for (int i = 0; i < 12; ++i) {
      const std::string id = "d" + std::to_string(i);
      const bool broken = minute >= 1 && (i == 3 || i == 8);
      site.report(id, site.window(id, 400, broken ? 3 : -1));
    }
    for (int i = 0; i < 6; ++i) {
      site.pass(10s, 500ms);
      for (int d = 0; d < 12; ++d) site.status("d" + std::to_string(d));
    }
  }
  site.pass(30s, 500ms);
  const monitoring::Alert* firing = nullptr;
  for (const auto& [key, track] : site.state().telemetry.alerts) {
    if (track.newest && track.newest->state == monitoring::AlertState::kFiring) {
      EXPECT_EQ(firing, nullptr) << "more than one alert: " << key.subject;
      firing = &*track.newest;
    }
  }
  ASSERT_NE(firing, nullptr);
  EXPECT_EQ(firing->key.kind, monitoring::AlertKind::kFeatureDrift);
  EXPECT_EQ(firing->key.subject, "rms");
  EXPECT_EQ(monitoring::devices_of(*firing), (std::vector{DeviceId("d3"), DeviceId("d8")}));
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told.back().find("d3, d8"), std::string::npos) << told.back();
  const std::string id = monitoring::alert_id(firing->key, firing->episode);
  EXPECT_TRUE(site.command(engine::AcknowledgeAlert{id}).ok());
  EXPECT_EQ(site.command(engine::AcknowledgeAlert{id}).error().reason, "ALREADY_ACKNOWLEDGED");
  // While one device still runs the release, what was said of it stands.
  site.push({1, 9, 0});
  for (int d = 0; d < 11; ++d) site.run("d" + std::to_string(d), {1, 9, 0});
  site.pass(11s, 500ms);
  EXPECT_EQ(firing->state, monitoring::AlertState::kFiring);
  site.run("d11", {1, 9, 0});
  site.pass(11s, 500ms);
  EXPECT_EQ(firing->state, monitoring::AlertState::kResolved);
  EXPECT_NE(firing->explanation.find("no device runs bearing@"), std::string::npos)
      << firing->explanation;
  EXPECT_EQ(engine::view_site(site.state()).alerts_firing, 0U);
  site.check_reload();
}

// The sensor of one device is gone: there is no histogram to compare, and it must be told.
TEST_F(Telemetry, AFeatureThatVanishesIsAnAlertThatNamesItsDevice) {
  make(2);
  for (int minute = 0; minute < 5; ++minute) {
    for (const std::string id : {"d0", "d1"}) {
      engine::ReportMessage report = site.window(id, 400);
      if (id == "d1") {
        report.counts.features[0] = {};
        report.counts.features[0].bins.assign(4, 0);
        report.counts.features[0].missing = 400;
      }
      site.report(id, report);
    }
    for (int i = 0; i < 6; ++i) {
      site.pass(10s, 500ms);
      for (const char* id : {"d0", "d1"}) site.status(id);
    }
  }
  site.pass(30s, 500ms);
  const auto& alerts = site.state().telemetry.alerts;
  const auto alert =
      alerts.find({"bearing", monitoring::AlertKind::kFeatureDrift, "rms", "bearing@1.0.0"});
  ASSERT_NE(alert, alerts.end());
  ASSERT_TRUE(alert->second.newest.has_value());
  EXPECT_EQ(alert->second.newest->state, monitoring::AlertState::kFiring);
  EXPECT_EQ(monitoring::devices_of(*alert->second.newest), (std::vector{DeviceId("d1")}));
  EXPECT_NE(alert->second.newest->explanation.find("values are missing in 400 of 800"),
            std::string::npos)
      << alert->second.newest->explanation;
  const auto view =
      engine::view_drift(site.state(), site.engine().config(), kBearing, std::nullopt, "", 1);
  ASSERT_TRUE(view.ok());
  EXPECT_FALSE(view->histograms[0].verdict.compared) << "two devices are too few for a PSI";
  site.check_reload();
}

TEST_F(Telemetry, AFleetThatIsAsItWasRaisesNothing) {
  make(12);
  for (int minute = 0; minute < 4; ++minute) {
    for (int i = 0; i < 12; ++i) {
      const std::string id = "d" + std::to_string(i);
      site.report(id, site.window(id, 400));
    }
    for (int i = 0; i < 6; ++i) {
      site.pass(10s, 500ms);
      for (int d = 0; d < 12; ++d) site.status("d" + std::to_string(d));
    }
  }
  for (const auto& [key, track] : site.state().telemetry.alerts) {
    EXPECT_FALSE(track.newest.has_value()) << monitoring::to_string(key.kind) << " " << key.subject;
  }
}

TEST_F(Telemetry, OldBootsAreForgottenNotTheNewest) {
  make(1);
  for (int boot = 0; boot < 12; ++boot) {
    site.reboot("d0");
    site.hello("d0");
    site.report("d0", site.window("d0", 10));
  }
  EXPECT_EQ(site.state().telemetry.streams.size(), kBootsPerDeviceMax + 4)
      << "of the forgotten ones the number stays";
  EXPECT_EQ(counted(), 120U);
  site.report("d0", site.window("d0", 10));
  EXPECT_EQ(counted(), 130U);
  site.check_reload();
}

}  // namespace
}  // namespace covey::test
