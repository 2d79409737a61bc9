// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/http/metrics.hpp"

#include <gtest/gtest.h>

#include "core/assert.hpp"

namespace covey::http {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, CollectsAtEachScrape) {
  Metrics metrics;
  double value = 1;
  metrics.add([&](MetricSheet& sheet) {
    sheet.counter("covey_reports_total", "Reports", value);
    sheet.gauge("covey_queue", "Waiting", 2, {{"class", "telemetry"}});
    sheet.gauge("covey_queue", "Waiting", 3, {{"class", "con\"trol\n"}});
  });
  EXPECT_TRUE(has_line(metrics.text(), "covey_reports_total 1"));
  value = 5;
  const std::string text = metrics.text();
  EXPECT_TRUE(has_line(text, "covey_reports_total 5")) << text;
  EXPECT_TRUE(has_line(text, "# TYPE covey_reports_total counter"));
  EXPECT_TRUE(has_line(text, "covey_queue{class=\"telemetry\"} 2"));
  EXPECT_TRUE(has_line(text, "covey_queue{class=\"con\\\"trol\\n\"} 3"));
  EXPECT_NE(text.find("covey_bugs_total "), std::string::npos);
  EXPECT_NE(text.find("process_resident_memory_bytes "), std::string::npos);
}

TEST(Metrics, HistogramsAreCumulative) {
  Metrics metrics;
  LatencyHistogram latency;
  latency.observe(0.0004);
  latency.observe(0.0005);
  latency.observe(0.3);
  latency.observe(60);
  latency.observe(-1);
  metrics.add([&](MetricSheet& sheet) { latency.write(sheet, "covey_lag_seconds", "Lag"); });
  const std::string text = metrics.text();
  EXPECT_TRUE(has_line(text, "covey_lag_seconds_bucket{le=\"0.0005\"} 3")) << text;
  EXPECT_TRUE(has_line(text, "covey_lag_seconds_bucket{le=\"0.25\"} 3"));
  EXPECT_TRUE(has_line(text, "covey_lag_seconds_bucket{le=\"0.5\"} 4"));
  EXPECT_TRUE(has_line(text, "covey_lag_seconds_bucket{le=\"+Inf\"} 5"));
  EXPECT_TRUE(has_line(text, "covey_lag_seconds_count 5"));
}

TEST(Metrics, BadNamesAreBugsAndLeftOut) {
  Metrics metrics;
  metrics.add([](MetricSheet& sheet) {
    sheet.gauge("bad name", "", 1);
    sheet.gauge("covey_ok", "", 1);
    sheet.counter("covey_ok", "", 1);
    sheet.gauge("covey_label", "", 1, {{"0bad", "x"}});
    sheet.histogram("covey_h", "", {1, 2}, {1, 2}, 0);
  });
  const uint64_t before = bug_count();
  const std::string text = metrics.text();
  EXPECT_EQ(bug_count() - before, 4u);
  EXPECT_EQ(text.find("bad"), std::string::npos) << text;
  EXPECT_TRUE(has_line(text, "covey_ok 1"));
}

}  // namespace
}  // namespace covey::http
