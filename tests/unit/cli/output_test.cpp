// SPDX-License-Identifier: Apache-2.0
#include "cli/show/output.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/rollout_selection.hpp"
#include "cli/show/alert_view.hpp"
#include "cli/show/device_view.hpp"
#include "cli/show/drift_view.hpp"
#include "cli/show/plot.hpp"
#include "cli/show/rollout_view.hpp"

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

// Enrolled by a stranger: a cleared screen, a title, a row that is none, a turned direction.
const std::string kHostile =
    "1.0\x1b[2J\x1b]0;owned\x07\nDEVICE  fake-9\r\x7f\u009b2J\u202Eevil\u2028\xff";

TEST(Output, what_others_wrote_moves_nothing_on_a_terminal) {
  EXPECT_EQ(escaped(kHostile),
            "1.0\\x1b[2J\\x1b]0;owned\\x07\\x0aDEVICE  fake-9\\x0d\\x7f\\u009b2J\\u202eevil\\u2028"
            "\\xff");
  EXPECT_EQ(escaped("münchen 工場 \"1\" \\"), "münchen 工場 \"1\" \\");
  EXPECT_EQ(escaped("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"),
            "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xe2\\x82");
  EXPECT_EQ(safe_for_terminal("a\n\x1b[31mFAILED\x1b[0m\x1b[2J\x1b[\tb"),
            "a\n\x1b[31mFAILED\x1b[0m\\x1b[2J\\x1b[\\x09b");
}

TEST(Output, every_string_of_an_answer_is_escaped_wherever_it_is) {
  v1::GetRolloutResponse response;
  v1::Rollout& rollout = *response.mutable_rollout();
  rollout.set_reason("a\nb");
  rollout.mutable_spec()->set_target("c\x1b");
  rollout.add_stages()->set_name("d\r");
  rollout.mutable_stages(0)->add_gates()->add_measures()->set_value("e\t");
  (*rollout.mutable_deployments())["f\x07"] = 3;
  escape_strings(response);
  EXPECT_EQ(rollout.reason(), "a\\x0ab");
  EXPECT_EQ(rollout.spec().target(), "c\\x1b");
  EXPECT_EQ(rollout.stages(0).name(), "d\\x0d");
  EXPECT_EQ(rollout.stages(0).gates(0).measures(0).value(), "e\\x09");
  EXPECT_EQ(rollout.deployments().at("f\\x07"), 3U);
  EXPECT_EQ(rollout.deployments().size(), 1U);
}

