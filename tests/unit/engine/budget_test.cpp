// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "gateway/engine/fleet/budget.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

using engine::Drop;
using engine::Spend;

engine::EngineConfig strict_config() {
  engine::EngineConfig config = quick_config();
  config.allowances = engine::allowances_of(6, 4096, 1min);
  return config;
}

class Budget : public FleetTest {
 protected:
  Budget() { site.restart(strict_config()); }
  void flood(const std::string& id, int reports) {
    for (int i = 0; i < reports; ++i) site.report(id, site.window(id, 10));
  }
  const monitoring::Alert* alert(const std::string& id) const {
    const auto& alerts = site.state().telemetry.alerts;
    const auto found = alerts.find({"", monitoring::AlertKind::kOverBudget, id, ""});
    return found == alerts.end() || !found->second.newest ? nullptr : &*found->second.newest;
  }
  const engine::Refusals* refusals(const std::string& id) const {
    const engine::FleetState& fleet = site.state().fleet;
    return fleet.budgets.refusals_of(*fleet.number_of(DeviceId(id)));
  }
};

TEST_F(Budget, AFloodIsRefusedAndNobodyElsePays) {
  make(2);
  flood("d0", 500);
  flood("d1", 5);
  EXPECT_EQ(site.store().reports().size(), 48U + 5U) << "8 minutes' worth, then none";
  EXPECT_EQ(site.drops(Drop::kOverBudget), 452U);
  ASSERT_NE(refusals("d0"), nullptr);
  EXPECT_EQ(refusals("d0")->refused[static_cast<size_t>(Spend::kReports)], 452U);
  EXPECT_EQ(refusals("d1"), nullptr);
  site.pass(10s);
  flood("d0", 5);
  EXPECT_EQ(site.store().reports().size(), 54U) << "six a minute: one in ten seconds";
}

TEST_F(Budget, WhatIsOverItIsNeverAcknowledged) {
  make(1);
  flood("d0", 48);
  site.pass(2s);
  uint32_t acknowledged = 0;
  site.on_said = [&](const engine::Effect& effect) {
    if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) {
      for (const auto& stream : ack->ack.streams) {
        acknowledged = std::max(acknowledged, stream.cumulative);
      }
    }
  };
  const engine::ReportMessage over = site.window("d0", 10);
  site.report("d0", over);
  site.status("d0");
  site.pass(2s);
  EXPECT_EQ(acknowledged, 48U);
  site.pass(10s);
  site.report("d0", over);
  site.pass(2s);
  EXPECT_EQ(acknowledged, 49U) << "the device repeats it, and then it counts";
}

TEST_F(Budget, TheWorstIsAnAlertThatEndsWhenItIsQuiet) {
  make(2);
  flood("d0", 200);
  flood("d1", 50);  // two over
  site.pass(11s);
  ASSERT_NE(alert("d0"), nullptr);
  EXPECT_EQ(alert("d0")->state, monitoring::AlertState::kFiring);
  EXPECT_NE(alert("d0")->explanation.find("budget of reports"), std::string::npos);
  EXPECT_EQ(alert("d1"), nullptr) << "a little too much is no alert";
  for (int i = 0; i < 20; ++i) {
    flood("d0", 200);
    site.pass(11s);
  }
  EXPECT_EQ(alert("d0")->episode, 1U);
  site.pass(15min, 1s);
  EXPECT_EQ(alert("d0")->state, monitoring::AlertState::kResolved);
  site.check_reload();
}

TEST_F(Budget, OnlyTheWorstTenAreAlerts) {
  make(30);
  for (int i = 0; i < 30; ++i) flood("d" + std::to_string(i), 100 + i);
  site.pass(11s);
  EXPECT_EQ(engine::view_site(site.state()).alerts_firing, kOverBudgetAlertsMax);
  EXPECT_NE(alert("d29"), nullptr);
  EXPECT_EQ(alert("d0"), nullptr);
}

TEST_F(Budget, AnAlertOfBeforeARestartEndsToo) {
  make(1);
  flood("d0", 200);
  site.pass(11s);
  ASSERT_NE(alert("d0"), nullptr);
  site.restart(strict_config());
  site.pass(11s);
  EXPECT_EQ(alert("d0")->state, monitoring::AlertState::kResolved);
}

TEST(Allowance, IsWholeAgainAfterAsLongAsItWasSpent) {
  const engine::Allowance six{6, 1min, 12};
  engine::Paid paid{};
  const Millis start = 1h;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(engine::affords(paid, Spend::kReports, 1, six, start)) << i;
    engine::pay(paid, Spend::kReports, 1, six, start);
  }
  EXPECT_FALSE(engine::affords(paid, Spend::kReports, 1, six, start + 9s));
  EXPECT_TRUE(engine::affords(paid, Spend::kReports, 1, six, start + 10s));
  EXPECT_TRUE(engine::affords(paid, Spend::kReports, 12, six, start + 2min));
  EXPECT_FALSE(engine::affords(paid, Spend::kReports, 13, six, start + 24h)) << "never at once";
  EXPECT_TRUE(engine::affords(paid, Spend::kReportBytes, 12, six, start)) << "each kind its own";
}

TEST(Allowance, GrowsWithHowOftenDevicesReport) {
  EXPECT_EQ(engine::allowances_of(120, 65'536, 1s)[0].per, 1s);
  EXPECT_EQ(engine::allowances_of(120, 65'536, 15min)[0].per, 1min);
  EXPECT_EQ(engine::limit_of(Spend::kReports, engine::allowances_of(120, 65'536, 1min)[0]),
            "at most 120 reports in 1m, 960 at once after a silence: limits.device_reports raises "
            "it");
}

}  // namespace
}  // namespace covey::test
