// SPDX-License-Identifier: Apache-2.0
// Devices keep over a reboot what was not acknowledged, and then say it as it was: with the boot id
// of the earlier boot, after the hello of the one that runs.
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

using engine::Drop;
const ModelName kRestarted("bearing");

class EarlierBoot : public testing::Test {
 protected:
  EarlierBoot() {
    site.push({1, 0, 0});
    site.join("d");
    site.run("d", {1, 0, 0});
    site.pass(1s);
    site.on_said = [this](const engine::Effect& effect) {
      if (const auto* ack = std::get_if<engine::PublishAck>(&effect)) acks.push_back(ack->ack);
    };
  }
  uint64_t boot() { return site.device("d").boot_id; }
  uint64_t counted() const { return engine::count_inferences(site.state(), kRestarted).inferences; }
  void reboot() {
    site.reboot("d");
    site.hello("d");
    site.pass(1s);
    acks.clear();
  }
  size_t acks_of(uint64_t boot_id) const {
    return static_cast<size_t>(std::count_if(
        acks.begin(), acks.end(), [&](const auto& ack) { return ack.boot_id == boot_id; }));
  }
  // What the last acknowledgement of a boot says of a stream; nullptr: nothing.
  const engine::StreamAckMessage* said(uint64_t boot_id, const engine::Prefix& manifest) const {
    const auto last = std::find_if(acks.rbegin(), acks.rend(),
                                   [&](const auto& ack) { return ack.boot_id == boot_id; });
    if (last == acks.rend()) return nullptr;
    const auto stream = std::find_if(last->streams.begin(), last->streams.end(),
                                     [&](const auto& entry) { return entry.manifest == manifest; });
    return stream == last->streams.end() ? nullptr : &*stream;
  }
  void expect_acknowledged(const engine::ReportMessage& report) {
    site.report("d", report);
    site.pass(1s);
    const engine::StreamAckMessage* stream = said(report.boot_id, report.manifest);
    ASSERT_NE(stream, nullptr);
    const bool covered = report.sequence <= stream->cumulative ||
                         (stream->bitmap >> (report.sequence - stream->cumulative - 1) & 1) != 0;
    EXPECT_TRUE(covered) << "window " << report.sequence;
    for (const engine::DeviceTelemetry& device : site.state().telemetry.devices) {
      for (const engine::StreamUse& use : device.streams) EXPECT_FALSE(use.heard);
    }
    acks.clear();
  }
  Site site;
  std::vector<engine::AckMessage> acks;
};

TEST_F(EarlierBoot, ItsReportsAreAcknowledgedApartFromThoseOfThisOne) {
  site.status("d");
  const auto first = site.window("d", 10);
  const auto second = site.window("d", 20);
  const uint64_t earlier = boot();
  reboot();
  site.status("d");
  site.report("d", second);
  site.report("d", first);
  site.report("d", site.window("d", 5));
  site.pass(1s);
  EXPECT_EQ(counted(), 35U);
  ASSERT_NE(said(earlier, first.manifest), nullptr);
  EXPECT_EQ(said(earlier, first.manifest)->cumulative, 2U);
  ASSERT_NE(said(boot(), first.manifest), nullptr);
  EXPECT_EQ(said(boot(), first.manifest)->cumulative, 1U);
  for (const engine::AckMessage& ack : acks) {
    EXPECT_EQ(ack.status_number, ack.boot_id == boot() ? 1U : 0U);
    EXPECT_GT(ack.credit, 0U);
  }
  site.check_reload();
}

TEST_F(EarlierBoot, IsAcknowledgedOncePerIntervalAndOnlyWhenItWasHeard) {
  std::vector<engine::ReportMessage> stored;
  for (int i = 0; i < 5; ++i) stored.push_back(site.window("d", 10));
  const uint64_t earlier = boot();
  reboot();
  for (const auto& report : stored) site.report("d", report);
  EXPECT_EQ(acks_of(earlier), 1U) << "half of the credit at once, the rest wait";
  site.pass(site.engine().config().ack_interval);
  EXPECT_EQ(acks_of(earlier), 2U);
  site.report("d", site.window("d", 5));
  site.pass(1s);
  EXPECT_EQ(acks_of(earlier), 2U);
}