TEST(Output, json_and_yaml_keep_their_meaning_and_are_harmless) {
  v1::GetRolloutResponse response;
  response.mutable_rollout()->set_reason("\x1b[2J\x7f\u009b\u202e\U000E0041");
  (*response.mutable_rollout()->mutable_deployments())["a: b\n- c"] = 1;
  for (const std::string& text : {to_json(response), json_to_yaml(to_json(response))}) {
    for (const char* raw : {"\x1b", "\x7f", "\u009b", "\u202e", "\U000E0041"}) {
      EXPECT_EQ(text.find(raw), std::string::npos) << text;
    }
    EXPECT_NE(text.find("\\u202e\\udb40\\udc41"), std::string::npos) << text;
  }
  const auto parsed = nlohmann::json::parse(to_json(response));
  EXPECT_EQ(parsed["rollout"]["reason"], response.rollout().reason());
  EXPECT_NE(json_to_yaml(to_json(response)).find("\"a: b\\n- c\": 1"), std::string::npos);
  const std::string line = to_json_line(response);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(Output, counts_rows_as_a_terminal_does) {
  EXPECT_EQ(terminal_rows("", 80), 0U);
  EXPECT_EQ(terminal_rows("a\n\nb\n", 80), 3U);
  EXPECT_EQ(terminal_rows(std::string(80, 'x') + "\n", 80), 1U);
  EXPECT_EQ(terminal_rows(std::string(81, 'x') + "\n", 80), 2U);
  EXPECT_EQ(terminal_rows("工場工場\n", 8), 1U);
  EXPECT_EQ(terminal_rows("x工場工場\n", 4), 3U) << "a wide character is not cut in two";
  EXPECT_EQ(terminal_rows("\x1b[31m1234\x1b[0m\n", 4), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(shortened("工場工場", 5), "工場…");
  EXPECT_EQ(wrapped("one two three", 9, 2), "  one two\n  three");
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

size_t widest(const std::string& text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    width = std::max(width, display_width(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return width;
}

v1::GetDriftResponse drift_with(const std::string& outcome) {
  v1::GetDriftResponse drift;
  drift.set_release("bearing-vibration@1.1.0");
  drift.set_devices(4);
  v1::Histogram& histogram = *drift.add_histograms();
  histogram.set_name("a-feature-with-a-name-of-32-bytes");
  histogram.set_outcome(outcome);
  for (const char* name :
       {"<= -33", "> 工場の名前", "a class with a very long name, longer than half"}) {
    histogram.add_bin_names(name);
    histogram.add_baseline(100);
    histogram.add_now(0);
  }
  return drift;
}

TEST(DriftView, what_was_not_judged_has_no_numbers) {
  for (const char* outcome : {"INSUFFICIENT_DEVICES", "INSUFFICIENT_DATA", "UNKNOWN"}) {
    const std::string page = drift_page(drift_with(outcome), {});
    EXPECT_NE(page.find("not judged"), std::string::npos) << page;
    EXPECT_EQ(page.find("PSI"), std::string::npos) << page;
    EXPECT_EQ(page.find(" p "), std::string::npos) << page;
    EXPECT_EQ(page.find(" 0.0 %"), std::string::npos) << "no share of nothing: " << page;
    EXPECT_EQ(to_json(drift_with(outcome)).find("psi"), std::string::npos) << "nor in JSON";
  }
  EXPECT_NE(drift_page(drift_with("INSUFFICIENT_DEVICES"), {}).find("at least 5"),
            std::string::npos);
}

TEST(DriftView, fits_a_terminal_of_80_columns) {
  v1::GetDriftResponse drift = drift_with("PAGE");
  drift.mutable_histograms(0)->set_psi(0.25);
  for (int i = 0; i < 40; ++i)
    drift.mutable_histograms(0)->add_devices("press-north-" + std::to_string(i));
  drift.mutable_histograms(0)->set_now(1, 1'000'000);
  EXPECT_LE(widest(drift_page(drift, {})), 80U) << drift_page(drift, {});
  EXPECT_LE(widest(drift_page(drift, {.columns = 60})), 60U);
}

TEST(DriftView, an_unknown_feature_is_refused_with_the_nearest) {
  v1::GetDriftResponse drift = drift_with("OK");
  drift.mutable_histograms(0)->set_name("kurtosis");
  EXPECT_TRUE(keep_feature(drift, "").ok());
  const Status done = keep_feature(drift, "kurtosys");
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find("did you mean kurtosis?"), std::string::npos);
  EXPECT_TRUE(keep_feature(drift, "kurtosis").ok());
  EXPECT_EQ(drift.histograms_size(), 1);
}

v1::ListRolloutsResponse three_rollouts() {
  v1::ListRolloutsResponse all;
  const auto add = [&](const char* name, v1::RolloutState state, int64_t at) {
    v1::Rollout& rollout = *all.add_rollouts();
    rollout.set_name(std::string("rollouts/") + name);
    rollout.set_state(state);
    rollout.set_create_time_ms(at);
    rollout.mutable_spec()->set_release("bearing@1.0.0");
  };
  add("a", v1::ROLLOUT_STATE_RUNNING, 1);
  add("b", v1::ROLLOUT_STATE_SUCCEEDED, 3);
  add("c", v1::ROLLOUT_STATE_RUNNING, 2);
  return all;
}

std::string chosen(const std::string& state, const std::string& filter) {
  const Result<RolloutSelection> selection = RolloutSelection::parse(state, filter);
  if (!selection) return selection.error().message;
  std::string names;
  const v1::ListRolloutsResponse found = selection->of(three_rollouts());
  for (const v1::Rollout& rollout : found.rollouts()) names += id_of(rollout.name());
  return names;
}

TEST(RolloutSelection, newest_first_by_state_and_filter) {
  EXPECT_EQ(chosen("", ""), "bca");
  EXPECT_EQ(chosen("running", ""), "ca");
  EXPECT_EQ(chosen("", "model = bearing AND state = RUNNING AND -name = a"), "c");
  EXPECT_NE(chosen("runing", "").find("did you mean RUNNING?"), std::string::npos);
  EXPECT_NE(chosen("", "sate = RUNNING").find("name, state"), std::string::npos);
}

TEST(AlertView, shows_what_the_site_says_of_it) {
  v1::ListAlertsResponse alerts;
  v1::Alert& alert = *alerts.add_alerts();
  alert.set_name("alerts/a");
  alert.set_kind("SOMETHING_NEW");
  alert.set_explanation("rms does not look as it did, since noon; look at the sensor.");
  EXPECT_NE(alerts_page(alerts, false, Style{}).find("\n  rms does not look as it did, since noon"),
            std::string::npos);
}

TEST(RolloutView, a_line_of_a_log_only_where_something_happened) {
  v1::Rollout rollout;
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  v1::Stage& stage = *rollout.add_stages();
  stage.set_name("fleet");
  stage.set_state(v1::STAGE_STATE_DEPLOYING);
  stage.set_devices_new(282);
  std::set<std::string> lines;
  for (uint32_t confirmed = 0; confirmed <= 282; ++confirmed) {
    (*stage.mutable_deployments())["CONFIRMED"] = confirmed;
    lines.insert(rollout_milestone(rollout));
  }
  EXPECT_EQ(lines.size(), 5U);
  (*stage.mutable_deployments())["REVERTED"] = 1;
  lines.insert(rollout_milestone(rollout));
  rollout.set_awaiting_approval(true);
  lines.insert(rollout_milestone(rollout));
  EXPECT_EQ(lines.size(), 7U);
  EXPECT_NE(rollout_summary(rollout).find("waits for approval"), std::string::npos);
}

TEST(Output, what_is_unknown_is_no_zero) {
  EXPECT_EQ(word(""), "UNKNOWN");
  EXPECT_EQ(word("ROLLOUT_STATE_UNSPECIFIED"), "UNKNOWN");
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
