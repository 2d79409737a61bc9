// SPDX-License-Identifier: Apache-2.0
// Shadow mode: the candidate runs beside the active model, never acts, and is compared with it.
#include <gtest/gtest.h>

#include <array>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

class Shadow : public ::testing::Test {
 protected:
  static DeviceOptions options() {
    DeviceOptions options;
    options.shadow = true;
    return options;
  }
  void SetUp() override {
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(active));
  }
  bool order(const Release& release, covey_phase_t phase, uint32_t one_in = 1,
             uint32_t attempt = 2) {
    bench.gateway.add(release);
    bench.gateway.want({.candidate = &release,
                        .mode = wire::GOAL_MODE_SHADOW,
                        .attempt = attempt,
                        .shadow_one_in = one_in});
    bench.run(1);
    return bench.run_until(phase, 200'000);
  }
  // What all reports said of shadows, added up; all are about one candidate.
  wire::ShadowWindow reported(const Release& of) {
    covey_agent_flush(&bench.device.agent, bench.device.now_ms);
    bench.run(20'000);
    wire::ShadowWindow sum;
    for (const auto& [key, stream] : bench.gateway.streams) {
      for (const auto& [sequence, bytes] : stream.windows) {
        wire::Report report;
        report.ParseFromString(bytes);
        if (!report.has_shadow()) continue;
        const wire::ShadowWindow& window = report.shadow();
        EXPECT_EQ(key.second, active.prefix());
        EXPECT_EQ(window.candidate(), of.prefix());
        EXPECT_EQ(window.classes(), COVEY_SHADOW_CLASSES_MAX);
        sum.set_inferences(sum.inferences() + window.inferences());
        sum.set_errors(sum.errors() + window.errors());
        if (sum.agreement_size() == 0) sum.mutable_agreement()->Resize(window.agreement_size(), 0);
        if (sum.difference_size() == 0) sum.mutable_difference()->Resize(16, 0);
        for (int i = 0; i < window.agreement_size(); ++i) {
          sum.set_agreement(i, sum.agreement(i) + window.agreement(i));
        }
        for (int i = 0; i < window.difference_size(); ++i) {
          sum.set_difference(i, sum.difference(i) + window.difference(i));
        }
      }
    }
    return sum;
  }
  bool shadow_ready() const {
    return bench.device.status().phase == COVEY_PHASE_SHADOWING &&
           bench.device.agent.models[0].record.selftest_passed;
  }

  const Release active = make_release({});
  const Release candidate = make_release({.version = "1.1.0", .seed = 6});
  Bench bench{options()};
};

TEST_F(Shadow, CountsAgreementAndConfidenceAndNeverActs) {
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING));
  while (!shadow_ready()) ASSERT_TRUE(bench.run(1));
  const uint64_t before = bench.device.runtimes[0].invocations;
  const uint64_t before_shadow = bench.device.shadow_runtimes[0].invocations;
  // What both say is known: the fake model is input ^ seed.
  std::array<uint32_t, 16> agreement{};
  std::array<uint32_t, 16> difference{};
  for (int i = 0; i < 300; ++i) {
    int8_t buffer[kInputBytes] = {static_cast<int8_t>(i), static_cast<int8_t>(7 * i),
                                  static_cast<int8_t>(i * i), 3};
    int8_t of_active[kOutputBytes];
    int8_t of_candidate[kOutputBytes];
    fake_output(1, buffer, of_active);
    fake_output(6, buffer, of_candidate);
    covey_inference_t acting{};
    covey_inference_t shadow{};
    covey_classify(of_active, kOutputBytes, &acting);
    covey_classify(of_candidate, kOutputBytes, &shadow);
    ++agreement[shadow.class_index * 4 + acting.class_index];
    ++difference[static_cast<size_t>(256 + shadow.confidence - acting.confidence) / 32];
    // Input and output may overlap; what acts is the active model's answer.
    ASSERT_EQ(covey_agent_invoke(&bench.device.agent, 0, buffer, kInputBytes, buffer, kOutputBytes),
              0);
    ASSERT_TRUE(std::equal(buffer, buffer + kOutputBytes, of_active));
    ASSERT_NE(covey_agent_record_inference(&bench.device.agent, 0, &acting), 0U);
    ++bench.device.inferred;
  }
  EXPECT_EQ(bench.device.runtimes[0].invocations, before + 300);
  EXPECT_EQ(bench.device.shadow_runtimes[0].invocations, before_shadow + 300);
  EXPECT_EQ(bench.device.active(), active.digest);
  const wire::ShadowWindow sum = reported(candidate);
  EXPECT_EQ(sum.inferences(), 300U);
  EXPECT_EQ(sum.errors(), 0U);
  ASSERT_EQ(sum.agreement_size(), 16);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(sum.agreement(i), agreement[static_cast<size_t>(i)]) << i;
    EXPECT_EQ(sum.difference(i), difference[static_cast<size_t>(i)]) << i;
  }
  EXPECT_EQ(bench.gateway.inferences(), bench.device.inferred);
  EXPECT_EQ(bench.gateway.state()->phase(), wire::PHASE_SHADOWING);
}

