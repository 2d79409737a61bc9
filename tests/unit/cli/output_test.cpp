// SPDX-License-Identifier: Apache-2.0
#include "cli/output.hpp"

#include <gtest/gtest.h>

#include "cli/device_view.hpp"
#include "cli/plot.hpp"
#include "cli/rollout_view.hpp"

namespace covey::cli {
namespace {

TEST(Output, tables_align_by_characters_not_bytes) {
  Table table({"NAME", "STATE"});
  table.add({"münchen-1", "PASSED"});
  table.add({"b", "FAILED"});
  EXPECT_EQ(table.render({}), "NAME       STATE\nmünchen-1  PASSED\nb          FAILED\n");
}

TEST(Output, colours_only_where_asked_and_never_the_layout) {
  Table table({"STATE", "N"});
  table.add({"FAILED", "1"});
  EXPECT_EQ(table.render({}).find('\x1b'), std::string::npos);
  EXPECT_NE(table.render({.colors = true}).find("\x1b[31mFAILED\x1b[0m  1"), std::string::npos);
}

TEST(Output, json_keeps_field_names_and_zeros) {
  v1::GetRolloutResponse response;
  response.mutable_rollout()->set_name("rollouts/a");
  const std::string json = to_json(response);
  EXPECT_NE(json.find("\"rollback_outstanding\": 0"), std::string::npos) << json;
  EXPECT_NE(json.find("\"awaiting_approval\": false"), std::string::npos) << json;
}

TEST(Output, yaml_says_what_json_says) {
  EXPECT_EQ(json_to_yaml(R"({"a": "1.0", "b": [{"c": 1, "d": []}, 2], "e": {}})"),
            "a: \"1.0\"\nb:\n  - c: 1\n    d: []\n  - 2\ne: {}\n");
}

TEST(Output, numbers_and_bars) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(bar(1, 2, 4), "██░░");
  EXPECT_EQ(bar(0, 0, 2), "░░");
  EXPECT_EQ(bar(9, 2, 2), "██");
}

TEST(Plot, shows_shares_on_one_scale) {
  const std::string plot = plot_bins({{"<= 0", 50, 0}, {"> 0", 50, 10}}, {});
  EXPECT_NE(plot.find("50.0 %"), std::string::npos);
  EXPECT_NE(plot.find("100.0 %"), std::string::npos);
  EXPECT_FALSE(plot_bins({{"a", 0, 0}}, {}).empty());
}

TEST(DeviceView, shows_what_a_device_told_and_nothing_else) {
  v1::InferenceTotal total;
  total.set_release("bearing@1.0.0");
  total.set_inferences(12'345);
  EXPECT_EQ(device_total(total),
            "bearing@1.0.0\n"
            "  inferences  12,345\n"
            "  errors      0\n");
  EXPECT_EQ(to_json(total).find("heap_free_min_bytes"), std::string::npos) << "0 would be a size";
  total.set_errors(2);
  total.set_energy_inferences(1'000);
  total.set_energy_sum_uj(812'500);
  total.set_heap_free_min_bytes(5'000);
  total.set_arena_used_max_bytes(20'480);
  total.set_stack_used_max_bytes(1'200);
  total.set_drops(3);
  total.set_rejects(4);
  total.set_watchdog_resets(1);
  total.set_saturated(5);
  EXPECT_EQ(device_total(total),
            "bearing@1.0.0\n"
            "  inferences  12,345\n"
            "  errors      2\n"
            "  energy      812.5 uJ per inference, mean of 1,000 measured\n"
            "  heap        5,000 bytes free at least\n"
            "  arena       20,480 bytes used at most\n"
            "  stack       1,200 bytes used at most\n"
            "  drops       3 inferences not made or not counted\n"
            "  rejects     4 inputs refused\n"
            "  resets      1 by the watchdog\n"
            "  saturated   5 counts that had no room left\n");
  EXPECT_NE(to_json(total).find("\"heap_free_min_bytes\": \"5000\""), std::string::npos);
}

TEST(RolloutView, exit_codes_follow_the_end) {
  v1::Rollout rollout;
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  EXPECT_FALSE(rollout_exit_code(rollout).has_value());
  rollout.set_state(v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_EQ(rollout_exit_code(rollout), 0);
  rollout.set_state(v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(rollout_exit_code(rollout), 3);
  rollout.set_state(v1::ROLLOUT_STATE_PAUSED);
  EXPECT_EQ(rollout_exit_code(rollout), 5);
}

}  // namespace
}  // namespace covey::cli
