// SPDX-License-Identifier: Apache-2.0
#include "gateway/codec/plan_codec.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include "cli/files/plan_file.hpp"

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
  document.source = "git 3f2a1c9";
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
  EXPECT_EQ(*back, document);
  EXPECT_EQ(back->name, document.name);
  EXPECT_EQ(back->seed, "autumn");
  EXPECT_EQ(back->source, "git 3f2a1c9");
  EXPECT_EQ(back->attempt.retries, 0U);
  EXPECT_EQ(back->gates[0].failures->min_sample, 0U);
  EXPECT_FALSE(back->gates[1].accuracy->min_sample.has_value());
  EXPECT_EQ(back->stages[0].max_in_flight, 7U);
}

// Sets everything that the API has, with the given alternative of each choice.
void fill(google::protobuf::Message& message, int alternative) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (const auto* choice = field->real_containing_oneof();
        choice != nullptr && choice->field(alternative % choice->field_count()) != field) {
      continue;
    }
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      fill(field->is_repeated() ? *reflection.AddMessage(&message, field)
                                : *reflection.MutableMessage(&message, field),
           alternative);
    } else if (field->type() == FieldDescriptor::TYPE_STRING) {
      field->is_repeated() ? reflection.AddString(&message, field, field->full_name())
                           : reflection.SetString(&message, field, field->full_name());
    } else {
      reflection.SetUInt32(&message, field, static_cast<uint32_t>(field->number()));
    }
  }
}

TEST(PlanCodec, every_field_of_the_api_is_one_of_the_document) {
  for (int alternative = 0; alternative < 6; ++alternative) {
    v1::RolloutSpec spec;
    fill(spec, alternative);
    const Result<PlanDocument> document = plan_from_proto(spec, "x");
    ASSERT_TRUE(document.ok()) << document.error().message;
    EXPECT_EQ(plan_to_proto(*document).DebugString(), spec.DebugString());
  }
  EXPECT_EQ(v1::GateSpec::descriptor()->field_count(), 6);
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
