// SPDX-License-Identifier: Apache-2.0
// Probation: self-test, grant, boot loops, and every way back.
#include <gtest/gtest.h>

#include <array>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

class Probation : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(good));
  }
  // Orders `release` as the second attempt and waits for the phase.
  bool order(const Release& release, covey_phase_t phase, uint32_t attempt = 2) {
    bench.gateway.add(release);
    bench.gateway.want({.candidate = &release, .attempt = attempt});
    bench.run(1);
    return bench.run_until(phase, 2'000'000);
  }
  void expect_back(int reason) {
    EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_REVERTED);
    EXPECT_EQ(bench.device.status().reason, reason);
    EXPECT_EQ(bench.device.active(), good.digest);
    EXPECT_EQ(bench.device.confirmed(), good.digest);
    EXPECT_EQ(bench.device.counters().bugs, 0U);
  }
  static Release bad(FakeBehaviour behaviour) {
    return make_release({.version = "1.1.0", .seed = 2, .behaviour = behaviour});
  }

  const Release good = make_release({});
  Bench bench;
};

TEST_F(Probation, SelftestMismatch) {
  const Release release = bad(FakeBehaviour::kWrongOutput);
  ASSERT_TRUE(order(release, COVEY_PHASE_REVERTED));
  expect_back(COVEY_ERROR_SELFTEST_MISMATCH);
  bench.run(5000, 50);
  EXPECT_EQ(bench.gateway.state()->candidate(), release.digest);
  EXPECT_EQ(bench.gateway.state()->reason(), wire::REASON_SELFTEST_MISMATCH);
  // Not again, not after a reboot; but by a newer attempt.
  const uint64_t invocations = bench.device.runtimes[0].invocations;
  ASSERT_TRUE(bench.reboot());
  bench.run(10'000);
  expect_back(COVEY_ERROR_SELFTEST_MISMATCH);
  EXPECT_EQ(bench.device.runtimes[0].invocations, invocations);
  bench.gateway.want({.candidate = &release, .attempt = 3});
  bench.run(10'000);
  EXPECT_GT(bench.device.runtimes[0].invocations, invocations);
  expect_back(COVEY_ERROR_SELFTEST_MISMATCH);
}

TEST_F(Probation, RejectedIsRememberedOverAnotherGoal) {
  const Release release = bad(FakeBehaviour::kWrongOutput);
  ASSERT_TRUE(order(release, COVEY_PHASE_REVERTED));
  bench.gateway.want(Gateway::Want{}, 0);
  bench.run(1000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_IDLE);
  ASSERT_TRUE(order(release, COVEY_PHASE_DECLINED));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_REJECTED_BEFORE);
}

TEST_F(Probation, LoadAndInvokeErrorsCarryTheRuntimesReason) {
  ASSERT_TRUE(order(bad(FakeBehaviour::kLoadFails), COVEY_PHASE_REVERTED));
  expect_back(COVEY_RUNTIME_OPERATOR_UNSUPPORTED);
  ASSERT_TRUE(order(bad(FakeBehaviour::kInvokeFails), COVEY_PHASE_REVERTED, 3));
  expect_back(COVEY_RUNTIME_INVOKE_FAILED);
}

TEST_F(Probation, LiveErrorsRevert) {
  bench.gateway.grant = false;
  const Release release = make_release({.seed = 2});
  ASSERT_TRUE(order(release, COVEY_PHASE_PROBATION_OK));
  bench.device.runtimes[0].invoke_fails = true;
  EXPECT_FALSE(bench.device.infer());
  bench.device.runtimes[0].invoke_fails = false;
  bench.run(100);
  expect_back(COVEY_RUNTIME_INVOKE_FAILED);
}

TEST_F(Probation, NoGrant) {
  bench.gateway.grant = false;
  ASSERT_TRUE(order(make_release({.seed = 2}), COVEY_PHASE_PROBATION_OK));
  bench.run(890'000, 1000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_PROBATION_OK);
  bench.run(20'000, 1000);
  expect_back(COVEY_ERROR_NO_GRANT);
}

TEST_F(Probation, UptimeAloneIsEnough) {
  const Release release = make_release({.seed = 2});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .attempt = 2});
  bench.run(590'000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_PROBATION);
  bench.run(20'000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_CONFIRMED);
}

TEST_F(Probation, OrderBack) {
  bench.gateway.grant = false;
  const Release release = make_release({.seed = 2});
  ASSERT_TRUE(order(release, COVEY_PHASE_PROBATION_OK));
  bench.gateway.want(Gateway::Want{}, 0);
  bench.run(1000);
  expect_back(COVEY_ERROR_ORDER);
  ASSERT_TRUE(bench.reboot());
  bench.run(1000);
  expect_back(COVEY_ERROR_ORDER);
}

TEST_F(Probation, GrantNeedsNoSecondDownloadAfterReboot) {
  bench.gateway.grant = false;
  const Release release = make_release({.seed = 2});
  ASSERT_TRUE(order(release, COVEY_PHASE_PROBATION_OK));
  bench.gateway.chunks_sent = 0;
  ASSERT_TRUE(bench.reboot());
  bench.gateway.grant = true;
  bench.run(1);
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.gateway.chunks_sent, 0U);
}

// A start in which the model crashes: the processor resets out of load or invoke.
bool crashes(Bench& bench, covey_start_cause_t cause, uint64_t infer_ms) {
  try {
    if (!bench.reboot(cause)) return false;
    bench.run(20'000, infer_ms);
  } catch (const Crash&) {
    return true;
  }
  return false;
}

TEST_F(Probation, BootLoopInTheSelftest) {
  const Release release = bad(FakeBehaviour::kCrashes);
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .attempt = 2});
  EXPECT_THROW(bench.run(20'000), Crash);
  int starts = 1;
  while (crashes(bench, COVEY_START_FAULT, 0)) ++starts;
  EXPECT_EQ(starts, COVEY_PROBATION_STARTS_MAX);
  expect_back(COVEY_ERROR_MODEL_FAULTING);
  bench.run(5000);
  EXPECT_EQ(bench.gateway.state()->reason(), wire::REASON_MODEL_FAULTING);
}

TEST_F(Probation, TheLastFailedStartGivesTheReason) {
  constexpr covey_retained_t* kNone = nullptr;
  covey_retained_t* const kept = bench.device.config.retained;
  const struct {
    std::array<covey_start_cause_t, COVEY_PROBATION_STARTS_MAX> causes;
    covey_retained_t* retained;
    int reason;
  } rows[] = {
      {{COVEY_START_FAULT, COVEY_START_FAULT, COVEY_START_WATCHDOG}, kept, COVEY_ERROR_WATCHDOG},
      {{COVEY_START_WATCHDOG, COVEY_START_WATCHDOG, COVEY_START_FAULT},
       kept,
       COVEY_ERROR_MODEL_FAULTING},
      {{COVEY_START_FAULT, COVEY_START_WATCHDOG, COVEY_START_SOFTWARE},
       kept,
       COVEY_ERROR_BOOT_LOOP},
      {{COVEY_START_FAULT, COVEY_START_WATCHDOG, COVEY_START_UNKNOWN}, kept, COVEY_ERROR_BOOT_LOOP},
      // Nothing says that it was not the model.
      {{COVEY_START_UNKNOWN, COVEY_START_UNKNOWN, COVEY_START_FAULT},
       kNone,
       COVEY_ERROR_MODEL_FAULTING},
      {{COVEY_START_UNKNOWN, COVEY_START_UNKNOWN, COVEY_START_WATCHDOG},
       kNone,
       COVEY_ERROR_WATCHDOG}};
  const Release release = bad(FakeBehaviour::kCrashes);
  bench.gateway.add(release);
  uint32_t attempt = 2;
  for (const auto& row : rows) {
    SCOPED_TRACE(attempt);
    bench.device.config.retained = row.retained;
    ASSERT_TRUE(bench.reboot());
    bench.gateway.want({.candidate = &release, .attempt = attempt++});
    EXPECT_THROW(bench.run(20'000), Crash);
    for (size_t i = 0; i + 1 < row.causes.size(); ++i) {
      ASSERT_TRUE(crashes(bench, row.causes[i], 0)) << i;
    }
    ASSERT_TRUE(bench.reboot(row.causes.back()));
    expect_back(row.reason);
  }
}

TEST_F(Probation, AFaultOutsideTheModelIsAFailedStartButNotTheModelsFault) {
  const Release release = make_release({.version = "1.1.0", .seed = 2});
  bench.gateway.add(release);
  bench.gateway.grant = false;
  uint32_t attempt = 2;
  for (const covey_start_cause_t cause : {COVEY_START_FAULT, COVEY_START_WATCHDOG}) {
    bench.gateway.want({.candidate = &release, .attempt = attempt++});
    bench.run(1);
    ASSERT_TRUE(bench.run_until(COVEY_PHASE_PROBATION));
    int starts = 1;
    for (; bench.device.status().phase != COVEY_PHASE_REVERTED && starts < 10; ++starts) {
      ASSERT_TRUE(bench.reboot(cause));  // the application crashed, outside load and invoke
    }
    EXPECT_EQ(starts, COVEY_PROBATION_STARTS_MAX + 1);
    expect_back(COVEY_ERROR_BOOT_LOOP);
  }
}

TEST_F(Probation, BootLoopInTheLoad) {
  const Release release = make_release({.seed = 2});
  bench.gateway.add(release);
  bench.device.runtimes[0].crash_in_load = true;
  bench.gateway.want({.candidate = &release, .attempt = 2});
  EXPECT_THROW(bench.run(20'000), Crash);
  int starts = 1;
  for (;;) {
    // The good model must load at the end, so that only the candidate crashes here.
    bench.device.runtimes[0].crash_in_load = starts < COVEY_PROBATION_STARTS_MAX;
    if (!crashes(bench, COVEY_START_WATCHDOG, 0)) break;
    ++starts;
  }
  EXPECT_EQ(starts, COVEY_PROBATION_STARTS_MAX);
  expect_back(COVEY_ERROR_WATCHDOG);
}

TEST_F(Probation, SleepingBetweenReadingsIsNoBootLoop) {
  const Release release = make_release({.seed = 2});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .attempt = 2});
  bench.gateway.grant = false;
  bench.run(500, 50);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(bench.reboot(COVEY_START_SLEEP));
    bench.run(500, 100);
    EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_PROBATION);
  }
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(bench.reboot(COVEY_START_BROWN_OUT));
    bench.run(500, 100);
  }
  bench.gateway.grant = true;
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
}

TEST_F(Probation, SleepInTheMiddleOfTheSelftestIsNoFailedStart) {
  const Release release = make_release({.seed = 2, .vectors = 5});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .attempt = 2});
  while (bench.device.status().phase != COVEY_PHASE_PROBATION) ASSERT_TRUE(bench.run(1));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(bench.reboot(COVEY_START_SLEEP));  // before a single vector ran
    ASSERT_EQ(bench.device.status().phase, COVEY_PHASE_PROBATION) << i;
  }
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
}

