// A firmware with one model that leaves out what can be left out (covey/config.h): what it says
// when it is asked for that, and that it counts what is left.
#include <gtest/gtest.h>

#include "tests/unit/agent/telemetry_fixture.hpp"

namespace covey::agent_test {
namespace {

COVEY_STATIC_ASSERT(COVEY_MODELS_MAX == 1 && COVEY_OUTBOX == 0 && COVEY_SHADOW == 0 &&
                    COVEY_HEALTH == 0 && COVEY_ENERGY_BUCKETS == 0 && COVEY_JOINT_LEAVES_MAX == 0 &&
                    COVEY_SAMPLES_MAX == 0);

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
