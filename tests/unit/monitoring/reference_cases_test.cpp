// SPDX-License-Identifier: Apache-2.0
// The published and independently computed figures of tests/vectors/monitoring_cases.json.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/counts/window.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/drift/localise.hpp"
#include "monitoring/statistics/distributions.hpp"
#include "tests/paths.hpp"

namespace covey::monitoring {
namespace {

using Json = nlohmann::json;

Counts counts(const Json& json) { return json.get<Counts>(); }
std::vector<Counts> per_device(const Json& json) { return json.get<std::vector<Counts>>(); }

class Case {
 public:
  explicit Case(const Json& json) : json_(json) {}
  const Json& in(const char* name) const { return json_.at("inputs").at(name); }
  const Json& expected(const char* name) const { return json_.at("expected").at(name); }
  bool has(const char* name) const { return json_.at("expected").contains(name); }
  // Within tol: relative above 1, else absolute.
  void near(double value, const Json& expected) const {
    const double want = expected.get<double>();
    EXPECT_NEAR(value, want, json_.at("tol").get<double>() * std::max(1.0, std::abs(want)))
        << json_.at("id");
  }
  void near(double value, const char* name) const {
    SCOPED_TRACE(name);
    near(value, expected(name));
  }

 private:
  const Json& json_;
};

double x2_scaled(CountsView ref, CountsView cur) {
  return pearson_x2(ref, cur) /
         (1 + static_cast<double>(total(cur)) / static_cast<double>(total(ref)));
}

void effects(const Case& c) {
  const Counts ref = counts(c.in("ref"));
  const Counts cur = counts(c.in("cur"));
  const EffectSizes e = effect_sizes(ref, cur);
  if (c.has("linf")) c.near(e.l_infinity, "linf");
  if (c.has("tvd")) c.near(e.total_variation, "tvd");
  if (c.has("hellinger")) c.near(e.hellinger, "hellinger");
  if (c.has("js_nats")) c.near(e.js, "js_nats");
  if (c.has("js_distance_base2")) c.near(std::sqrt(e.js / std::log(2.0)), "js_distance_base2");
  if (c.has("ks_binned")) c.near(e.ks_lower_bound, "ks_binned");
}

void jensen_shannon(const Case& c) {
  Counts p;
  Counts q;
  for (const double share : c.in("p")) p.push_back(static_cast<uint64_t>(2 * share));
  for (const double share : c.in("q")) q.push_back(static_cast<uint64_t>(2 * share));
  const double nats = effect_sizes(q, p).js;
  c.near(std::sqrt(nats / std::log(c.in("base").get<double>())), "js_distance");
}

void goodness_of_fit(const Case& c) {
  const Counts ref = counts(c.in("ref"));
  const Counts cur = counts(c.in("cur"));
  const double x2 = pearson_x2(ref, cur);
  c.near(x2, "x2_gof");
  c.near(chi_squared_upper(x2, static_cast<double>(ref.size() - 1)), "p_gof");
  effects(c);
}

// Ours divides by 1 + n/N, which approximates the exact test of homogeneity.
void two_sample(const Case& c) {
  const double x2 = x2_scaled(counts(c.in("ref")), counts(c.in("cur")));
  const double exact = c.expected("x2").get<double>();
  EXPECT_NEAR(x2, exact, 0.12 * exact);
}

void g_against(const Case& c, const Counts& ref) {
  const Counts cur = counts(c.in("cur"));
  const GPartition g = g_partition(ref, std::vector<Counts>{cur});
  c.near(g.total, "G");
  c.near(g.p_pooled, "p");
  EXPECT_EQ(g.total, g.pooled);
}
void g_test(const Case& c) { g_against(c, counts(c.in("ref"))); }
void g_test_uniform(const Case& c) { g_against(c, Counts(c.in("cur").size(), 1)); }

void drift_block(const Case& c) {
  const Counts ref = counts(c.in("ref"));
  const Counts cur = counts(c.in("cur"));
  const double raw = psi(ref, cur);
  const double bias = psi_bias(ref.size(), total(cur), total(ref));
  c.near(raw, "psi_jeffreys");
  c.near(bias, "psi_bias");
  c.near(raw - bias, "psi_corrected");
  c.near(pearson_x2(ref, cur), "x2");
  c.near(x2_scaled(ref, cur), "x2_scaled");
  c.near(chi_squared_upper(x2_scaled(ref, cur), static_cast<double>(ref.size() - 1)), "p_scaled");
  effects(c);
}

void tolerance_threshold(const Case& c) {
  for (const Json& row : c.expected("rows")) {
    const double n = row[1].get<double>();
    const double n_effective = n / (1 + n / row[2].get<double>());
    c.near(psi_threshold(row[0].get<size_t>(), n_effective, row[3].get<double>(),
                         c.in("alpha").get<double>()),
           row[4]);
  }
}

void noncentral(const Case& c) {
  const Json& rows = c.in("df_lambda");
  for (size_t i = 0; i < rows.size(); ++i) {
    const double df = rows[i][0].get<double>();
    const double lambda = rows[i][1].get<double>();
    for (size_t j = 0; j < c.in("q").size(); ++j) {
      c.near(noncentral_chi_squared_quantile(c.in("q")[j].get<double>(), df, lambda),
             c.expected("ppf")[i][j]);
    }
    c.near(noncentral_chi_squared_cdf(20, df, lambda), c.expected("cdf_at_20")[i]);
  }
}

void partition(const Case& c) {
  Counts pi;
  for (const double share : c.in("pi"))
    pi.push_back(static_cast<uint64_t>(std::llround(share * 1e6)));
  const GPartition g = g_partition(pi, per_device(c.in("device_counts")));
  ASSERT_EQ(g.per_device.size(), c.expected("G_per_device").size());
  for (size_t d = 0; d < g.per_device.size(); ++d) {
    c.near(g.per_device[d], c.expected("G_per_device")[d]);
  }
  c.near(g.total, "G_total");
  c.near(g.pooled, "G_pooled");
  c.near(g.heterogeneity, "G_heterogeneity");
  EXPECT_EQ(g.df_total, c.expected("df")[0]);
  EXPECT_EQ(g.df_pooled, c.expected("df")[1]);
  EXPECT_EQ(g.df_heterogeneity, c.expected("df")[2]);
  c.near(g.p_pooled, "p_pooled");
  c.near(g.p_heterogeneity, "p_het");
}

void rao_scott(const Case& c) {
  Counts pi;
  for (const double share : c.in("pi"))
    pi.push_back(static_cast<uint64_t>(std::llround(share * 2500)));
  ASSERT_EQ(total(pi), c.in("baseline_n"));
  const std::vector<Counts> devices = per_device(c.in("device_counts"));
  Counts pooled;
  for (const Counts& device : devices) add(pooled, device);
  c.near(pearson_x2(pi, pooled), "x2_naive");
  c.near(chi_squared_upper(pearson_x2(pi, pooled), 3), "p_naive");
  const DriftVerdict v = judge_histogram(pi, devices);
  c.near(v.deff, "deff");
  c.near(v.x2, "x2_corrected");
  c.near(v.x2 / 3, "F");
  c.near(v.p_value, "p_F");
  EXPECT_EQ(v.outcome, DriftOutcome::kOk);
}

void confidence_sequence(const Case& c) {
  const double rho_squared = asymptotic_cs_rho_squared(50, 0.05);
  c.near(rho_squared, "rho2");
  const std::vector<double> d = c.in("d").get<std::vector<double>>();
  for (size_t t = 2; t <= d.size(); ++t) {
    double mean = 0;
    for (size_t i = 0; i < t; ++i) mean += d[i] / static_cast<double>(t);
    double squares = 0;
    for (size_t i = 0; i < t; ++i) squares += (d[i] - mean) * (d[i] - mean);
    const double sd = std::sqrt(squares / static_cast<double>(t - 1));
    c.near(mean, c.expected("mean")[t - 2]);
    c.near(sd * asymptotic_cs_half_width(static_cast<double>(t), rho_squared, 0.05),
           c.expected("half_width")[t - 2]);
  }
}

void one_share(const Case& c) {
  const auto k = c.in("k").get<uint64_t>();
  const auto n = c.in("n").get<uint64_t>();
  const Interval w = wilson(k, n, 0.05);
  c.near(w.low, c.expected("wilson")[0]);
  c.near(w.high, c.expected("wilson")[1]);
}

void multiple_testing(const Case& c) {
  const auto p = c.in("p").get<std::vector<double>>();
  const std::vector<double> adjusted = benjamini_hochberg(p);
  int rejections = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    c.near(adjusted[i], c.expected("bh_adjusted")[i]);
    if (adjusted[i] <= c.in("q").get<double>()) ++rejections;
  }
  EXPECT_EQ(rejections, c.expected("bh_rejections"));
}

void log_linear(const Case& c) {
  const auto us = c.in("us").get<std::vector<uint32_t>>();
  for (size_t i = 0; i < us.size(); ++i) {
    EXPECT_EQ(latency_bucket(us[i]), c.expected("bucket")[i]);
    EXPECT_EQ(latency_bounds(latency_bucket(us[i])).lower_us, c.expected("lower_edge_us")[i]);
  }
}

TEST(ReferenceCases, all) {
  const std::map<std::string, std::function<void(const Case&)>> methods{
      {"l_infinity", effects},
      {"total_variation", effects},
      {"jensen_shannon", jensen_shannon},
      {"chi2_goodness_of_fit", goodness_of_fit},
      {"chi2_two_sample", two_sample},
      {"g_test", g_test},
      {"g_test_uniform", g_test_uniform},
      {"drift_block", drift_block},
      {"psi_tolerance_threshold", tolerance_threshold},
      {"noncentral_chi2", noncentral},
      {"g_partition", partition},
      {"rao_scott", rao_scott},
      {"asymptotic_cs", confidence_sequence},
      {"wilson", one_share},
      {"multiple_testing", multiple_testing},
      {"log_linear_bucket", log_linear},
  };
  std::ifstream file(covey::test::source_path("tests/vectors/monitoring_cases.json"));
  const Json json = Json::parse(file);
  std::set<std::string> seen;
  for (const Json& entry : json.at("cases")) {
    const auto method = entry.at("method").get<std::string>();
    SCOPED_TRACE(entry.at("id").get<std::string>());
    ASSERT_TRUE(methods.contains(method)) << method;
    methods.at(method)(Case(entry));
    seen.insert(method);
  }
  EXPECT_EQ(seen.size(), methods.size());
}

}  // namespace
}  // namespace covey::monitoring