TEST_F(Probation, SuspendAndResumeOnRetainedMemoryIsNoStartAtAll) {
  const Release release = make_release({.seed = 2});
  bench.gateway.grant = false;
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .attempt = 2});
  while (bench.device.status().phase != COVEY_PHASE_PROBATION) ASSERT_TRUE(bench.run(1));
  Device& device = bench.device;
  for (int i = 0; i < 50; ++i) {
    const uint32_t wait = covey_agent_suspend(&device.agent, device.now_ms);
    device.disconnect();
    device.now_ms += std::min<uint32_t>(wait, 3'600'000);
    ASSERT_EQ(covey_agent_resume(&device.agent, &device.config, device.now_ms), COVEY_OK);
    device.connect();
    bench.gateway.grant = i >= 8;
    bench.run(2000, 500);
    ASSERT_LE(device.agent.models[0].record.starts, 1);
  }
  EXPECT_EQ(device.status().phase, COVEY_PHASE_CONFIRMED);
  EXPECT_EQ(bench.gateway.inferences() + covey_agent_unacknowledged(&device.agent, 0),
            device.inferred);
}

TEST_F(Probation, ResumeTellsMemoryThatFaded) {
  Device& device = bench.device;
  EXPECT_EQ(covey_agent_resume(&device.agent, &device.config, device.now_ms),
            COVEY_ERROR_NO_CONTEXT);  // it never slept
  covey_agent_suspend(&device.agent, device.now_ms);
  reinterpret_cast<uint8_t*>(&device.agent)[sizeof device.agent / 2] ^= 4;
  EXPECT_EQ(covey_agent_resume(&device.agent, &device.config, device.now_ms),
            COVEY_ERROR_NO_CONTEXT);
  ASSERT_TRUE(bench.reboot(COVEY_START_SLEEP));
  EXPECT_EQ(device.active(), good.digest);
}

