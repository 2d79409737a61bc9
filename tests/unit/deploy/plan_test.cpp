// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollout/plan.hpp"
#include "core/limits.hpp"

#include <gtest/gtest.h>

namespace covey {
namespace {

GateDocument failures(std::string max, std::string of = "",
                      std::optional<uint32_t> min_sample = {}) {
  GateDocument gate;
  gate.failures = GateDocument::Failures{std::move(max), std::move(of), min_sample};
  return gate;
}

GateDocument accuracy(std::string margin, std::string alpha = "", std::string per = "") {
  GateDocument gate;
  gate.accuracy = GateDocument::Accuracy{std::move(margin), std::move(alpha), std::move(per), {}};
  return gate;
}

StageDocument stage(std::string name, std::string size) {
  StageDocument document;
  document.name = std::move(name);
  document.size = std::move(size);
  return document;
}

PlanDocument example() {
  PlanDocument document;
  document.name = "bearing-vibration-1.4.0";
  document.release = "bearing-vibration@1.4.0";
  document.target = R"(labels.line = "press" AND class = "m4f-256k")";
  document.strata = {"labels.hall", "class"};
  document.holdback = "5%";
  document.stages = {stage("canary", "5%"), stage("quarter", "25%"), stage("fleet", "100%")};
  document.stages[0].soak = "24h";
  document.stages[0].max_in_flight = 20;
  document.stages[2].approval = "required";
  document.gates = {failures("2%", "attempted", 20), accuracy("2pp", "5%", "labels.machine_type")};
  document.on_fail = "ROLLBACK";
  document.attempt = {"24h", 2, "10m"};
  document.offline = {"7d"};
  return document;
}

std::vector<std::string> problems(const PlanDocument& document) {
  std::vector<std::string> lines;
  for (const PlanProblem& problem : read_plan(document).problems) {
    lines.push_back(problem.path + ": " + problem.reason);
  }
  return lines;
}

TEST(Plan, ReadsTheExample) {
  const Result<Plan> plan = parse_plan(example());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(to_string(plan->release), "bearing-vibration@1.4.0");
  EXPECT_EQ(plan->holdback, Ratio::percent(5));
  EXPECT_EQ(plan->seed, "bearing-vibration-1.4.0");
  ASSERT_EQ(plan->stages.size(), 3U);
  EXPECT_EQ(plan->stages[0].soak, Millis(24h));
  EXPECT_EQ(plan->stages[0].max_in_flight, 20U);
  EXPECT_EQ(plan->stages[1].size.share, Ratio::percent(25));
  EXPECT_TRUE(plan->stages[2].approval_required);
  for (const Stage& each : plan->stages) {
    ASSERT_EQ(each.gates.size(), 2U);
    EXPECT_EQ(to_string(each.gates[0]), "failures {max: 2%, of: attempted, min_sample: 20}");
    EXPECT_EQ(to_string(each.gates[1]),
              "accuracy {non_inferior_by: 2%, alpha: 5%, per: labels.machine_type}");
  }
}

TEST(Plan, Defaults) {
  PlanDocument document;
  document.name = "r";
  document.release = "m@1.0.0";
  document.stages = {stage("fleet", "100%")};
  const Plan plan = *parse_plan(document);
  EXPECT_TRUE(plan.target.matches_everything());
  EXPECT_EQ(plan.on_fail, OnFail::kRollback);
  EXPECT_EQ(plan.attempt, (AttemptRules{Millis(24h), 2, Millis(10min)}));
  EXPECT_EQ(plan.skip_after, Millis(24h * 7));
  EXPECT_EQ(plan.holdback, Ratio{});
  EXPECT_EQ(plan.stages[0].timeout, Millis(24h));
  EXPECT_EQ(plan.stages[0].gates,
            std::vector<Gate>{(FailuresGate{Ratio::percent(5), Denominator::kAttempted, 1})});
}

TEST(Plan, AStagesGatesReplaceThePlans) {
  PlanDocument document = example();
  document.stages[1].gates = {accuracy("3pp")};
  const Plan plan = *parse_plan(document);
  ASSERT_EQ(plan.stages[1].gates.size(), 1U);
  EXPECT_EQ(to_string(plan.stages[1].gates[0]), "accuracy {non_inferior_by: 3%, alpha: 5%}");
  EXPECT_EQ(plan.stages[2].gates.size(), 2U);
}

TEST(Plan, AnAccuracyGateSaysItsLabelsAndItsBoundPerStratum) {
  PlanDocument document = example();
  GateDocument gate = accuracy("2pp", "", "labels.line");
  gate.accuracy->per_stratum = "8pp";
  gate.accuracy->labels = 600;
  gate.accuracy->expect = "92%";
  gate.accuracy->labels_per_day = 300;
  document.stages[1].gates = {gate};
  const Plan plan = *parse_plan(document);
  EXPECT_EQ(to_string(plan.stages[1].gates[0]),
            "accuracy {non_inferior_by: 2%, alpha: 5%, per: labels.line, per_stratum: 8%, labels: "
            "600, expect: 92%, labels_per_day: 300}");

  document.gates.clear();
  gate.accuracy->per_stratum = "1pp";  // less than the margin
  gate.accuracy->labels = 0;
  gate.accuracy->expect = "100%";
  document.stages[1].gates = {gate};
  EXPECT_EQ(problems(document),
            (std::vector<std::string>{"spec.stages[1].gates[0].accuracy.per_stratum: BAD_PLAN",
                                      "spec.stages[1].gates[0].accuracy.labels: BAD_PLAN",
                                      "spec.stages[1].gates[0].accuracy.expect: BAD_PLAN"}));
  gate = accuracy("2pp");
  gate.accuracy->per_stratum = "8pp";  // without strata
  document.stages[1].gates = {gate};
  EXPECT_EQ(problems(document),
            (std::vector<std::string>{"spec.stages[1].gates[0].accuracy.per_stratum: BAD_PLAN"}));
}

TEST(Plan, ShowsAllProblemsAtOnce) {
  PlanDocument document = example();
  document.name = "Bad Name";
  document.release = "bearing";
  document.target = "class =";
  document.strata = {"labels.hall", "colour", "labels.hall", "class:*"};
  document.holdback = "100%";
  document.on_fail = "EXPLODE";
  document.attempt = {"soon", 101, "-1s"};
  document.offline = {"x"};
  document.source = std::string(kSourceBytesMax + 1, 'g');
  document.stages[0].size = "5%%";
  document.stages[1].name = "canary";
  document.stages[1].mode = "LOUD";
  document.stages[2].approval = "yes";
  document.stages[2].size = "0";
  document.gates = {failures("", "everybody"), failures("1%"), GateDocument{},
                    accuracy("0%", "60%", "class")};
  EXPECT_EQ(problems(document),
            (std::vector<std::string>{"metadata.name: BAD_PLAN",
                                      "spec.release: BAD_PLAN",
                                      "spec.target: BAD_PLAN",
                                      "spec.holdback: BAD_PLAN",
                                      "spec.source: BAD_PLAN",
                                      "spec.on_fail: BAD_PLAN",
                                      "spec.strata[1]: BAD_PLAN",
                                      "spec.strata[2]: BAD_PLAN",
                                      "spec.strata[3]: BAD_PLAN",
                                      "spec.attempt.deadline: BAD_PLAN",
                                      "spec.attempt.retries: BAD_PLAN",
                                      "spec.attempt.backoff: BAD_PLAN",
                                      "spec.offline.skip_after: BAD_PLAN",
                                      "spec.gates[0].failures.max: BAD_PLAN",
                                      "spec.gates[0].failures.of: BAD_PLAN",
                                      "spec.gates[1]: BAD_PLAN",
                                      "spec.gates[2]: BAD_PLAN",
                                      "spec.gates[3].accuracy.non_inferior_by: BAD_PLAN",
                                      "spec.gates[3].accuracy.alpha: BAD_PLAN",
                                      "spec.gates[3].accuracy.per: BAD_PLAN",
                                      "spec.stages[0].size: BAD_PLAN",
                                      "spec.stages[1].mode: BAD_PLAN",
                                      "spec.stages[1].name: BAD_PLAN",
                                      "spec.stages[2].size: BAD_PLAN",
                                      "spec.stages[2].approval: BAD_PLAN"}));
}

TEST(Plan, OneErrorHoldsAllLines) {
  PlanDocument document = example();
  document.stages[0].size = "5%%";
  document.stages[1].soak = "later";
  const Error error = parse_plan(document).error();
  EXPECT_EQ(error.reason, "BAD_PLAN");
  EXPECT_EQ(
      error.message,
      "spec.stages[0].size: '5%%' is not a share: write for example 5%, 0.5%, 2pp or 0.02 (0 "
      "to 100 %)\n"
      "spec.stages[1].soak: 'later' is not a duration: write for example 250ms, 90s, 10m, 24h "
      "or 1h30m (at most ten years)");
}

TEST(Plan, RefusesWhatComesLaterByName) {
  const auto reason = [](const PlanDocument& document) {
    return parse_plan(document).error().reason;
  };
  PlanDocument document = example();
  GateDocument latency;
  latency.latency = GateDocument::Latency{"40ms"};
  GateDocument agreement;
  agreement.agreement = GateDocument::Agreement{"97%"};
  document.gates = {latency, agreement};
  EXPECT_EQ(reason(document), "UNSUPPORTED_GATE");
  document.release = "x";
  EXPECT_EQ(reason(document), "BAD_PLAN");
  document = example();
  document.stages[0].mode = "SHADOW";
  EXPECT_EQ(reason(document), "UNSUPPORTED_MODE");
  document = example();
  document.stages[0].window = "Mon-Fri 22:00-05:00 Europe/Amsterdam";
  EXPECT_EQ(reason(document), "UNSUPPORTED_WINDOW");
}

// Once, at reading: what a plan may say is what the site will judge.
TEST(Plan, RefusesAGateThatNothingJudges) {
  PlanDocument document = example();
  GateDocument drift;
  drift.drift = GateDocument::Drift{"0.1"};
  document.stages[0].gates = {drift};
  EXPECT_EQ(problems(document),
            std::vector<std::string>{"spec.stages[0].gates[0].drift: UNSUPPORTED_GATE"});
  EXPECT_NE(parse_plan(document).error().message.find("drift alerts"), std::string::npos);
  for (const char* bad : {"", "0", "10%", "2", "x"}) {
    document.stages[0].gates[0].drift->max_psi = bad;
    EXPECT_EQ(problems(document).at(0), "spec.stages[0].gates[0].drift.max_psi: BAD_PLAN");
  }
}

TEST(Plan, StagesGrow) {
  PlanDocument document = example();
  document.stages = {stage("a", "20"), stage("b", "10%"), stage("c", "10"), stage("d", "5%")};
  EXPECT_EQ(problems(document), (std::vector<std::string>{"spec.stages[2].size: BAD_PLAN",
                                                          "spec.stages[3].size: BAD_PLAN"}));
  document.stages = {};
  EXPECT_EQ(problems(document), std::vector<std::string>{"spec.stages: BAD_PLAN"});
  document.stages.assign(kStagesMax + 1, stage("a", "1"));
  EXPECT_EQ(problems(document), std::vector<std::string>{"spec.stages: BAD_PLAN"});
}

TEST(Plan, AHostileDocumentGetsABoundedAnswer) {
  PlanDocument document = example();
  document.stages.assign(kStagesMax, stage("A", "x"));
  for (StageDocument& each : document.stages) each.gates.assign(kGatesMax, failures("x", "y"));
  EXPECT_EQ(problems(document).size(), 50U);
}

}  // namespace
}  // namespace covey
