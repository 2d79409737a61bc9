// SPDX-License-Identifier: Apache-2.0
#include "storage/rows/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace covey::rows {
namespace {

TEST(Json, KeepsEveryMemberOfAPlanDocument) {
  PlanDocument document;
  document.name = "bearing-vibration-1.4.0";
  document.release = "bearing-vibration@1.4.0";
  document.target = R"(labels.line = "press")";
  document.strata = {"labels.hall", "class"};
  document.holdback = "5%";
  document.seed = "seed";
  StageDocument stage{"canary", "SHADOW", "5%", "24h", 20, "required", "Mon-Fri", "2h", {}};
  GateDocument gate;
  gate.failures = GateDocument::Failures{"2%", "attempted", 20};
  stage.gates.push_back(gate);
  document.stages = {stage};
  gate = {};
  gate.silence = GateDocument::Silence{"5%"};
  document.gates.push_back(gate);
  gate = {};
  gate.accuracy = GateDocument::Accuracy{"2pp", "5%", "labels.hall", {}};
  document.gates.push_back(gate);
  gate = {};
  gate.drift = GateDocument::Drift{"0.1"};
  document.gates.push_back(gate);
  gate = {};
  gate.latency = GateDocument::Latency{"40ms"};
  document.gates.push_back(gate);
  gate = {};
  gate.agreement = GateDocument::Agreement{"97%"};
  document.gates.push_back(gate);
  document.on_fail = "PAUSE";
  document.attempt = {"12h", 0, "1m"};
  document.offline = {"7d"};

  const std::string text = to_json(document);
  const Result<PlanDocument> read = from_json<PlanDocument>(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), text);
  ASSERT_EQ(read->gates.size(), 5U);
  EXPECT_EQ(read->gates[1].accuracy->per, "labels.hall");
  EXPECT_FALSE(read->gates[1].accuracy->min_sample);
  EXPECT_EQ(read->gates[4].agreement->min, "97%");
  EXPECT_EQ(read->attempt.retries, 0U);
  EXPECT_EQ(read->stages[0].gates[0].failures->min_sample, 20U);
  EXPECT_EQ(read->stages[0].window, "Mon-Fri");
}

TEST(Json, KeepsNumbersExactly) {
  std::vector<monitoring::GateResult> results(1);
  results[0].measures = {{"a", 0.1 + 0.2, std::numeric_limits<double>::denorm_min(), ""},
                         {"b", -std::numeric_limits<double>::infinity(), 1e308, ""}};
  EXPECT_EQ(*from_json<std::vector<monitoring::GateResult>>(to_json(results)), results);
  results[0].measures[0].value = NAN;
  const auto read = from_json<std::vector<monitoring::GateResult>>(to_json(results));
  ASSERT_TRUE(read);
  EXPECT_TRUE(std::isnan(read->at(0).measures[0].value));
  const std::vector<monitoring::Gap> gaps = {{1, std::numeric_limits<uint64_t>::max()}};
  EXPECT_EQ(*from_json<std::vector<monitoring::Gap>>(to_json(gaps)), gaps);
}

TEST(Json, RefusesWhatIsNoneAndThrowsNothing) {
  EXPECT_FALSE(from_json<Labels>(""));
  EXPECT_FALSE(from_json<Labels>("[1]"));
  EXPECT_FALSE(from_json<Labels>(R"({"line": 5})"));
  EXPECT_FALSE(from_json<Models>(R"([{"desired": "xyz"}])"));
  EXPECT_FALSE(from_json<Models>(R"({"desired": 1})"));
  EXPECT_FALSE(from_json<std::vector<StageProgress>>(R"([{"state": "SLEEPING"}])"));
  EXPECT_FALSE(from_json<std::vector<uint32_t>>(R"(["a"])"));
  EXPECT_TRUE(from_json<std::vector<StageProgress>>(R"([{"state": "SOAKING", "later": 1}])"));
  // Bytes that are no UTF-8 don't throw either.
  EXPECT_TRUE(from_json<Labels>(to_json(Labels{{"line", "\xff\xfe"}})));
}

}  // namespace
}  // namespace covey::rows