TEST_F(Probation, ANewFirmwareChecksItsModelsAgain) {
  const Release second = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(second, 2));
  // Other preprocessing code than both models were made for: better none than a wrong one.
  bench.device.config.preprocessing_id = 8;
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.active(), "");
  EXPECT_EQ(bench.device.status().fallback_reason, COVEY_ERROR_PREPROCESSING_MISMATCH);
  bench.run(5000);
  EXPECT_EQ(bench.gateway.state()->fallback_reason(), wire::REASON_PREPROCESSING_MISMATCH);
}

TEST_F(Probation, ANewFirmwareWithOtherOperatorsFallsBack) {
  bench.device.config.operator_set = 0;  // not known: what a release wants is not compared
  Release second = make_release({.version = "1.1.0", .seed = 2});
  second.manifest.set_operator_set(42);
  seal(second, author());
  ASSERT_TRUE(bench.deploy(second, 2));
  bench.device.config.operator_set = 0x1122334455667788U;
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(bench.device.active(), good.digest);
  EXPECT_EQ(bench.device.status().fallback_reason, COVEY_ERROR_RUNTIME_MISMATCH);
}

TEST_F(Probation, ConfirmedModelThatKeepsCrashingFallsBack) {
  const Release second = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(second, 2));
  int starts = 0;
  for (; starts < 10; ++starts) {
    if (bench.device.active() == good.digest) break;
    // Crashes in its first live inference.
    bench.device.retained.inside = 1;
    bench.device.retained.check = ~1U;
    ASSERT_TRUE(bench.reboot(COVEY_START_WATCHDOG));
    bench.run(1000);
  }
  EXPECT_EQ(starts, COVEY_CONFIRMED_FAULTS_MAX);
  bench.run(5000);
  EXPECT_EQ(bench.gateway.state()->active(), good.digest);
  EXPECT_EQ(bench.gateway.state()->confirmed(), good.digest);
  EXPECT_EQ(bench.gateway.state()->fallback_reason(), wire::REASON_WATCHDOG);
  EXPECT_EQ(bench.gateway.state()->phase(), wire::PHASE_REVERTED);
  // What was left is not taken again under the same attempt.
  ASSERT_TRUE(bench.reboot());
  bench.run(5000);
  EXPECT_EQ(bench.device.active(), good.digest);
  // A new confirm forgets the reason.
  ASSERT_TRUE(bench.deploy(second, 3));
  bench.run(5000);
  EXPECT_EQ(bench.gateway.state()->fallback_reason(), 0U);
}

TEST_F(Probation, ConfirmedModelThatKeepsFailingFallsBack) {
  const Release second = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(second, 2));
  bench.device.runtimes[0].invoke_fails = true;
  for (int i = 0; i < COVEY_CONFIRMED_FAULTS_MAX; ++i) EXPECT_FALSE(bench.device.infer());
  bench.device.runtimes[0].invoke_fails = false;
  bench.run(100);
  EXPECT_EQ(bench.device.active(), good.digest);
  EXPECT_EQ(bench.device.status().fallback_reason, COVEY_RUNTIME_INVOKE_FAILED);
}

TEST_F(Probation, OtherCrashesDoNotBlameTheModel) {
  const Release second = make_release({.version = "1.1.0", .seed = 2});
  ASSERT_TRUE(bench.deploy(second, 2));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(bench.reboot(COVEY_START_WATCHDOG));
    bench.run(1000, 100);
    EXPECT_EQ(bench.device.active(), second.digest);
  }
}

}  // namespace
}  // namespace covey::agent_test