TEST_F(EarlierBoot, WhatIsNotCountedIsAcknowledgedToo) {
  const auto good = site.window("d", 10);
  auto wrong = site.window("d", 10);
  wrong.counts.classes = {10, 10};
  auto unknown = site.window("d", 10);
  unknown.manifest = {9, 9, 9, 9, 9, 9, 9, 9};
  reboot();
  expect_acknowledged(good);
  expect_acknowledged(good);
  EXPECT_EQ(site.drops(Drop::kReportDuplicate), 1U);
  expect_acknowledged(wrong);
  expect_acknowledged(wrong);
  EXPECT_EQ(site.drops(Drop::kReportQuarantined), 1U);
  expect_acknowledged(unknown);
  EXPECT_EQ(site.drops(Drop::kUnknownManifest), 1U);
  EXPECT_EQ(counted(), 10U);
  site.check_reload();
}

TEST_F(EarlierBoot, TooOldIsAcknowledged) {
  // More gaps than a mark remembers: whether the first window was lost can't be told any more.
  const auto first = site.window("d", 1);
  std::vector<engine::ReportMessage> later;
  for (size_t i = 0; i < 2 * monitoring::kGapsMax + 4; ++i) later.push_back(site.window("d", 1));
  reboot();
  for (size_t i = 0; i < later.size(); i += 2) {
    later[i].base_sequence = later[i].sequence;
    site.report("d", later[i]);
  }
  site.pass(1s);
  const uint64_t before = counted();
  expect_acknowledged(first);
  EXPECT_EQ(counted(), before);
  EXPECT_EQ(site.drops(Drop::kReportDuplicate), 1U);
  EXPECT_EQ(engine::count_inferences(site.state(), kRestarted).duplicates, 0U) << "not told apart";
}

TEST_F(EarlierBoot, ImplausibleIsDroppedWithoutAWord) {
  auto zero = site.window("d", 10);
  zero.sequence = 0;
  reboot();
  site.report("d", zero);
  site.pass(1s);
  EXPECT_EQ(site.drops(Drop::kReportInvalid), 1U);
  EXPECT_EQ(acks_of(zero.boot_id), 0U);
  EXPECT_FALSE(acks.empty()) << "the boot that runs";
}

TEST_F(EarlierBoot, ARestartOfTheGatewayForgetsNeitherMarksNorAcknowledgements) {
  const auto first = site.window("d", 10);
  const auto second = site.window("d", 10);
  reboot();
  expect_acknowledged(first);
  site.restart();
  site.pass(1s);
  acks.clear();
  expect_acknowledged(first);  // no hello since: its acknowledgement was lost
  expect_acknowledged(second);
  EXPECT_EQ(counted(), 20U);
  site.check_reload();
}

TEST_F(EarlierBoot, MoreStreamsThanOneMessageHoldsAreAllAcknowledged) {
  std::vector<engine::ReportMessage> stored;
  for (uint8_t i = 0; i < 15; ++i) {
    stored.push_back(site.window("d", 1));
    stored.back().manifest = {9, 9, 9, 9, 9, 9, 9, i};
    stored.back().sequence = 1;
  }
  const uint64_t earlier = boot();
  reboot();
  for (const auto& report : stored) site.report("d", report);
  site.pass(1s);
  std::set<engine::Prefix> told;
  for (const engine::AckMessage& ack : acks) {
    EXPECT_LE(ack.streams.size(), 6U);
    EXPECT_EQ(ack.reports_only, ack.boot_id == earlier);
    if (ack.boot_id != earlier) continue;
    for (const auto& stream : ack.streams) told.insert(stream.manifest);
  }
  EXPECT_EQ(told.size(), stored.size());
  // An old one alone, not among the newest.
  expect_acknowledged(stored.front());
}

TEST_F(EarlierBoot, ABootThatInventsManifestsIsRefused) {
  for (size_t i = 0; i < kStreamsPerBootMax + 50; ++i) {
    engine::ReportMessage report = site.window("d", 1);
    report.manifest = {9, 9, 9, 9, 9, 9, static_cast<uint8_t>(i / 256), static_cast<uint8_t>(i)};
    report.sequence = report.base_sequence = 1;
    site.report("d", report);
  }
  EXPECT_EQ(site.state().telemetry.streams.size(), kStreamsPerBootMax);
  EXPECT_EQ(site.drops(Drop::kReportInvalid), 50U);
  site.check_reload();
}

TEST_F(EarlierBoot, ManyOfThemDoNotPushOutTheOneThatRuns) {
  std::vector<engine::ReportMessage> stored;
  for (size_t i = 0; i < 2 * kBootsPerDeviceMax; ++i) {
    stored.push_back(site.window("d", 10));
    reboot();
  }
  const auto running = site.window("d", 10);
  site.report("d", running);
  for (const auto& report : stored) {
    expect_acknowledged(report);
    EXPECT_LE(site.state().telemetry.streams.size(), kBootsPerDeviceMax + kForgottenBootsMax);
  }
  const uint64_t before = counted();
  site.report("d", running);
  EXPECT_EQ(counted(), before);
  site.check_reload();
}

