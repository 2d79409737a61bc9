// SPDX-License-Identifier: Apache-2.0
// The outbox: what was counted and not acknowledged survives a reboot, and is counted once.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/agent/telemetry_fixture.hpp"

namespace covey::agent_test {
namespace {

DeviceOptions with_places(uint32_t places) {
  DeviceOptions options;
  options.outbox_places = places;
  return options;
}

class Outbox : public Telemetry {
 protected:
  Outbox() : Telemetry(with_places(2)) {}
  void count(int inferences) {
    for (int i = 0; i < inferences; ++i) ASSERT_TRUE(bench.device.infer());
  }
  void flush() { covey_agent_flush(&bench.device.agent, bench.device.now_ms); }
  size_t held() const {
    return static_cast<size_t>(std::count_if(bench.device.places.begin(), bench.device.places.end(),
                                             [](const auto& place) { return place.size != 0; }));
  }
  void expect_all_counted() const {
    EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
    EXPECT_EQ(held(), 0U);
  }
};

TEST_F(Outbox, WhatWasFlushedSurvivesAReset) {
  bench.cable = false;
  count(100);
  flush();
  EXPECT_EQ(held(), 1U);
  ASSERT_TRUE(bench.reboot(COVEY_START_SOFTWARE));
  EXPECT_FALSE(covey_agent_quiet(&bench.device.agent));
  bench.cable = true;
  count(7);
  drain();
  expect_all_counted();
  EXPECT_EQ(bench.gateway.changed_windows, 0);
  EXPECT_EQ(bench.gateway.streams.size(), 2U);  // two boots
}

TEST_F(Outbox, HealthyLinksWriteNothing) {
  bench.device.places[0].dead = bench.device.places[1].dead = true;  // whoever writes is counted
  bench.run(10 * 3'600'000, 30'000);
  EXPECT_EQ(bench.device.counters().outbox_errors, 0U);
}

TEST_F(Outbox, WhatWaitsIsKeptWithoutBeingToldAtMostEveryHour) {
  bench.run(3'600'000);
  bench.cable = false;
  count(100);
  bench.run(120'000);
  EXPECT_EQ(held(), 1U);
  const covey_host_store_t first = bench.device.places[0];
  const uint64_t kept = bench.device.inferred;
  count(10);
  bench.run(1'800'000);  // a cell grows, nothing is written
  EXPECT_EQ(held(), 1U);
  EXPECT_EQ(std::memcmp(first.bytes, bench.device.places[0].bytes, first.size), 0);
  bench.run(3'600'000);
  EXPECT_EQ(held(), 2U);  // the window that is in flight, and the cell behind it
  const uint64_t also_kept = bench.device.inferred;
  EXPECT_EQ(also_kept, kept + 10);
  count(5);  // since the last write: dies with the power
  ASSERT_TRUE(bench.reboot());
  bench.cable = true;
  bench.run(600'000);
  EXPECT_EQ(bench.gateway.inferences(), also_kept);
  EXPECT_EQ(held(), 0U);
}

TEST_F(Outbox, WhatCouldNotBeWrittenIsTriedAgain) {
  bench.cable = false;
  count(100);
  bench.device.places[0].dead = true;
  flush();
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(bench.device.counters().outbox_errors, 1U);
  bench.device.places[0].dead = false;
  flush();
  EXPECT_EQ(held(), 1U);
  ASSERT_TRUE(bench.reboot());
  bench.cable = true;
  drain();
  expect_all_counted();
}

// The gateway has a window, the device could not remove its record, which is older than that.
TEST_F(Outbox, ARecordThatOutlivedItsWindowCountsNothing) {
  bench.device.disconnect();
  count(100);
  flush();  // kept as a cell of 100
  count(11);
  bench.run(70'000);  // the cell grows
  bench.device.connect();
  bench.device.places[0].dead = true;  // can't be removed
  bench.run(100'000);                  // sent as a window of 111, acknowledged
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_GT(bench.device.counters().outbox_errors, 0U);
  bench.device.places[0].dead = false;
  EXPECT_EQ(held(), 1U);
  ASSERT_TRUE(bench.reboot());
  bench.run(100'000);
  expect_all_counted();
  EXPECT_EQ(bench.gateway.changed_windows, 1);  // that one
}

TEST_F(Outbox, TornRecordsAreNothing) {
  bench.cable = false;
  count(100);
  flush();
  const uint64_t before = bench.gateway.inferences();
  covey_host_store_t& place = bench.device.places[0];
  for (const size_t size : {size_t{1}, size_t{4}, size_t{5}, place.size / 2, place.size}) {
    covey_host_store_t torn = place;
    torn.size = size;
    torn.bytes[size / 2] ^= 0x10;
    std::swap(place, torn);
    ASSERT_TRUE(bench.reboot());
    EXPECT_TRUE(covey_agent_quiet(&bench.device.agent) || bench.gateway.inferences() == before);
    bench.cable = true;
    bench.run(100'000);
    bench.cable = false;
    EXPECT_EQ(bench.gateway.inferences(), before) << size;
    std::swap(place, torn);
  }
  // Another firmware's record, longer than what this one may send.
  covey_host_store_t whole = place;
  place.size = sizeof place.bytes;
  ASSERT_TRUE(bench.reboot());
  bench.cable = true;
  bench.run(100'000);
  EXPECT_EQ(bench.gateway.inferences(), before);
  place = whole;
  ASSERT_TRUE(bench.reboot());
  bench.run(100'000);
  EXPECT_EQ(bench.gateway.inferences(), before + 100);
}

TEST_F(Outbox, EachPlaceCoversOneRebootOfAnOutage) {
  bench.cable = false;
  for (int boot = 0; boot < 3; ++boot) {
    count(10);
    flush();
    ASSERT_TRUE(bench.reboot());
  }
  bench.cable = true;
  drain();
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred - 10);  // two places: the third boot
  EXPECT_EQ(held(), 0U);
  count(3);
  drain();
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred - 10);
}

TEST_F(Outbox, EarlierBootsGoFirstAndHoldNobodyUpForEver) {
  bench.cable = false;
  count(10);
  flush();
  ASSERT_TRUE(bench.reboot());
  bench.cable = true;
  bench.gateway.ack_reports = false;
  count(5);
  bench.run(120'000);
  const uint64_t boot_id = covey_agent_boot_id(&bench.device.agent);
  const auto this_boot = [&] {
    const auto at = bench.gateway.streams.find({boot_id, release.prefix()});
    return at == bench.gateway.streams.end() ? 0 : at->second.inferences;
  };
  EXPECT_EQ(this_boot(), 0U);
  bench.run(6 * 3'600'000);  // a gateway that will not have it
  EXPECT_EQ(this_boot(), 5U);
  EXPECT_EQ(held(), 2U);  // and what is not acknowledged either is kept by now
  bench.gateway.ack_reports = true;
  drain();
  expect_all_counted();
}

TEST_F(Outbox, ADeviceThatIsForgottenTakesNothingAlong) {
  bench.cable = false;
  count(10);
  flush();
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(held(), 1U);
  EXPECT_EQ(covey_agent_forget_identity(&bench.device.agent), 0);
  EXPECT_EQ(held(), 0U);
  EXPECT_TRUE(std::all_of(bench.device.places.begin(), bench.device.places.end(),
                          [](const auto& place) { return place.size == 0; }));
}

TEST_F(Outbox, AcknowledgementsOfOthersRemoveNothing) {
  bench.cable = false;
  count(10);
  const uint64_t boot_id = covey_agent_boot_id(&bench.device.agent);
  flush();
  ASSERT_TRUE(bench.reboot());
  const auto deliver = [&](uint64_t boot, const Bytes& manifest, uint32_t cumulative) {
    wire::Ack ack;
    ack.set_boot_id(boot);
    wire::StreamAck* stream = ack.add_streams();
    stream->set_manifest(manifest);
    stream->set_cumulative(cumulative);
    bench.device.deliver(bench.gateway.sealed("ack", ack.SerializeAsString()));
  };
  bench.run(1000);
  deliver(boot_id + 1, release.prefix(), 1000);
  deliver(boot_id, "another!", 1000);
  deliver(boot_id, release.prefix(), 0);
  deliver(covey_agent_boot_id(&bench.device.agent), release.prefix(), 1000);
  EXPECT_EQ(held(), 1U);
  deliver(boot_id, release.prefix(), 1000);
  EXPECT_EQ(held(), 0U);
}

// The gateway heard a report of this boot, and its hello got lost.
TEST_F(Outbox, AnAcknowledgementOfReportsIsNoAnswerToAHello) {
  ASSERT_TRUE(bench.reboot());
  bench.gateway.answer_hello = false;
  bench.run(1000);
  count(3);
  flush();
  bench.run(1000);
  EXPECT_EQ(covey_agent_unacknowledged(&bench.device.agent, 0), 0U);
  const uint64_t hellos = bench.gateway.hellos;
  bench.run(60'000);
  EXPECT_GT(bench.gateway.hellos, hellos);  // still asking
  bench.gateway.answer_hello = true;
  drain();
  expect_all_counted();
}

TEST(OutboxOfTwo, ModelsAndReleasesShareIt) {
  DeviceOptions options = with_places(4);
  Bench bench(options);
  bench.bring_up();
  const Release a = make_release({});
  const Release b = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(a));
  bench.gateway.ack_reports = false;
  bench.run(90'000, 500);
  ASSERT_TRUE(bench.deploy(b, 2));
  bench.run(10'000, 500);
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.gateway.streams.clear();  // whatever went out before got lost
  ASSERT_TRUE(bench.reboot(COVEY_START_SOFTWARE));
  bench.gateway.ack_reports = true;
  bench.run(200'000);
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  ASSERT_EQ(bench.gateway.streams.size(), 2U);  // two releases of one boot
}

// Outages, planned resets and lost messages in any order: nothing is lost or counted twice.
TEST(OutboxAtRandom, EveryInferenceIsCountedOnce) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
    Bench bench(with_places(8));
    bench.bring_up();
    const Release release = make_release({});
    ASSERT_TRUE(bench.deploy(release));
    const auto link = [&](bool cable) {  // a cable that is pulled ends the connection
      bench.device.disconnect();
      bench.cable = cable;
      bench.device.connect();
    };
    for (int step = 0; step < 30; ++step) {
      link(below(3) != 0);
      bench.lose_every = below(2) == 0 ? 0 : 2 + below(5);
      ASSERT_TRUE(bench.run(below(400'000), 20'000));
      const bool room = std::count_if(bench.device.places.begin(), bench.device.places.end(),
                                      [](const auto& p) { return p.size == 0; }) >= 3;
      if (!room || below(2) == 0) continue;
      covey_agent_flush(&bench.device.agent, bench.device.now_ms);
      ASSERT_TRUE(bench.reboot(COVEY_START_SOFTWARE));
    }
    link(true);
    bench.lose_every = 0;
    for (int i = 0; i < 2000 && !covey_agent_quiet(&bench.device.agent); ++i) bench.run(1000);
    ASSERT_EQ(bench.gateway.inferences(), bench.device.inferred);
    ASSERT_EQ(bench.gateway.changed_windows, 0);
    ASSERT_EQ(bench.device.counters().bugs, 0U);
  }
}

}  // namespace
}  // namespace covey::agent_test
