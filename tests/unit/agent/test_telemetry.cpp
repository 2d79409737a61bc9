// SPDX-License-Identifier: Apache-2.0
// Telemetry: what is counted, and that no count is lost or made twice, whatever the network does.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/agent/telemetry_fixture.hpp"

namespace covey::agent_test {
namespace {

TEST_F(Telemetry, AWindowHasEverything) {
  const uint32_t before = record(-100, 0) - 1;
  record(-50, 50, 1, 255, 16);  // edges are right-closed
  record(-49, 51, 1, 0, 32'768);
  record(0, 101, 2, 128, 4'000'000);
  record(1, -101, 3, 127, 0);
  record(COVEY_FEATURE_MISSING, 50, 3, 15, 64);
  EXPECT_EQ(record(1, 1, 4), 0U);  // no such class: an error
  drain();
  const wire::Report r = last_report(bench);
  EXPECT_EQ(r.inferences(), 6U);
  EXPECT_EQ(r.errors(), 1U);
  EXPECT_EQ(r.merged(), 1U);
  EXPECT_EQ(r.first_inference(), before + 1);
  EXPECT_EQ(r.inferences_total(), bench.device.inferred);
  EXPECT_EQ(std::vector<uint32_t>(r.classes().begin(), r.classes().end()),
            (std::vector<uint32_t>{1, 2, 1, 2}));
  EXPECT_EQ(r.confidence_size(), 16);
  EXPECT_EQ(r.confidence(0), 2U);
  EXPECT_EQ(r.confidence(7), 1U);
  EXPECT_EQ(r.confidence(8), 1U);
  EXPECT_EQ(r.confidence(15), 1U);
  EXPECT_EQ(r.latency_size(), 64);
  EXPECT_EQ(r.latency(0), 1U);   // 0
  EXPECT_EQ(r.latency(1), 1U);   // 16 us
  EXPECT_EQ(r.latency(4), 1U);   // 64 us
  EXPECT_EQ(r.latency(40), 1U);  // 32,768 us: the first beyond 40 buckets
  EXPECT_EQ(r.latency(63), 1U);  // beyond all
  EXPECT_EQ(r.latency_max_us(), 4'000'000U);
  EXPECT_EQ(r.latency_sum_us(), 100U + 16 + 32'768 + 4'000'000 + 0 + 64);
  ASSERT_EQ(r.features_size(), 2);
  const wire::FeatureWindow& first = r.features(0);
  EXPECT_EQ(std::vector<uint32_t>(first.bins().begin(), first.bins().end()),
            (std::vector<uint32_t>{2, 2, 1, 0}));
  EXPECT_EQ(first.missing(), 1U);
  EXPECT_EQ(first.below(), 0U);
  EXPECT_EQ(first.min(), -100);
  EXPECT_EQ(first.max(), 1);
  EXPECT_EQ(first.sum(), -198);
  EXPECT_EQ(first.sum_squares(), 10000U + 2500 + 2401 + 0 + 1);
  EXPECT_EQ(r.features(1).below(), 1U);
  EXPECT_EQ(r.features(1).above(), 1U);
}

TEST_F(Telemetry, LatencyBucketsAreAtMostAQuarterWide) {
  // The bucket function of the design, by its definition.
  const auto expected = [](uint32_t us) {
    uint32_t x = us >> 4U;
    if (x < 4) return x;
    uint32_t log2 = 0;
    while (x >> (log2 + 1) != 0) ++log2;
    const uint32_t e = log2 - 2;
    return std::min(63U, 4 * (e + 1) + (x >> e) - 4);
  };
  for (uint32_t us = 1; us < 5'000'000; us = us * 5 / 4 + 1) {
    record(0, 0, 0, 0, us);
    drain();
    const wire::Report r = last_report(bench);
    ASSERT_EQ(r.latency_size() - 1, static_cast<int>(expected(us))) << us;
  }
}

TEST_F(Telemetry, OutageMergesAndLosesNothing) {
  bench.cable = false;
  const uint64_t acknowledged = bench.gateway.inferences();
  EXPECT_EQ(acknowledged, bench.device.inferred);
  for (int minutes = 0; minutes < 600; ++minutes) {
    for (int i = 0; i < 200; ++i) record(static_cast<int16_t>(i), 1);
    bench.run(60'000);
  }
  EXPECT_EQ(bench.gateway.inferences(), acknowledged);
  EXPECT_EQ(covey_agent_unacknowledged(&bench.device.agent, 0), 600U * 200);
  bench.cable = true;
  bench.run(1'000'000);
  drain();
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_EQ(bench.gateway.changed_windows, 0);
  EXPECT_EQ(last_report(bench).inferences_total(), bench.device.inferred);
}

TEST_F(Telemetry, SixteenBitsCloseBeforeTheyOverflow) {
  bench.device.disconnect();
  for (int i = 0; i < 200'000; ++i) {
    record(100, -7);  // there is room for 65,535 at least between two polls
    if (i % 65'000 == 0) covey_agent_poll(&bench.device.agent, bench.device.now_ms);
  }
  bench.device.connect();
  drain();
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  const wire::Report r = last_report(bench);
  EXPECT_EQ(r.merged(), 4U);
  EXPECT_EQ(r.features(0).sum(), 200'000 * 100);
}

TEST_F(Telemetry, CreditAndBackOffAreKept) {
  wire::Ack ack;
  ack.set_boot_id(covey_agent_boot_id(&bench.device.agent));
  ack.set_backoff_ms(100'000);
  bench.device.deliver(bench.gateway.sealed("ack", ack.SerializeAsString()));
  const size_t windows = bench.gateway.streams.begin()->second.windows.size();
  record(1, 1);
  bench.run(70'000);
  EXPECT_EQ(bench.gateway.streams.begin()->second.windows.size(), windows);
  bench.run(60'000);
  EXPECT_EQ(bench.gateway.streams.begin()->second.windows.size(), windows + 1);
}

TEST_F(Telemetry, SettingsOfTheGoalCountUntilTheNextOneEvenAfterAReboot) {
  const auto windows_in = [&](uint64_t ms) {
    const auto windows = [&] {
      size_t count = 0;
      for (const auto& [key, stream] : bench.gateway.streams) count += stream.windows.size();
      return static_cast<double>(count);
    };
    const double before = windows();
    bench.run(ms, 1000);
    return windows() - before;
  };
  EXPECT_NEAR(windows_in(600'000), 10, 1);
  bench.gateway.settings.emplace().set_report_interval_s(10);
  bench.gateway.want({.candidate = &release, .attempt = 1});
  EXPECT_NEAR(windows_in(600'000), 60, 2);
  ASSERT_TRUE(bench.reboot());  // not journaled: the retained goal says it again
  EXPECT_NEAR(windows_in(600'000), 60, 2);
  bench.gateway.settings.reset();
  bench.gateway.want({.candidate = &release, .attempt = 1});
  EXPECT_NEAR(windows_in(600'000), 10, 2);
}

TEST_F(Telemetry, SamplingIsScaledAndTheProbabilityTravels) {
  const Release sampled = make_release({.seed = 9, .sample_probability = 65536 / 2});
  ASSERT_TRUE(bench.deploy(sampled, 2));
  bench.gateway.settings.emplace().set_sample_scale(65536 / 64);
  bench.gateway.want({.candidate = &sampled, .attempt = 2});
  bench.run(1000);
  drain();
  uint64_t samples = 0;
  for (int window = 0; window < 40; ++window) {
    for (int i = 0; i < 100; ++i) record(1, 1);
    drain();
    const wire::Report report = last_report(bench);
    samples += static_cast<uint64_t>(report.samples_size()) + report.samples_dropped();
    for (const wire::Sample& sample : report.samples()) EXPECT_LE(sample.probability(), 512U);
  }
  EXPECT_NEAR(static_cast<double>(samples), 4000.0 / 128, 20.0);
}

TEST_F(Telemetry, AcksOfAnotherBootOrStreamChangeNothing) {
  bench.gateway.ack_reports = false;
  record(1, 1);
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.run(100);
  const auto unacknowledged = [&] { return covey_agent_unacknowledged(&bench.device.agent, 0); };
  ASSERT_EQ(unacknowledged(), 1U);
  wire::Ack ack;
  ack.set_boot_id(covey_agent_boot_id(&bench.device.agent) + 1);
  wire::StreamAck* stream = ack.add_streams();
  stream->set_manifest(release.prefix());
  stream->set_cumulative(1000);
  bench.device.deliver(bench.gateway.sealed("ack", ack.SerializeAsString()));
  EXPECT_EQ(unacknowledged(), 1U);
  ack.set_boot_id(covey_agent_boot_id(&bench.device.agent));
  stream->set_manifest("another!");
  bench.device.deliver(bench.gateway.sealed("ack", ack.SerializeAsString()));
  EXPECT_EQ(unacknowledged(), 1U);
  // By bitmap alone.
  uint32_t sequence = 0;
  for (const covey_window_t& window : bench.device.telemetry[0]->windows) {
    sequence = std::max(sequence, window.sequence);
  }
  stream->set_manifest(release.prefix());
  stream->set_cumulative(0);
  stream->set_bitmap(uint64_t{1} << (sequence - 1));
  bench.device.deliver(bench.gateway.sealed("ack", ack.SerializeAsString()));
  EXPECT_EQ(unacknowledged(), 0U);
}

TEST(TelemetryOfTwo, StreamsStayApartOverRevertAndReturn) {
  Bench bench;
  bench.bring_up();
  const Release a = make_release({});
  const Release b = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(a));
  bench.run(30'000, 500);
  ASSERT_TRUE(bench.deploy(b, 2));
  bench.run(30'000, 500);
  ASSERT_TRUE(bench.deploy(a, 3));  // the same stream goes on
  bench.run(200'000, 500);
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.run(100'000);
  ASSERT_EQ(bench.gateway.streams.size(), 2U);
  for (const auto& [key, stream] : bench.gateway.streams) {
    uint32_t expected = 0;
    for (const auto& [sequence, window] : stream.windows) EXPECT_EQ(sequence, ++expected);
  }
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
}

TEST(TelemetryOfMany, MoreReleasesThanStreamsInOneBoot) {
  DeviceOptions options;
  options.times.report_interval_ms = 1000;
  Bench bench(options);
  bench.bring_up();
  const uint64_t boot = covey_agent_boot_id(&bench.device.agent);
  for (uint8_t k = 0; k < 3 * COVEY_STREAMS_MAX; ++k) {
    const Release release = make_release({.seed = static_cast<uint8_t>(10 + k)});
    ASSERT_TRUE(bench.deploy(release, 1U + k)) << int{k};
  }
  bench.run(100'000);
  EXPECT_NE(covey_agent_boot_id(&bench.device.agent), boot);
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
}

TEST(TelemetryOfMany, ActivationWaitsForTheBacklogOfTheOneBefore) {
  Bench bench;
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(make_release({})));
  bench.gateway.ack_reports = false;
  bench.run(200'000, 100);
  ASSERT_TRUE(bench.deploy(make_release({.seed = 2}), 2));
  bench.run(200'000, 100);
  const Release third = make_release({.seed = 3});
  bench.gateway.add(third);
  bench.gateway.want({.candidate = &third, .attempt = 3}, 100'000);
  bench.run(1);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
  bench.run(300'000, 100);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_STAGED);
  bench.gateway.ack_reports = true;
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED, 2'000'000));
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.run(2'000'000);
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
}

TEST(TelemetryProperty, NothingIsLostOrCountedTwice) {
  // Random losses, outages, reconnects, updates and cancels: no reboot, so every count arrives.
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    DeviceOptions options;
    options.times.report_interval_ms = 2000;
    options.times.retry_max_ms = 20'000;
    options.times.grant_ms = 30'000;
    Bench bench(options);
    bench.bring_up();
    std::vector<Release> releases;
    for (uint8_t k = 0; k < 4; ++k) {
      releases.push_back(make_release({.seed = static_cast<uint8_t>(1 + k)}));
      bench.gateway.add(releases.back());
    }
    uint32_t attempt = 0;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 8) {
        case 0:
          bench.cable = !bench.cable;
          break;
        case 1:
          bench.lose_every = static_cast<uint32_t>(random() % 5);
          break;
        case 2:
          bench.device.disconnect();
          bench.device.connect();
          break;
        case 3:
          bench.gateway.ack_reports = random() % 2 == 0;
          break;
        case 4:
          bench.gateway.want({.candidate = &releases[random() % 4], .attempt = ++attempt}, 60);
          break;
        case 5:
          bench.gateway.want(Gateway::Want{}, 0);
          break;
        case 6:
          bench.gateway.grant = random() % 3 != 0;
          break;
        default:
          break;
      }
      bench.run(random() % 10'000, 1 + random() % 200);
      ASSERT_LE(bench.gateway.inferences(), bench.device.inferred);
    }
    bench.cable = true;
    bench.lose_every = 0;
    bench.gateway.ack_reports = true;
    bench.device.disconnect();
    bench.device.connect();
    bench.gateway.want(Gateway::Want{}, 0);
    bench.run(100'000);
    covey_agent_flush(&bench.device.agent, bench.device.now_ms);
    bench.run(200'000);
    EXPECT_EQ(covey_agent_unacknowledged(&bench.device.agent, 0), 0U);
    EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
    EXPECT_EQ(bench.gateway.changed_windows, 0);
    EXPECT_EQ(bench.device.counters().bugs, 0U);
  }
}

TEST(Sampling, ProbabilitiesKeepEstimatesUnbiased) {
  // Horvitz-Thompson: the sum of 1/p over the samples estimates the number of inferences.
  const Release release = make_release({.sample_probability = 65536 / 8});
  DeviceOptions options;
  options.times.report_interval_ms = 1000;
  Bench bench(options);
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(release));
  bench.run(400'000, 10);  // about 12 hits per window, room for 4
  bench.cable = false;     // and windows that merge
  bench.run(100'000, 10);
  bench.cable = true;
  bench.run(400'000, 10);
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.run(100'000);
  double estimate = 0;
  uint64_t samples = 0;
  uint64_t dropped = 0;
  for (const auto& [key, stream] : bench.gateway.streams) {
    for (const auto& [sequence, bytes] : stream.windows) {
      wire::Report report;
      report.ParseFromString(bytes);
      EXPECT_LE(report.samples_size(), COVEY_SAMPLES_MAX);
      dropped += report.samples_dropped();
      for (const wire::Sample& sample : report.samples()) {
        ++samples;
        ASSERT_GT(sample.probability(), 0U);
        ASSERT_LE(sample.probability(), 65536U / 8);
        estimate += 65536.0 / sample.probability();
        EXPECT_GE(sample.inference(), report.first_inference());
        EXPECT_LE(sample.inference(), bench.device.inferred);
      }
    }
  }
  const auto truth = static_cast<double>(bench.device.inferred);
  EXPECT_GT(samples, 1000U);
  EXPECT_GT(dropped, 1000U);
  EXPECT_NEAR(estimate / truth, 1.0, 0.1);
}

}  // namespace
}  // namespace covey::agent_test
