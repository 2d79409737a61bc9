// SPDX-License-Identifier: Apache-2.0
// A firmware with one model that leaves out what can be left out (covey/config.h): what it says
// when it is asked for that, and that it counts what is left.
#include <gtest/gtest.h>

#include "tests/unit/agent/telemetry_fixture.hpp"

namespace covey::agent_test {
namespace {

COVEY_STATIC_ASSERT(COVEY_MODELS_MAX == 1 && COVEY_OUTBOX == 0 && COVEY_SHADOW == 0 &&
                    COVEY_HEALTH == 0 && COVEY_ENERGY_BUCKETS == 0 && COVEY_JOINT_LEAVES_MAX == 0 &&
                    COVEY_SAMPLES_MAX == 0 && COVEY_ENROLMENT == 0 && COVEY_SETTINGS == 0 &&
                    COVEY_COPY_UNCHANGED == 0 && COVEY_RESUME == 0);

using Least = Telemetry;

TEST_F(Least, CountsOverAnOutage) {
  bench.cable = false;
  for (int minutes = 0; minutes < 60; ++minutes) {
    for (int i = 0; i < 200; ++i) record(static_cast<int16_t>(i), 1);
    bench.run(60'000);
  }
  bench.cable = true;
  bench.run(1'000'000);
  drain();
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_EQ(bench.gateway.changed_windows, 0);
  const wire::Report report = last_report(bench);
  EXPECT_EQ(report.inferences_total(), bench.device.inferred);
  EXPECT_GT(report.features_size(), 0);
  EXPECT_FALSE(report.has_health() || report.has_energy() || report.has_shadow());
  EXPECT_EQ(report.joint_size() + report.samples_size(), 0);
}

TEST_F(Least, DeclinesAShadow) {
  const Release candidate = make_release({.version = "1.1.0", .seed = 2});
  bench.gateway.add(candidate);
  bench.gateway.want({.candidate = &candidate, .mode = wire::GOAL_MODE_SHADOW, .attempt = 2});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_DECLINED));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_UNSUPPORTED);
  EXPECT_EQ(bench.device.active(), release.digest);
}

TEST_F(Least, KeepsItsReportInterval) {
  const auto windows = [&] {
    size_t count = 0;
    for (const auto& [key, stream] : bench.gateway.streams) count += stream.windows.size();
    return static_cast<double>(count);
  };
  bench.gateway.settings.emplace().set_report_interval_s(10);
  bench.gateway.want({.candidate = &release, .attempt = 1});
  const double before = windows();
  bench.run(600'000, 1000);
  EXPECT_NEAR(windows() - before, 10, 1);
}

TEST(LeastDeploy, BeginsAnewAfterAReset) {
  DeviceOptions options;
  options.geometry.erase_unit_bytes = 512;
  Bench bench(options);
  bench.bring_up();
  const Release release = make_release({.model_bytes = 8000});
  const uint32_t total = (release.manifest.image_size_bytes() + 511) / 512;
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release});
  bench.gateway.chunks_left = 11;
  bench.run(1000);
  ASSERT_EQ(bench.device.counters().chunks_fetched, 11U);
  ASSERT_TRUE(bench.reboot());
  bench.gateway.chunks_left = -1;
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.gateway.chunks_sent, 11 + total);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

TEST(LeastDeploy, AllChunksTravel) {
  Bench bench;
  bench.bring_up();
  const Release first = make_release({.model_bytes = 8000, .same_from = 7000});
  const Release tuned =
      make_release({.version = "1.0.1", .seed = 9, .model_bytes = 8000, .same_from = 7000});
  ASSERT_TRUE(bench.deploy(first));
  bench.gateway.chunks_sent = 0;
  ASSERT_TRUE(bench.deploy(tuned, 2));
  EXPECT_EQ(bench.gateway.chunks_sent, (tuned.manifest.image_size_bytes() + 511) / 512);
  EXPECT_EQ(bench.device.counters().chunks_copied, 0U);
}

TEST(LeastConfig, DoesNotStartWithoutAnIdentity) {
  Device device;
  device.store.size = 0;
  EXPECT_EQ(covey_agent_init(&device.agent, &device.config), COVEY_ERROR_NOT_ENROLLED);
  ASSERT_EQ(device.provision(), COVEY_OK);
  EXPECT_EQ(covey_agent_init(&device.agent, &device.config), COVEY_OK);
  EXPECT_TRUE(covey_agent_enrolled(&device.agent));
}

TEST(LeastConfig, RefusesAnOutboxAndASecondModel) {
  Device device;
  EXPECT_EQ(covey_config_check(&device.config), 0);
  covey_host_store_t place;
  covey_host_store_memory(&place);
  const covey_store_t outbox = covey_host_store_port(&place);
  device.port.outbox = &outbox;
  device.port.outbox_places = 1;
  EXPECT_EQ(covey_config_check(&device.config), COVEY_ERROR_CONFIG);
  EXPECT_EQ(covey_agent_init(&device.agent, &device.config), COVEY_ERROR_CONFIG);
  device.port.outbox_places = 0;
  for (const size_t models : {size_t{0}, size_t{2}}) {
    device.config.model_count = models;
    EXPECT_EQ(covey_config_check(&device.config), COVEY_ERROR_CONFIG);
    EXPECT_EQ(covey_agent_init(&device.agent, &device.config), COVEY_ERROR_CONFIG);
  }
}

}  // namespace
}  // namespace covey::agent_test