TEST_F(Shadow, RunsOnOneInSoMany) {
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING, 8));
  while (!shadow_ready()) ASSERT_TRUE(bench.run(1));
  const uint64_t before = bench.device.shadow_runtimes[0].invocations;
  for (int i = 0; i < 8000; ++i) ASSERT_TRUE(bench.device.infer());
  EXPECT_NEAR(static_cast<double>(bench.device.shadow_runtimes[0].invocations - before), 1000.0,
              150.0);
}

TEST_F(Shadow, BecomesActiveWithoutAnotherDownload) {
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING));
  bench.run(5000, 100);
  const uint64_t chunks = bench.gateway.chunks_sent;
  bench.gateway.want({.candidate = &candidate, .attempt = 2});
  bench.run(1);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.device.active(), candidate.digest);
  EXPECT_EQ(bench.gateway.chunks_sent, chunks);
  EXPECT_EQ(bench.device.shadow_runtimes[0].model, nullptr);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
}

TEST_F(Shadow, CancelAndStepBackUnloadIt) {
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING));
  bench.gateway.want({.candidate = &candidate, .mode = wire::GOAL_MODE_STAGED, .attempt = 2});
  bench.run(1);
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
  EXPECT_EQ(bench.device.shadow_runtimes[0].model, nullptr);
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING));
  EXPECT_NE(bench.device.shadow_runtimes[0].model, nullptr);
  bench.gateway.want(Gateway::Want{}, 0);
  bench.run(1000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_IDLE);
  EXPECT_EQ(bench.device.shadow_runtimes[0].model, nullptr);
  EXPECT_EQ(bench.device.active(), active.digest);
}

TEST_F(Shadow, GoesOnAfterAReboot) {
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING));
  while (!shadow_ready()) ASSERT_TRUE(bench.run(1));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(bench.reboot());
    bench.run(2000, 100);
    ASSERT_TRUE(shadow_ready()) << i;
    EXPECT_EQ(bench.device.active(), active.digest);
  }
}

TEST_F(Shadow, FailsItsSelftestWhileTheOtherActs) {
  const Release bad =
      make_release({.version = "1.2.0", .seed = 3, .behaviour = FakeBehaviour::kWrongOutput});
  ASSERT_TRUE(order(bad, COVEY_PHASE_FAILED));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_SELFTEST_MISMATCH);
  EXPECT_EQ(bench.device.active(), active.digest);
  EXPECT_EQ(bench.device.shadow_runtimes[0].model, nullptr);
}

TEST_F(Shadow, AnInvocationThatFailsEndsIt) {
  ASSERT_TRUE(order(candidate, COVEY_PHASE_SHADOWING));
  while (!shadow_ready()) ASSERT_TRUE(bench.run(1));
  bench.device.shadow_runtimes[0].invoke_fails = true;
  EXPECT_TRUE(bench.device.infer());  // the active model answers all the same
  bench.run(1000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_FAILED);
  EXPECT_EQ(bench.device.status().reason, COVEY_RUNTIME_INVOKE_FAILED);
  EXPECT_EQ(reported(candidate).errors(), 1U);
}

TEST_F(Shadow, ACandidateThatCrashesIsGivenUp) {
  const Release bad =
      make_release({.version = "1.2.0", .seed = 3, .behaviour = FakeBehaviour::kCrashes});
  bench.gateway.add(bad);
  bench.gateway.want({.candidate = &bad, .mode = wire::GOAL_MODE_SHADOW, .attempt = 2});
  int crashes = 0;
  for (int i = 0; i < 10 && bench.device.status().phase != COVEY_PHASE_FAILED; ++i) {
    try {
      if (i != 0) {
        ASSERT_TRUE(bench.reboot(COVEY_START_FAULT));
      }
      bench.run(20'000);
    } catch (const Crash&) {
      ++crashes;
    }
  }
  EXPECT_EQ(crashes, COVEY_PROBATION_STARTS_MAX);
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_MODEL_FAULTING);
  EXPECT_EQ(bench.device.active(), active.digest);
}

TEST(ShadowArena, IsSharedWhereBothFit) {
  for (const uint32_t arena_bytes : {127U, 128U}) {
    DeviceOptions options;
    options.shadow = true;
    options.arena_bytes = arena_bytes;
    Bench bench(options);
    bench.bring_up();
    const Release first = make_release({.arena_bytes = 64});
    const Release second = make_release({.version = "1.1.0", .seed = 2, .arena_bytes = 64});
    ASSERT_TRUE(bench.deploy(first));
    bench.gateway.add(second);
    bench.gateway.want({.candidate = &second, .mode = wire::GOAL_MODE_SHADOW, .attempt = 2});
    bench.run(10'000, 100);
    EXPECT_EQ(bench.device.status().phase,
              arena_bytes == 128 ? COVEY_PHASE_SHADOWING : COVEY_PHASE_FAILED);
    EXPECT_EQ(bench.device.status().reason,
              arena_bytes == 128 ? COVEY_OK : COVEY_ERROR_ARENA_TOO_SMALL);
    EXPECT_EQ(bench.device.active(), first.digest);
  }
}

}  // namespace
}  // namespace covey::agent_test