// Where in time reports of earlier boots belong. Uptime begins anew with each boot.
class EarlierBootTime : public EarlierBoot {
 protected:
  EarlierBootTime() { site.pass(10min, 1s); }
  void boot_now() {
    site.reboot("d");
    engine::HelloMessage hello = site.hello_of("d");
    hello.uptime_ms = 100;
    site.send("d", hello);
  }
  int64_t index_now() const { return site.now().wall / site.engine().config().window; }
  const engine::Session& session() const { return *site.state().fleet.session_of(DeviceId("d")); }
  // Of the inferences that are in windows: per index.
  std::map<int64_t, uint64_t> windows() const {
    std::map<int64_t, uint64_t> counts;
    for (const auto& [id, window] : site.state().telemetry.windows) {
      for (const auto& [key, sums] : window.devices) counts[id.second] += sums.inferences;
    }
    return counts;
  }
  int64_t index_of_sample(const engine::ReportMessage& report) const {
    const engine::InferenceKey key{DeviceId("d"), report.boot_id, report.samples.at(0).inference};
    return site.state().telemetry.recent.samples.at(key).at / site.engine().config().window;
  }
};

TEST_F(EarlierBootTime, OfTheBootBeforeIsPlacedByItsOwnUptime) {
  const auto report = site.window("d", 10, -1, 1);
  const int64_t made = index_now();
  const Millis end = site.now().wall;
  site.pass(2min, 1s);
  boot_now();
  site.report("d", report);
  EXPECT_EQ(windows(), (std::map<int64_t, uint64_t>{{made, 10}}));
  EXPECT_EQ(index_of_sample(report), made);
  EXPECT_LE(session().reported_until, end);
  site.check_reload();
}

TEST_F(EarlierBootTime, OfABootThatWasNeverMetCountsInTotalsOnly) {
  const auto report = site.window("d", 10, -1, 1);
  site.reboot("d");  // and nobody hears of it
  const auto unheard = site.window("d", 7);
  site.pass(2min, 1s);
  boot_now();
  boot_now();
  for (const auto& stored : {report, unheard}) site.report("d", stored);
  EXPECT_EQ(counted(), 17U);
  EXPECT_TRUE(windows().empty());
  EXPECT_EQ(session().reported_until, Millis{0});
  EXPECT_EQ(site.state().counters.windows_late, 2U);
  EXPECT_EQ(index_of_sample(report), index_now()) << "not later than now";
  site.check_reload();
}

TEST_F(EarlierBootTime, AStartOfTheGatewayForgetsWhereBootsLie) {
  const auto first = site.window("d", 10);
  const auto second = site.window("d", 20);
  site.pass(2min, 1s);
  site.reboot("d");
  site.restart();
  // No hello since: as if it came just in time.
  site.report("d", first);
  EXPECT_EQ(windows(), (std::map<int64_t, uint64_t>{{index_now(), 10}}));
  const Millis until = session().reported_until;
  site.pass(1s);
  site.hello("d");
  site.report("d", second);
  EXPECT_EQ(counted(), 30U);
  EXPECT_EQ(windows(), (std::map<int64_t, uint64_t>{{index_now(), 10}}));
  EXPECT_EQ(session().reported_until, until);
  site.check_reload();
}

TEST_F(EarlierBootTime, AHelloThatComesAgainKeepsBothBootsInPlace) {
  const auto report = site.window("d", 10);
  const int64_t made = index_now();
  engine::HelloMessage late = site.hello_of("d");
  site.pass(2min, 1s);
  boot_now();
  const auto newer = site.window("d", 20);
  site.send("d", late);  // two minutes on its way: no reason to move its boot
  site.hello("d");
  site.report("d", report);
  EXPECT_EQ(windows(), (std::map<int64_t, uint64_t>{{made, 10}}));
  EXPECT_EQ(session().offset->boot_id, newer.boot_id);
  EXPECT_EQ(session().offset_before->boot_id, report.boot_id);
}

TEST_F(EarlierBootTime, AStepOfTheWallClockForgetsBoth) {
  const auto report = site.window("d", 10);
  boot_now();
  site.step_wall(1h);
  site.pass(1s);
  EXPECT_FALSE(session().offset || session().offset_before);
  site.status("d");
  site.report("d", report);
  EXPECT_EQ(counted(), 10U);
  EXPECT_TRUE(windows().empty());
}

}  // namespace
}  // namespace covey::test
