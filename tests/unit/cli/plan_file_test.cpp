// SPDX-License-Identifier: Apache-2.0
#include "cli/files/plan_file.hpp"

#include <gtest/gtest.h>

#include "core/yaml/yaml.hpp"

namespace covey::cli {
namespace {

const std::string kPlan = R"(apiVersion: covey/v1
kind: Rollout
metadata: {name: bearing-vibration-1.4.0}
spec:
  release: bearing-vibration@1.4.0
  target: 'labels.line = "press" AND class = "m4f-256k"'
  strata: [labels.hall, class]
  holdback: 5%
  stages:
    - {name: canary, size: 5%, soak: 24h, max_in_flight: 20}
    - {name: count, size: 20, timeout: 1h}
    - name: fleet
      size: 100%
      approval: required
      gates:
        - failures: {max: 5%}
  gates:
    - failures: {max: 2%, of: attempted, min_sample: 20}
    - accuracy: {non_inferior_by: 2pp, alpha: 5%, per: labels.machine_type}
    - silence: {max: 5%}
  on_fail: ROLLBACK
  seed: autumn
  attempt: {deadline: 10m, retries: 0, backoff: 1m}
  offline: {skip_after: 7d}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PlanFile, reads_a_whole_plan) {
  const PlanFile file = read_plan_file(replaced(kPlan, "size: 20,", "size: 25%,"));
  ASSERT_TRUE(file.problems.empty()) << to_error(file.problems, "plan.yaml").message;
  const PlanDocument& plan = file.document;
  EXPECT_EQ(plan.name, "bearing-vibration-1.4.0");
  EXPECT_EQ(plan.strata, (std::vector<std::string>{"labels.hall", "class"}));
  ASSERT_EQ(plan.stages.size(), 3U);
  EXPECT_EQ(plan.stages[0].max_in_flight, 20U);
  EXPECT_EQ(plan.stages[2].approval, "required");
  EXPECT_EQ(plan.stages[2].gates.at(0).failures->max, "5%");
  EXPECT_EQ(plan.gates[0].failures->min_sample, 20U);
  EXPECT_EQ(plan.gates[1].accuracy->per, "labels.machine_type");
  EXPECT_EQ(plan.attempt.retries, 0U);  // said to be none, not absent
  EXPECT_EQ(plan.offline.skip_after, "7d");
  EXPECT_EQ(plan.seed, "autumn");
}

TEST(PlanFile, names_path_and_line_of_an_unknown_key) {
  const PlanFile file = read_plan_file(replaced(kPlan, "max_in_flight", "maxInFlight"));
  ASSERT_EQ(file.problems.size(), 1U);
  EXPECT_EQ(file.problems[0].line, 10);
  EXPECT_EQ(file.problems[0].path, "spec.stages[0].maxInFlight");
  EXPECT_NE(file.problems[0].message.find("max_in_flight"), std::string::npos);
}

TEST(PlanFile, finds_all_problems_of_form_at_once) {
  std::string yaml = replaced(kPlan, "kind: Rollout", "kind: Roll");
  yaml = replaced(yaml, "retries: 0", "retries: often");
  yaml = replaced(yaml, "holdback: 5%", "holdback: [5%]");
  const PlanFile file = read_plan_file(yaml);
  std::vector<std::string> paths;
  for (const PlanFileProblem& problem : file.problems) paths.push_back(problem.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"kind", "spec.holdback", "spec.attempt.retries"}));
}

TEST(PlanFile, an_unknown_key_hides_no_bad_value) {
  std::string yaml = replaced(kPlan, "max_in_flight", "max_inflight");
  yaml = replaced(yaml, "soak: 24h", "soak: long");
  yaml = replaced(yaml, "holdback: 5%", "holdback: [5%]");
  yaml = replaced(yaml, "deadline: 10m", "deadline: soon");
  const PlanFile file = read_plan_file(yaml);
  std::vector<std::string> paths;
  for (const PlanFileProblem& problem : file.problems) paths.push_back(problem.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"spec.holdback", "spec.stages[0].max_inflight",
                                             "spec.stages[0].soak", "spec.attempt.deadline"}));
  EXPECT_NE(file.problems[1].message.find("did you mean max_in_flight?"), std::string::npos);
}

