// SPDX-License-Identifier: Apache-2.0
// Histograms against each other, and the distributions behind them.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "monitoring/counts/log_linear.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/drift/homogeneity.hpp"
#include "monitoring/drift/localise.hpp"
#include "monitoring/statistics/distributions.hpp"
#include "monitoring/statistics/moments.hpp"
#include "tools/statistics/methods.hpp"
#include "tools/statistics/rows.hpp"

namespace covey::cases {
namespace {

using namespace covey::monitoring;

// Shares as counts: as fine as a double can tell.
Counts fine_counts(const Value& value, double scale = 0x1p52) {
  const std::vector<double> shares = value.shares();
  double sum = 0;
  for (const double share : shares) sum += share;
  Counts counts;
  for (const double share : shares) {
    counts.push_back(static_cast<uint64_t>(std::llround(share / sum * scale)));
  }
  return counts;
}

struct Pair {
  Counts ref;
  Counts cur;
};
Pair pair_of(const Case& c) {
  Pair pair{c.inputs.at("ref").counts(), c.inputs.at("cur").counts()};
  if (pair.ref.size() != pair.cur.size()) c.inputs.bad("ref and cur have different lengths");
  if (total(pair.ref) == 0 || total(pair.cur) == 0) c.inputs.bad("ref or cur counts nothing");
  return pair;
}

void add_effects(Found& found, const Case& c, const EffectSizes& e) {
  const auto add = [&](const char* name, double value) {
    if (c.expected.has(name)) found.got[name] = value;
  };
  add("linf", e.l_infinity);
  add("tvd", e.total_variation);
  add("hellinger", e.hellinger);
  add("js_nats", e.js);
  add("js_distance_base2", std::sqrt(e.js / std::log(2.0)));
  add("ks_binned", e.ks_lower_bound);
}

// Of counts or shares.
Found effects(const Case& c) {
  const Counts ref = fine_counts(c.inputs.at("ref"));
  const Counts cur = fine_counts(c.inputs.at("cur"));
  if (ref.size() != cur.size()) c.inputs.bad("ref and cur have different lengths");
  Found found;
  add_effects(found, c, effect_sizes(ref, cur));
  return found;
}

Found jensen_shannon(const Case& c) {
  const double base = c.inputs.at("base").inside(1, 1e15);
  const Counts p = fine_counts(c.inputs.at("p"));
  const Counts q = fine_counts(c.inputs.at("q"));
  if (p.size() != q.size()) c.inputs.bad("p and q have different lengths");
  return {{{"js_distance", std::sqrt(effect_sizes(q, p).js / std::log(base))}}, {}};
}

Found goodness_of_fit(const Case& c) {
  const Pair p = pair_of(c);
  const double x2 = pearson_x2(p.ref, p.cur);
  Found found{
      {{"x2_gof", x2}, {"p_gof", chi_squared_upper(x2, static_cast<double>(p.ref.size() - 1))}},
      {}};
  add_effects(found, c, effect_sizes(p.ref, p.cur));
  return found;
}

Found two_sample(const Case& c) {
  const Pair p = pair_of(c);
  const Homogeneity h = homogeneity(p.ref, p.cur);
  return {{{"x2", h.x2}, {"df", h.df}, {"p", h.p_value}}, {}};
}

Found g_against(const Counts& ref, const Counts& cur) {
  const GPartition g = g_partition(ref, std::vector<Counts>{cur});
  return {{{"G", g.total}, {"p", g.p_pooled}}, {}};
}
Found g_test(const Case& c) {
  const Pair p = pair_of(c);
  return g_against(p.ref, p.cur);
}
Found g_test_uniform(const Case& c) {
  const Counts cur = c.inputs.at("cur").counts();
  if (total(cur) == 0) c.inputs.bad("cur counts nothing");
  return g_against(Counts(cur.size(), 1), cur);
}

Found drift_block(const Case& c) {
  const Pair p = pair_of(c);
  const double n = static_cast<double>(total(p.cur));
  const double baseline_n = static_cast<double>(total(p.ref));
  const double df = static_cast<double>(p.ref.size() - 1);
  const double raw = psi(p.ref, p.cur);
  const double bias = psi_bias(p.ref.size(), total(p.cur), total(p.ref));
  const double x2 = pearson_x2(p.ref, p.cur);
  const double scaled = x2 / (1 + n / baseline_n);
  Found found{{{"psi_jeffreys", raw},
               {"psi_bias", bias},
               {"psi_corrected", raw - bias},
               {"x2", x2},
               {"x2_scaled", scaled},
               {"df", df},
               {"p_scaled", chi_squared_upper(scaled, df)}},
              {}};
  add_effects(found, c, effect_sizes(p.ref, p.cur));
  return found;
}

Found tolerance_threshold(const Case& c) {
  const double alpha = c.inputs.at("alpha").inside(0, 1);
  const Columns columns(c.inputs.at("columns"));
  return found_rows(c, [&](const Value& row, Json& got) {
    const double n = columns.of(row, "n").inside(0, 1e15);
    const double baseline_n = columns.of(row, "N").inside(0, 1e15);
    got[columns.size()] =
        psi_threshold(columns.of(row, "k").count(2, 100'000), n / (1 + n / baseline_n),
                      columns.of(row, "delta").number(0, 1e6), alpha);
  });
}

Found quanttree(const Case& c) {
  const Columns columns(c.inputs.at("columns"));
  return found_rows(c, [&](const Value& row, Json& got) {
    const double threshold = quanttree_threshold(
        columns.of(row, "K").number(2, 1e5), columns.of(row, "N_train").inside(0, 1e15),
        columns.of(row, "nu").inside(0, 1e15), columns.of(row, "alpha").inside(0, 1));
    // By simulation, and by the formula.
    for (size_t i = columns.size(); i < got.size(); ++i) got[i] = threshold;
  });
}

Found noncentral(const Case& c) {
  constexpr std::string_view kCdf = "cdf_at_";
  Found found;
  for (const auto& [name, unused] : c.expected.json().items()) {
    if (name == "ppf") found.got[name] = Json::array();
    if (!name.starts_with(kCdf)) continue;
    found.got[name] = Json::array();
  }
  const Value pairs = c.inputs.at("df_lambda");
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double df = pairs.at(i).at(0).inside(0, 1e9);
    const double lambda = pairs.at(i).at(1).number(0, 1e9);
    for (auto& [name, list] : found.got.items()) {
      if (name == "ppf") {
        Json quantiles = Json::array();
        const Value q = c.inputs.at("q");
        for (size_t j = 0; j < q.size(); ++j) {
          quantiles.push_back(noncentral_chi_squared_quantile(q.at(j).inside(0, 1), df, lambda));
        }
        list.push_back(quantiles);
      } else {
        const double x = number_in(c.expected, name, kCdf);
        list.push_back(noncentral_chi_squared_cdf(x, df, lambda));
      }
    }
  }
  return found;
}

Found partition(const Case& c) {
  const Counts pi = fine_counts(c.inputs.at("pi"));
  const GPartition g = g_partition(pi, c.inputs.at("device_counts").tables(pi.size()));
  return {{{"G_per_device", g.per_device},
           {"G_total", g.total},
           {"G_pooled", g.pooled},
           {"G_heterogeneity", g.heterogeneity},
           {"df", {g.df_total, g.df_pooled, g.df_heterogeneity}},
           {"p_pooled", g.p_pooled},
           {"p_het", g.p_heterogeneity}},
          {}};
}

Found rao_scott(const Case& c) {
  const Counts pi = fine_counts(c.inputs.at("pi"));
  const std::vector<Counts> devices = c.inputs.at("device_counts").tables(pi.size());
  const double baseline_n = c.inputs.at("baseline_n").inside(0, 1e15);
  Counts pooled;
  for (const Counts& device : devices) add(pooled, device);
  const double df = static_cast<double>(pi.size() - 1);
  const auto among = static_cast<double>(std::count_if(
      devices.begin(), devices.end(), [](const Counts& device) { return total(device) > 0; }));
  if (df < 1 || among < 2) c.inputs.bad("needs two bins and two devices with counts");
  const double naive = pearson_x2(pi, pooled);
  const double deff = design_effect(devices);
  const double corrected = naive / (deff + static_cast<double>(total(pooled)) / baseline_n);
  return {{{"x2_naive", naive},
           {"p_naive", chi_squared_upper(naive, df)},
           {"deff", deff},
           {"x2_corrected", corrected},
           {"F", corrected / df},
           {"p_F", fisher_f_upper(corrected / df, df, df * (among - 1))}},
          {}};
}

std::vector<WeightedValue> weighted(const Case& c, const char* values, const char* weights) {
  const std::vector<double> list = c.inputs.at(values).numbers();
  if (list.empty()) c.inputs.bad("a sample is empty");
  std::vector<double> weight(list.size(), 1.0);
  if (c.inputs.has(weights) && !c.inputs.at(weights).is_null()) {
    weight = c.inputs.at(weights).shares();
    if (weight.size() != list.size()) c.inputs.at(weights).bad("is not as long as the values");
  }
  std::vector<WeightedValue> sample;
  for (size_t i = 0; i < list.size(); ++i) sample.push_back({list[i], weight[i]});
  return sample;
}
Found wasserstein(const Case& c) {
  return {{{"w1", wasserstein1(weighted(c, "u", "uw"), weighted(c, "v", "vw"))}}, {}};
}

Found log_linear(const Case& c) {
  const LogLinear buckets{.shift = static_cast<uint32_t>(c.inputs.at("shift").count(0, 31)),
                          .sub_bits = static_cast<uint32_t>(c.inputs.at("sub_bits").count(0, 16))};
  Found found{{{"bucket", Json::array()}, {"lower_edge_us", Json::array()}}, {}};
  const Value us = c.inputs.at("us");
  for (size_t i = 0; i < us.size(); ++i) {
    const uint32_t bucket = buckets.bucket(static_cast<uint32_t>(us.at(i).count(0, ~0U)));
    found.got["bucket"].push_back(bucket);
    found.got["lower_edge_us"].push_back(buckets.lower(bucket));
  }
  return found;
}

}  // namespace

Methods histogram_methods() {
  return {{"l_infinity", effects},
          {"total_variation", effects},
          {"jensen_shannon", jensen_shannon},
          {"chi2_goodness_of_fit", goodness_of_fit},
          {"chi2_two_sample", two_sample},
          {"g_test", g_test},
          {"g_test_uniform", g_test_uniform},
          {"drift_block", drift_block},
          {"psi_tolerance_threshold", tolerance_threshold},
          {"quanttree_threshold", quanttree},
          {"noncentral_chi2", noncentral},
          {"g_partition", partition},
          {"rao_scott", rao_scott},
          {"wasserstein1", wasserstein},
          {"log_linear_bucket", log_linear}};
}

}  // namespace covey::cases
