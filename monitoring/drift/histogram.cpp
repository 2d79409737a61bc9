// SPDX-License-Identifier: Apache-2.0
// Effect sizes between two histograms (docs/design/monitoring.md, "Drift"): arithmetic only, no
// test.
#include <algorithm>
#include <cmath>

#include "monitoring/drift/drift.hpp"

namespace covey::monitoring {
namespace {

std::vector<double> shares(CountsView counts) {
  const double n = static_cast<double>(total(counts));
  std::vector<double> out(counts.size(), 0.0);
  if (n == 0) return out;
  for (size_t i = 0; i < counts.size(); ++i) out[i] = static_cast<double>(counts[i]) / n;
  return out;
}

bool comparable(CountsView a, CountsView b) {
  return a.size() == b.size() && total(a) > 0 && total(b) > 0;
}

double x_log_ratio(double x, double y) { return x > 0 ? x * std::log(x / y) : 0.0; }

}  // namespace

double psi(CountsView baseline, CountsView window) {
  if (baseline.size() != window.size() || baseline.empty()) return 0;
  const double half = 0.5 * static_cast<double>(baseline.size());
  const double n_base = static_cast<double>(total(baseline)) + half;
  const double n_window = static_cast<double>(total(window)) + half;
  double sum = 0;
  for (size_t i = 0; i < baseline.size(); ++i) {
    const double p = (static_cast<double>(window[i]) + 0.5) / n_window;
    const double q = (static_cast<double>(baseline[i]) + 0.5) / n_base;
    sum += (p - q) * std::log(p / q);
  }
  return sum;
}

EffectSizes effect_sizes(CountsView baseline, CountsView window) {
  EffectSizes e;
  if (!comparable(baseline, window)) return e;
  const std::vector<double> q = shares(baseline);
  const std::vector<double> p = shares(window);
  double squares = 0;
  double cumulative = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double middle = 0.5 * (p[i] + q[i]);
    e.js += 0.5 * (x_log_ratio(p[i], middle) + x_log_ratio(q[i], middle));
    const double root = std::sqrt(p[i]) - std::sqrt(q[i]);
    squares += root * root;
    const double difference = std::abs(p[i] - q[i]);
    e.l_infinity = std::max(e.l_infinity, difference);
    e.total_variation += 0.5 * difference;
    cumulative += p[i] - q[i];
    e.ks_lower_bound = std::max(e.ks_lower_bound, std::abs(cumulative));
  }
  e.hellinger = std::sqrt(0.5 * squares);
  return e;
}

}  // namespace covey::monitoring
