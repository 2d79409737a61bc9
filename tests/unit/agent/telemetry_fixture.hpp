// SPDX-License-Identifier: Apache-2.0
// A device that counts: one release with two features is confirmed, everything is acknowledged.
#pragma once

#include <gtest/gtest.h>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {

inline wire::Report last_report(const Bench& bench) {
  wire::Report report;
  const Gateway::Stream& stream = bench.gateway.streams.rbegin()->second;
  report.ParseFromString(stream.windows.rbegin()->second);
  return report;
}

class Telemetry : public ::testing::Test {
 protected:
  explicit Telemetry(const DeviceOptions& options = {}) : bench(options) {}
  void SetUp() override {
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(release));
    drain();
  }
  // Until everything is acknowledged.
  void drain() {
    covey_agent_flush(&bench.device.agent, bench.device.now_ms);
    for (int i = 0; i < 1000 && !covey_agent_quiet(&bench.device.agent); ++i) bench.run(1000);
    ASSERT_TRUE(covey_agent_quiet(&bench.device.agent));
    EXPECT_EQ(bench.device.counters().bugs, 0U);
  }
  uint32_t record(int16_t first, int16_t second, uint32_t class_index = 0, uint8_t confidence = 200,
                  uint32_t latency_us = 100) {
    const int16_t features[] = {first, second};
    covey_inference_t inference{};
    inference.features = features;
    inference.feature_count = 2;
    inference.class_index = class_index;
    inference.confidence = confidence;
    inference.latency_us = latency_us;
    const uint32_t id = covey_agent_record_inference(&bench.device.agent, 0, &inference);
    if (id != 0) ++bench.device.inferred;
    return id;
  }

  const Release release = make_release({});
  Bench bench;
};

}  // namespace covey::agent_test
