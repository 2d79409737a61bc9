// SPDX-License-Identifier: Apache-2.0
// What a report costs: one row, and a share of an acknowledgement. The rows that sum reports up
// follow, and a start replays what they lack.
#include <gtest/gtest.h>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

class Settling : public testing::Test {
 protected:
  Settling() { begin(); }
  void begin() {
    site.push({1, 0, 0});
    site.join_many("d", 3);
    for (const std::string& id : ids) site.run(id, {1, 0, 0});
    for (const std::string& id : ids) site.report(id, site.window(id, 5));
    site.pass(15s);
    site.on_said = [this](const engine::Effect& effect) {
      if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) ++acks[ack->device.str()];
    };
  }
  Snapshot stored() { return *site.store().load({}); }
  // By the rows alone.
  uint64_t rows_count() {
    uint64_t inferences = 0;
    const Snapshot rows = stored();
    for (const TotalRecord& total : rows.totals) inferences += total.inferences;
    return inferences;
  }
  uint64_t counted() const {
    return engine::count_inferences(site.state(), ModelName("bearing")).inferences;
  }
  const std::vector<std::string> ids{"d0", "d1", "d2"};
  Site site;
  std::map<std::string, int> acks;
};

TEST_F(Settling, AReportIsOneRowAndItsSumsFollow) {
  EXPECT_EQ(rows_count(), 15U);
  const size_t logged = site.store().reports().size();
  for (int i = 0; i < 4; ++i) {
    site.report("d0", site.window("d0", 10));
    site.pass(1s);
  }
  EXPECT_EQ(site.store().reports().size(), logged + 4);
  EXPECT_EQ(counted(), 55U);
  EXPECT_EQ(rows_count(), 15U) << "written at each report";
  site.pass(15s);
  EXPECT_EQ(rows_count(), 55U);
  site.check_reload();
}

TEST_F(Settling, ACrashLosesAndRepeatsNothing) {
  std::vector<engine::ReportMessage> said;
  for (const std::string& id : ids) {
    for (int i = 0; i < 3; ++i) {
      said.push_back(site.window(id, 10, i == 0 ? 1 : -1, 2));
      site.report(id, said.back());
    }
    site.pass(4s);  // so that some are settled, and some not
  }
  auto wrong = site.window("d1", 10);
  wrong.counts.classes = {10, 10};
  site.report("d1", wrong);
  site.check_reload();
  site.restart();
  site.check_reload();
  EXPECT_EQ(counted(), 105U);
  for (size_t i = 0; i < said.size(); ++i) site.report(ids[i / 3], said[i]);
  EXPECT_EQ(counted(), 105U) << "counted again after a replay";
  site.pass(30s);
  site.restart();
  EXPECT_EQ(counted(), 105U);
  site.check_reload();
}

TEST_F(Settling, AWindowThatClosedMeanwhileIsWhole) {
  for (const std::string& id : ids) site.report(id, site.window(id, 10));
  site.restart();
  site.pass(2min);  // two windows' time
  uint64_t of_windows = 0;
  const Snapshot rows = stored();
  for (const WindowRecord& window : rows.windows) {
    if (window.device.empty()) of_windows += window.counts.inferences;
  }
  EXPECT_EQ(of_windows, counted());
  site.check_reload();
}

TEST_F(Settling, ALongTimeWithoutPowerLeavesNoPartOfAWindow) {
  for (const std::string& id : ids) site.report(id, site.window(id, 10));
  site.power_off(24h);
  site.pass(2min);
  uint64_t of_devices = 0;
  const Snapshot rows = stored();
  for (const WindowRecord& window : rows.windows) {
    if (!window.device.empty()) of_devices += window.counts.inferences;
  }
  EXPECT_EQ(of_devices, counted());
}

TEST_F(Settling, WindowsOfAnotherLengthTakeWhatWasNotSettled) {
  for (const std::string& id : ids) site.report(id, site.window(id, 10));
  engine::EngineConfig config = quick_config();
  config.window = 90s;
  site.restart(config);
  EXPECT_EQ(counted(), 45U);
  site.check_reload();
}

TEST_F(Settling, ForgottenBootsStayForgotten) {
  const auto first = site.window("d0", 10);
  site.report("d0", first);
  for (size_t i = 0; i < kBootsPerDeviceMax; ++i) {
    site.reboot("d0");
    site.hello("d0");
    site.report("d0", site.window("d0", 1));
  }
  const uint64_t before = counted();
  site.check_reload();
  site.restart();
  EXPECT_EQ(counted(), before);
}

TEST_F(Settling, AnAcknowledgementWaitsForCompany) {
  site.report("d0", site.window("d0", 10));
  EXPECT_EQ(acks["d0"], 0);
  site.pass(site.engine().config().ack_interval);
  EXPECT_EQ(acks["d0"], 1) << "not for ever";
  site.pass(1s);
  acks.clear();
  for (int i = 0; i < 10; ++i) {
    site.report("d0", site.window("d0", 10));
    site.pass(100ms);
  }
  EXPECT_EQ(acks["d0"], 5) << "one for half of the credit";
}

TEST_F(Settling, HalfOfTheCreditIsNotWaitedFor) {
  const uint32_t half = site.engine().config().report_credit / 2;
  for (uint32_t i = 1; i < half; ++i) site.report("d1", site.window("d1", 10));
  EXPECT_EQ(acks["d1"], 0);
  site.report("d1", site.window("d1", 10));
  EXPECT_EQ(acks["d1"], 1);
  // A backlog: not one for every second of its reports.
  for (uint32_t i = 0; i < 10 * half; ++i) site.report("d1", site.window("d1", 10));
  EXPECT_EQ(acks["d1"], 1);
  site.pass(100ms, 10ms);
  EXPECT_EQ(acks["d1"], 2);
  site.hello("d1");
  EXPECT_EQ(acks["d1"], 3);
}

}  // namespace
}  // namespace covey::test
