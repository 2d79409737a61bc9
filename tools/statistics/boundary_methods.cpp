// SPDX-License-Identifier: Apache-2.0
// Bounds that hold at all times, and bets.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/statistics/mixtures.hpp"
#include "monitoring/statistics/moments.hpp"
#include "monitoring/statistics/two_samples.hpp"
#include "tools/statistics/methods.hpp"
#include "tools/statistics/rows.hpp"

namespace covey::cases {
namespace {

using namespace covey::monitoring;

constexpr double kLarge = 1e9;

Found normal(const Case& c) {
  const double rho =
      best_rho(c.inputs.at("v_opt").inside(0, kLarge), c.inputs.at("alpha_opt").inside(0, 1));
  const Mixture mixture = normal_mixture(rho);
  const double v = c.inputs.at("v").number(0, kLarge);
  const double threshold = c.inputs.at("log_threshold").inside(0, 1e4);
  return {{{"best_rho", rho},
           {"log_superMG", mixture.log_capital(c.inputs.at("s").number(-kLarge, kLarge), v)},
           {"bound", mixture.boundary(v, threshold)}},
          {}};
}

// poly_stitching(10,3,1.4,2)@v=100
double stitched(const Case& c, const std::string& name, double alpha) {
  double v_min = 0;
  double scale = 0;
  double s = 0;
  double eta = 0;
  double v = 0;
  const int read = std::sscanf(name.c_str(), "poly_stitching(%lf,%lf,%lf,%lf)@v=%lf", &v_min,
                               &scale, &s, &eta, &v);
  if (read != 5 || !(v_min > 0) || !(scale >= 0) || !(s > 1) || !(eta > 1) || !(v > 0)) {
    c.expected.bad(fmt::format("\"{}\" should be poly_stitching(V_MIN,C,S,ETA)@v=V", name));
  }
  return stitched_boundary(v, alpha, v_min, scale, s, eta);
}

Found one_sided(const Case& c) {
  const double v_opt = c.inputs.at("v_opt").inside(0, kLarge);
  const double alpha = c.inputs.at("alpha").inside(0, 0.5);
  const double scale = c.inputs.at("c").inside(0, kLarge);
  const double s = c.inputs.at("s").number(0, kLarge);
  const double v = c.inputs.at("v").inside(0, kLarge);
  const double rho = best_rho_one_sided(v_opt, alpha);
  const auto both = [&](const Mixture& mixture) {
    return Json{mixture.log_capital(s, v), mixture.boundary(v, -std::log(alpha))};
  };
  Found found{{{"one_sided_normal", both(one_sided_normal_mixture(rho))},
               {"gamma_exponential", both(gamma_exponential_mixture(rho, scale))},
               {"gamma_poisson", both(gamma_poisson_mixture(rho, scale))}},
              {}};
  for (const auto& [name, unused] : c.expected.json().items()) {
    if (name.starts_with("poly_stitching")) found.got[name] = stitched(c, name, alpha);
  }
  return found;
}

Found beta_binomial(const Case& c) {
  const double v_opt = c.inputs.at("v_opt").inside(0, kLarge);
  const double alpha = c.inputs.at("alpha_opt").inside(0, 0.5);
  const double g = c.inputs.at("g").inside(0, kLarge);
  const double h = c.inputs.at("h").inside(0, kLarge);
  const double v = c.inputs.at("v").inside(0, kLarge);
  const double s = c.inputs.at("s").number(0, v / g);
  const auto side = [&](bool one) {
    const Mixture mixture = beta_binomial_mixture(v_opt, alpha, g, h, one);
    return Json{{"log_superMG", mixture.log_capital(s, v)},
                {"bound", mixture.boundary(v, -std::log(alpha))}};
  };
  return {{{"two_sided", side(false)}, {"one_sided", side(true)}}, {}};
}

// right: ya or ka; n: 1 where the case has none.
std::vector<TwoSampleBlock> blocks_of(const Case& c, const char* right_a, const char* right_b) {
  const Counts a = c.inputs.at(right_a).counts();
  const Counts b = c.inputs.at(right_b).counts();
  const Counts n_a = c.inputs.has("na") ? c.inputs.at("na").counts() : Counts(a.size(), 1);
  const Counts n_b = c.inputs.has("nb") ? c.inputs.at("nb").counts() : Counts(b.size(), 1);
  if (b.size() != a.size() || n_a.size() != a.size() || n_b.size() != a.size()) {
    c.inputs.bad("the blocks of both sides are not equally many");
  }
  std::vector<TwoSampleBlock> blocks;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] > n_a[i] || b[i] > n_b[i]) c.inputs.bad("a block has more right than there are");
    if (n_a[i] > 100'000 || n_b[i] > 100'000) c.inputs.bad("a block is larger than 100,000");
    blocks.push_back({a[i], n_a[i], b[i], n_b[i]});
  }
  return blocks;
}

