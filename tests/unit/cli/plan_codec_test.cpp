#include "gateway/codec/plan_codec.hpp"

#include <gtest/gtest.h>

#include "cli/plan_file.hpp"

namespace covey {
namespace {

PlanDocument full_document() {
  PlanDocument document;
  document.name = "bearing-vibration-1.4.0";
  document.release = "bearing-vibration@1.4.0";
  document.target = "labels.line = press";
  document.strata = {"labels.hall"};
  document.holdback = "5%";
  StageDocument stage;
  stage.name = "canary";
  stage.size = "5%";
  stage.soak = "1h";
  stage.max_in_flight = 7;
  stage.approval = "required";
  stage.timeout = "2h";
  GateDocument silence;
  silence.silence = {"5%"};
  stage.gates = {silence};
  document.stages = {stage};
  GateDocument failures;
  failures.failures = {"2%", "attempted", 0};
  GateDocument accuracy;
  accuracy.accuracy = {"2pp", "5%", "labels.machine_type", std::nullopt};
  document.gates = {failures, accuracy};
  document.on_fail = "PAUSE";
  document.seed = "autumn";
  document.attempt = {"10m", 0, "1m"};
  document.offline.skip_after = "7d";
  return document;
}

TEST(PlanCodec, goes_both_ways_without_a_loss) {
  const PlanDocument document = full_document();
  const v1::RolloutSpec spec = plan_to_proto(document);
  const Result<PlanDocument> back = plan_from_proto(spec, document.name);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(plan_to_proto(*back).SerializeAsString(), spec.SerializeAsString());
  EXPECT_EQ(back->name, document.name);
  EXPECT_EQ(back->seed, "autumn");
  EXPECT_EQ(back->attempt.retries, 0U);
  EXPECT_EQ(back->gates[0].failures->min_sample, 0U);
  EXPECT_FALSE(back->gates[1].accuracy->min_sample.has_value());
  EXPECT_EQ(back->stages[0].max_in_flight, 7U);
}

TEST(PlanCodec, keeps_absent_counts_absent) {
  PlanDocument document = full_document();
  document.attempt = {};
  const Result<PlanDocument> back = plan_from_proto(plan_to_proto(document), document.name);
  ASSERT_TRUE(back.ok());
  EXPECT_FALSE(back->attempt.retries.has_value());
}

TEST(PlanCodec, refuses_a_gate_without_a_kind_and_too_much) {
  v1::RolloutSpec spec = plan_to_proto(full_document());
  spec.mutable_stages(0)->add_gates();
  Result<PlanDocument> back = plan_from_proto(spec, "x");
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().message.rfind("spec.stages[0].gates[1]", 0), 0U) << back.error().message;
  spec = plan_to_proto(full_document());
  for (int i = 0; i < 40; ++i) spec.add_stages();
  EXPECT_FALSE(plan_from_proto(spec, "x").ok());
}

}  // namespace
}  // namespace covey