TEST(PlanFile, a_tab_is_named) {
  const PlanFile file = read_plan_file(replaced(kPlan, "  strata", "\tstrata"));
  ASSERT_EQ(file.problems.size(), 1U);
  EXPECT_EQ(file.problems[0].line, 7);
  EXPECT_NE(file.problems[0].message.find("tab"), std::string::npos) << file.problems[0].message;
}

TEST(PlanFile, the_command_line_may_say_name_and_release) {
  const std::string bare =
      replaced(replaced(kPlan, "metadata: {name: bearing-vibration-1.4.0}", "metadata: {}"),
               "  release: bearing-vibration@1.4.0\n", "");
  EXPECT_EQ(read_plan_file(bare).problems.size(), 2U);
  const PlanFile file = read_plan_file(bare, {.name = "one", .release = "bearing-vibration@1.5.0"});
  EXPECT_TRUE(file.problems.empty()) << to_error(file.problems, "plan.yaml").message;
  EXPECT_EQ(file.document.name, "one");
  EXPECT_EQ(file.document.release, "bearing-vibration@1.5.0");
  EXPECT_FALSE(read_plan_file(kPlan, {.name = "not a name", .release = ""}).problems.empty());
}

TEST(PlanFile, a_document_of_comments_is_none) {
  EXPECT_TRUE(read_plan_file(kPlan + "---\n# the end\n").problems.empty());
  EXPECT_TRUE(read_plan_file(kPlan + "...\n").problems.empty());
  EXPECT_FALSE(read_plan_file(kPlan + "---\n---\nkind: Rollout\n").problems.empty());
}

TEST(PlanFile, gives_problems_of_meaning_their_line) {
  const PlanFile file = read_plan_file(replaced(kPlan, "soak: 24h", "soak: long"));
  ASSERT_FALSE(file.problems.empty());
  EXPECT_EQ(file.problems[0].path, "spec.stages[0].soak");
  EXPECT_EQ(file.problems[0].line, 10);
  const std::string text = to_error(file.problems, "plan.yaml").message;
  EXPECT_EQ(text.rfind("plan.yaml:10: spec.stages[0].soak: ", 0), 0U) << text;
}

TEST(PlanFile, refuses_a_key_given_twice) {
  const PlanFile file =
      read_plan_file(replaced(kPlan, "on_fail: ROLLBACK", "on_fail: PAUSE\n  on_fail: ROLLBACK"));
  ASSERT_EQ(file.problems.size(), 1U);
  EXPECT_EQ(file.problems[0].path, "spec.on_fail");
}

TEST(PlanFile, refuses_what_is_no_plan) {
  EXPECT_FALSE(read_plan_file("").problems.empty());
  EXPECT_FALSE(read_plan_file("[1, 2]").problems.empty());
  EXPECT_FALSE(read_plan_file("a: [").problems.empty());
  EXPECT_FALSE(read_plan_file("a: 1\n---\nb: 2\n").problems.empty());
  EXPECT_FALSE(read_plan_file(std::string(kYamlBytesMax + 1, ' ')).problems.empty());
}

// A plan has nothing worth an anchor: what says the same twice is written twice.
TEST(PlanFile, refuses_anchors_and_aliases) {
  const PlanFile anchored = read_plan_file(
      replaced(replaced(kPlan, "holdback: 5%", "holdback: &few 5%"), "size: 20", "size: *few"));
  ASSERT_EQ(anchored.problems.size(), 2U);
  EXPECT_EQ(anchored.problems[0].line, 8);
  EXPECT_EQ(anchored.problems[1].line, 11);
  EXPECT_NE(anchored.problems[0].message.find("anchors"), std::string::npos);

  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below;
    for (int n = 0; n < 8; ++n) laughs += ", " + below;
    laughs += "]\n";
  }
  const PlanFile billion = read_plan_file(laughs);
  ASSERT_FALSE(billion.problems.empty());
  EXPECT_LE(billion.problems.size(), 100U);
  EXPECT_EQ(billion.problems[0].line, 1);
  EXPECT_NE(billion.problems[0].message.find("anchors"), std::string::npos);
  EXPECT_FALSE(read_plan_file("a: &x [*x]").problems.empty());
}

TEST(PlanFile, refuses_what_is_nested_without_end) {
  const PlanFile deep = read_plan_file("spec: " + std::string(200, '[') + std::string(200, ']'));
  ASSERT_EQ(deep.problems.size(), 1U);
  EXPECT_NE(deep.problems[0].message.find("nested"), std::string::npos);
}

}  // namespace
}  // namespace covey::cli
