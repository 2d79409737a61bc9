// SPDX-License-Identifier: Apache-2.0
// Labels: late, repeated, changed, without a sample, before their sample; and the accuracy gate.
#include <gtest/gtest.h>

#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"

namespace covey::test {
namespace {

const ModelName kLabelled("bearing");

class Labels : public FleetTest {
 protected:
  Result<engine::CommandReply> label(const std::string& id, uint64_t inference, uint32_t truth) {
    return site.command(engine::SubmitLabels{
        kLabelled, {{DeviceId(id), site.device(id).boot_id, inference, truth}}});
  }
  engine::AccuracyRow accuracy() const {
    const auto rows = engine::count_accuracy(site.state(), kLabelled, "");
    return rows.ok() && !rows->empty() ? rows->front() : engine::AccuracyRow{};
  }
};

TEST_F(Labels, MatchTheirSampleWheneverEitherComes) {
  make(1);
  site.report("d0", site.window("d0", 10, -1, 3));
  EXPECT_EQ(label("d0", 1, 0)->labels_matched, 1U);
  EXPECT_EQ(label("d0", 2, 1)->labels_matched, 1U);
  EXPECT_EQ(accuracy().labelled, 2U);
  EXPECT_EQ(accuracy().correct, 1U);

  // Before the sample: kept, and matched when it comes.
  EXPECT_EQ(label("d0", 11, 0)->labels_unmatched, 1U);
  EXPECT_EQ(accuracy().labelled, 2U);
  site.report("d0", site.window("d0", 10, -1, 2));
  EXPECT_EQ(accuracy().labelled, 3U);
  EXPECT_EQ(accuracy().correct, 2U);

  // Never sampled: unmatched, and no evidence.
  EXPECT_EQ(label("d0", 999, 0)->labels_unmatched, 1U);
  EXPECT_EQ(accuracy().labelled, 3U);
}

// A pipeline that may label pumps only.
TEST_F(Labels, OfAnotherModelDecideNothing) {
  make(1);
  const ModelName other("pump");
  const auto artifact = site.open({1, 0, 0}, {"m4"}, 0, other);
  ASSERT_TRUE(site.command(engine::CreateRelease{{other, {1, 0, 0}}, {artifact}}).ok());
  const auto as_pump = [&](uint64_t inference, uint32_t truth) {
    return site.command(engine::SubmitLabels{
        other, {{DeviceId("d0"), site.device("d0").boot_id, inference, truth}}});
  };
  site.report("d0", site.window("d0", 10, -1, 3));
  EXPECT_EQ(as_pump(1, 0)->labels_unmatched, 1U);
  EXPECT_EQ(accuracy().labelled, 0U);
  EXPECT_EQ(label("d0", 1, 0)->labels_matched, 1U);
  EXPECT_EQ(as_pump(1, 1)->labels_unmatched, 1U);
  EXPECT_EQ(accuracy().correct, 1U);
  // Before its sample.
  EXPECT_EQ(as_pump(11, 0)->labels_unmatched, 1U);
  site.report("d0", site.window("d0", 10, -1, 2));
  EXPECT_EQ(accuracy().labelled, 1U);
}

TEST_F(Labels, OfADeviceThatIsNotThereAreLeftOut) {
  make(1);
  site.report("d0", site.window("d0", 10, -1, 1));
  engine::SubmitLabels batch{kLabelled, {{DeviceId("retired"), 1, 1, 0}}};
  EXPECT_EQ(site.command(batch).error().code, Code::kNotFound) << "not one that is there";
  batch.labels.push_back({DeviceId("d0"), site.device("d0").boot_id, 1, 0});
  const auto reply = site.command(batch);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->labels_of_nobody, 1U);
  EXPECT_EQ(reply->labels_matched, 1U);
  EXPECT_EQ(site.audit().front().detail,
            "1 matched, 0 unmatched, 0 unchanged, 1 of devices that are not there");
}

TEST_F(Labels, RepeatedOnesCountOnceAndChangedOnesReplace) {
  make(1);
  site.report("d0", site.window("d0", 10, -1, 1));
  EXPECT_EQ(label("d0", 1, 0)->labels_matched, 1U);
  EXPECT_EQ(label("d0", 1, 0)->labels_unchanged, 1U);
  EXPECT_EQ(accuracy().labelled, 1U);
  EXPECT_EQ(accuracy().correct, 1U);
  EXPECT_EQ(label("d0", 1, 1)->labels_matched, 1U);
  EXPECT_EQ(accuracy().labelled, 1U);
  EXPECT_EQ(accuracy().correct, 0U);
}

TEST_F(Labels, OutliveARestart) {
  make(1);
  site.report("d0", site.window("d0", 10, -1, 2));
  (void)label("d0", 1, 0);
  (void)label("d0", 11, 1);
  site.restart();
  EXPECT_EQ(accuracy().labelled, 1U);
  EXPECT_EQ(label("d0", 1, 0)->labels_unchanged, 1U);
  site.report("d0", site.window("d0", 10, -1, 1));
  EXPECT_EQ(accuracy().labelled, 2U) << "the label that waited was forgotten";
}

TEST_F(Labels, AreAllOrNothing) {
  make(1);
  site.report("d0", site.window("d0", 10, -1, 2));
  const uint64_t boot = site.device("d0").boot_id;
  const auto reply = site.command(engine::SubmitLabels{
      kLabelled, {{DeviceId("d0"), boot, 1, 0}, {DeviceId("d0"), boot, 2, 7}}});
  EXPECT_EQ(reply.error().reason, "BAD_CLASS");
  EXPECT_NE(reply.error().message.find("labels[1].class"), std::string::npos);
  EXPECT_EQ(accuracy().labelled, 0U);
  EXPECT_EQ(site.command(engine::SubmitLabels{kLabelled, {{DeviceId("zz"), 1, 1, 0}}}).error().code,
            Code::kNotFound);
  EXPECT_EQ(site.command(engine::SubmitLabels{ModelName("other"), {}}).error().code,
            Code::kNotFound);
  engine::SubmitLabels many{kLabelled, {}};
  many.labels.resize(kLabelsPerRequestMax + 1);
  EXPECT_EQ(site.command(many).error().reason, "TOO_MANY_LABELS");
}

// A site that labels every inference, again and again.
class ManyLabels : public Labels {
 protected:
  Result<engine::CommandReply> label_range(uint64_t first, uint64_t count, uint32_t truth = 0) {
    engine::SubmitLabels labels{kLabelled, {}};
    for (uint64_t i = 0; i < count; ++i) {
      labels.labels.push_back({DeviceId("d0"), site.device("d0").boot_id, first + i, truth});
    }
    return site.command(labels);
  }
  void sample(uint32_t count) { site.report("d0", site.window("d0", count, -1, count)); }
  // Memory forgets what the store knows.
  void pass_what_is_remembered() { site.pass(kInferencesRemembered + 10s, 1s); }
};

TEST_F(ManyLabels, CountOnceHoweverOftenTheyAreSent) {
  make(1);
  sample(16'000);
  EXPECT_EQ(label_range(1, 8'000)->labels_matched, 8'000U);
  EXPECT_EQ(label_range(8'001, 8'000)->labels_matched, 8'000U);
  EXPECT_EQ(label_range(20'001, 8'000)->labels_unmatched, 8'000U);
  EXPECT_EQ(label_range(1, 8'000)->labels_unchanged, 8'000U);
  EXPECT_EQ(accuracy().labelled, 16'000U);
  pass_what_is_remembered();
  EXPECT_EQ(site.state().telemetry.recent.samples.size(), 16'000U) << "until one comes";
  EXPECT_EQ(label_range(1, 8'000)->labels_unchanged, 8'000U);
  EXPECT_TRUE(site.state().telemetry.recent.samples.empty());
  site.restart();
  EXPECT_EQ(label_range(8'001, 8'000)->labels_unchanged, 8'000U);
  EXPECT_EQ(accuracy().labelled, 16'000U);
  EXPECT_EQ(accuracy().correct, 16'000U);
  EXPECT_EQ(label_range(1, 100, 1)->labels_matched, 100U) << "changed";
  EXPECT_EQ(accuracy().labelled, 16'000U);
  EXPECT_EQ(accuracy().correct, 15'900U);
}

TEST_F(ManyLabels, MeetASampleThatOnlyTheStoreHas) {
  make(1);
  sample(100);
  pass_what_is_remembered();
  site.restart();
  EXPECT_TRUE(site.state().telemetry.recent.samples.empty());
  EXPECT_EQ(label_range(1, 100)->labels_matched, 100U);
  EXPECT_EQ(accuracy().labelled, 100U);
}

TEST_F(ManyLabels, MayComeBeforeTheirSamplesByTheThousand) {
  make(1);
  for (int i = 0; i < 3; ++i) (void)label_range(1 + 8'000 * static_cast<uint64_t>(i), 8'000);
  site.restart();
  sample(24'000);
  EXPECT_EQ(accuracy().labelled, 24'000U);
  EXPECT_EQ(label_range(1, 8'000)->labels_unchanged, 8'000U);
  EXPECT_TRUE(site.state().telemetry.waiting.by_key.empty());
  site.check_reload();
}

TEST_F(ManyLabels, ThatNoSampleMeetsAreBounded) {
  make(1);
  const uint64_t rounds = kLabelsWaitingMax / kLabelsPerRequestMax + 1;
  for (uint64_t i = 0; i < rounds; ++i) {
    (void)label_range(1 + i * kLabelsPerRequestMax, kLabelsPerRequestMax);
  }
  EXPECT_EQ(site.state().telemetry.waiting.by_key.size(), kLabelsWaitingMax);
  EXPECT_EQ(site.state().telemetry.waiting.by_order.size(), kLabelsWaitingMax);
  EXPECT_EQ(site.store().load({})->labels.size(), kLabelsWaitingMax);
  EXPECT_EQ(site.drops(engine::Drop::kLabelLimit),
            rounds * kLabelsPerRequestMax - kLabelsWaitingMax);
  sample(10);
  EXPECT_EQ(accuracy().labelled, 0U) << "the oldest are gone";
  EXPECT_EQ(label_range(1, 10)->labels_matched, 10U) << "and can be sent again";
}

TEST_F(ManyLabels, ACorrectionAfterTheirTermTakesNothingBack) {
  engine::EngineConfig config = quick_config();
  config.retention = 1h;
  site.restart(config);
  make(1);
  sample(10);
  EXPECT_EQ(label_range(1, 10)->labels_matched, 10U);
  const engine::ReportMessage later = site.window("d0", 10, -1, 10);
  site.pass(3h, 1s);
  EXPECT_EQ(accuracy().labelled, 0U);
  EXPECT_TRUE(site.state().telemetry.tally.empty()) << "keys go, too";
  site.report("d0", later);
  EXPECT_EQ(label_range(1, 10, 1)->labels_unmatched, 10U);
  EXPECT_LE(accuracy().correct, accuracy().labelled);
  EXPECT_EQ(accuracy().labelled, 0U);
}

TEST_F(ManyLabels, MeanTheSameWhenWindowsGetAnotherLength) {
  make(1);
  sample(10);
  EXPECT_EQ(label_range(1, 10)->labels_matched, 10U);
  engine::EngineConfig config = quick_config();
  config.window = 15min;
  site.restart(config);
  sample(10);
  EXPECT_EQ(label_range(11, 10)->labels_matched, 10U);
  EXPECT_EQ(accuracy().labelled, 20U);
  config.window = 20s;
  site.restart(config);
  EXPECT_EQ(accuracy().labelled, 20U);
  for (const auto& [key, spans] : site.state().telemetry.tally) {
    for (const auto& [start, labels] : spans) {
      EXPECT_LE(Millis{start}, site.now().wall);
      EXPECT_GT(Millis{start}, site.now().wall - 1h);
    }
  }
}

class AccuracyGateTest : public Labels {
 protected:
  // 24 devices, half of them on presses and half on lathes; half of each is the canary.
  void start() {
    make(24);
    for (int i = 0; i < 24; ++i) {
      ASSERT_TRUE(site.command(engine::LabelDevices{
                                   {.ids = {DeviceId("d" + std::to_string(i))}, .filter = ""},
                                   {{"machine_type", i % 2 == 0 ? "press" : "lathe"}},
                                   {}})
                      .ok());
    }
    PlanDocument plan = simple_plan("r", "1.1.0");
    plan.strata = {"labels.machine_type"};
    plan.stages = {stage("canary", "50%"), stage("fleet", "100%")};
    plan.stages[0].timeout = "10m";
    GateDocument gate;
    gate.accuracy = {
        .non_inferior_by = "5pp", .alpha = "5%", .per = "labels.machine_type", .min_sample = {}};
    plan.gates = {failures_gate("30%"), gate};
    ASSERT_TRUE(site.roll_out(plan).ok());
    site.pass(500ms);
    site.obey_all();
    for (int i = 0; i < 24; ++i) {
      const std::string id = "d" + std::to_string(i);
      if (site.device(id).model.confirmed == site.manifest({1, 1, 0})) {
        site.device(id).window = 0;  // another release, another stream
        site.device(id).inferences = 0;
        site.reboot(id);
        site.hello(id);
      }
    }
    site.pass(61s, 500ms);  // the mixed window is over
    ASSERT_EQ(site.rollout_text("r"), "RUNNING canary=ANALYZING fleet=PENDING");
  }
  bool canary(const std::string& id) {
    return site.device(id).model.confirmed == site.manifest({1, 1, 0});
  }
  // `n` labelled samples of every device, of which `wrong` of ten are wrong.
  template <typename Wrong>
  void label_all(uint32_t n, const Wrong& wrong) {
    label_those([](const std::string&) { return true; }, n, wrong);
  }
  template <typename Which, typename Wrong>
  void label_those(const Which& which, uint32_t n, const Wrong& wrong) {
    for (int i = 0; i < 24; ++i) {
      const std::string id = "d" + std::to_string(i);
      if (!which(id)) continue;
      site.hello(id);
      site.report(id, site.window(id, n, -1, n));
      engine::SubmitLabels labels{kLabelled, {}};
      const uint64_t first = site.device(id).inferences - n + 1;
      for (uint32_t k = 0; k < n; ++k) {
        labels.labels.push_back({DeviceId(id), site.device(id).boot_id, first + k,
                                 k % 10 < wrong(id, i % 2 == 0) ? 1U : 0U});
      }
      ASSERT_TRUE(site.command(labels).ok());
    }
    site.pass(1s);
  }
};

// The fleet as a whole is better: only lathes lose, and the gate says so.
TEST_F(AccuracyGateTest, FailsOnOneStratumAndNamesIt) {
  start();
  label_all(300, [&](const std::string& id, bool press) {
    if (press) return canary(id) ? 0U : 3U;
    return canary(id) ? 4U : 1U;
  });
  EXPECT_EQ(site.rollout("r").progress.state, RolloutState::kRollingBack);
  EXPECT_EQ(site.rollout("r").progress.reason, "ACCURACY_CANARY_WORSE");
  EXPECT_NE(site.rollout("r").progress.explanation.find("lathe"), std::string::npos)
      << site.rollout("r").progress.explanation;
  EXPECT_EQ(site.rollout("r").progress.explanation.find("press"), std::string::npos)
      << site.rollout("r").progress.explanation;
}

TEST_F(AccuracyGateTest, PassesWhereEveryStratumHolds) {
  start();
  label_all(300, [&](const std::string& id, bool) { return canary(id) ? 0U : 1U; });
  EXPECT_EQ(site.rollout("r").progress.stages[0].state, StageState::kPassed)
      << site.rollout_text("r");
}

// Control was labelled while all went well, the canary later, when the whole site did badly.
TEST_F(AccuracyGateTest, ControlOfAnotherTimeIsNoControl) {
  start();
  label_those([&](const std::string& id) { return !canary(id); }, 300,
              [](const std::string&, bool) { return 0U; });
  site.pass(121s, 500ms);
  label_those([&](const std::string& id) { return canary(id); }, 300,
              [](const std::string&, bool) { return 4U; });
  EXPECT_EQ(site.rollout_text("r"), "RUNNING canary=ANALYZING fleet=PENDING");
  site.restart();
  for (int minute = 0; minute < 9; ++minute) {
    for (int i = 0; i < 24; ++i) site.status("d" + std::to_string(i));
    site.pass(60s, 1s);
  }
  EXPECT_EQ(site.rollout_text("r"), "PAUSED(GATE_INCONCLUSIVE) canary=INCONCLUSIVE fleet=PENDING");
  EXPECT_NE(site.rollout("r").progress.explanation.find("are of windows in which both have some"),
            std::string::npos)
      << site.rollout("r").progress.explanation;
  // Side by side they do equally well.
  label_all(300, [](const std::string&, bool) { return 1U; });
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  site.pass(1s);
  EXPECT_NE(site.rollout("r").progress.state, RolloutState::kRollingBack);
  EXPECT_EQ(site.rollout("r").progress.stages[0].state, StageState::kPassed)
      << site.rollout_text("r");
}

// A stage may be judged for days; `telemetry.retention` may be an hour.
TEST_F(AccuracyGateTest, ItsLabelsLiveAsLongAsTheRollout) {
  engine::EngineConfig config = quick_config();
  config.retention = 1h;
  site.restart(config);
  start();
  label_all(12, [](const std::string&, bool) { return 1U; });
  const engine::LabelTally before = site.state().telemetry.tally;
  ASSERT_FALSE(before.empty());
  site.pass(4h, 2s);
  EXPECT_EQ(site.state().telemetry.tally, before);
  site.restart(config);
  EXPECT_EQ(site.state().telemetry.tally, before);
  ASSERT_TRUE(site.command(engine::AbortRollout{RolloutName("r"), true, ""}).ok());
  site.pass(2h, 2s);
  EXPECT_TRUE(site.state().telemetry.tally.empty()) << "over: the term is the site's again";
}

// argo-rollouts#1466: no data is no reason to go on, nor to crash.
TEST_F(AccuracyGateTest, WithoutLabelsItPausesAtItsTimeout) {
  start();
  for (int minute = 0; minute < 11; ++minute) {
    for (int i = 0; i < 24; ++i) site.status("d" + std::to_string(i));
    site.pass(60s, 1s);
  }
  EXPECT_EQ(site.rollout_text("r"), "PAUSED(GATE_INCONCLUSIVE) canary=INCONCLUSIVE fleet=PENDING");
  EXPECT_FALSE(site.rollout("r").progress.explanation.empty());
  // Labels come late, as labels do; resumed, they decide.
  label_all(300, [&](const std::string& id, bool) { return canary(id) ? 0U : 1U; });
  ASSERT_TRUE(site.command(engine::ResumeRollout{RolloutName("r")}).ok());
  site.pass(1s);
  EXPECT_EQ(site.rollout("r").progress.stages[0].state, StageState::kPassed)
      << site.rollout_text("r");
}

}  // namespace
}  // namespace covey::test