struct Priors {
  BetaPrior a;
  BetaPrior b;
};
// [right, wrong] of both, or of each.
Priors priors_of(const Case& c) {
  Priors priors;
  if (!c.inputs.has("prior")) return priors;
  const Value list = c.inputs.at("prior");
  const auto at = [&](size_t i) { return list.at(i).inside(0, 1e6); };
  priors.a = {at(0), at(1)};
  priors.b = list.size() >= 4 ? BetaPrior{at(2), at(3)} : priors.a;
  return priors;
}

Found e_process(const Case& c) {
  const Priors priors = priors_of(c);
  Json values = Json::array();
  for (const double log_capital :
       two_sample_log_capital(blocks_of(c, "ya", "yb"), priors.a, priors.b)) {
    values.push_back(std::exp(log_capital));
  }
  return {{{"e_values", values}}, {}};
}

Found e_process_blocks(const Case& c) {
  const Priors priors = priors_of(c);
  return {{{"logE", two_sample_log_capital(blocks_of(c, "ka", "kb"), priors.a, priors.b)}}, {}};
}

Found e_process_odds(const Case& c) {
  constexpr std::string_view kGauss = "egauss_sd";
  const auto blocks = blocks_of(c, "ya", "yb");
  Found found{{{"grow", odds_capital(blocks, std::log(c.inputs.at("odds").inside(0, 1e6)))}}, {}};
  for (const auto& [name, unused] : c.expected.json().items()) {
    if (!name.starts_with(kGauss)) continue;
    const double sd = number_in(c.expected, name, kGauss);
    if (!(sd > 0 && sd <= 10)) c.expected.bad("a standard deviation is above 0 and at most 10");
    found.got[name] = normal_odds_capital(blocks, sd);
  }
  return found;
}

// From the second difference on, tightest at the 50th unless the case says otherwise.
Found confidence_sequence(const Case& c) {
  const double best = c.inputs.has("t_opt") ? c.inputs.at("t_opt").inside(0, kLarge) : 50;
  const double alpha = c.inputs.has("alpha") ? c.inputs.at("alpha").inside(0, 1) : 0.05;
  const double rho_squared = asymptotic_cs_rho_squared(best, alpha);
  Found found{{{"rho2", rho_squared}, {"mean", Json::array()}, {"half_width", Json::array()}}, {}};
  RunningMoments moments;
  for (const double d : c.inputs.at("d").numbers()) {
    moments.add(d);
    if (moments.n < 2) continue;
    found.got["mean"].push_back(moments.mean);
    found.got["half_width"].push_back(std::sqrt(moments.variance()) *
                                      asymptotic_cs_half_width(moments.n, rho_squared, alpha));
  }
  return found;
}

}  // namespace

Methods boundary_methods() {
  return {{"normal_mixture", normal},
          {"one_sided_mixtures", one_sided},
          {"beta_binomial_mixture", beta_binomial},
          {"e_process_2x2", e_process},
          {"e_process_2x2_blocks", e_process_blocks},
          {"e_process_2x2_log_odds", e_process_odds},
          {"asymptotic_cs", confidence_sequence}};
}

}  // namespace covey::cases
