// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/drift.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "monitoring/counts/shares.hpp"
#include "monitoring/drift/clusters.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

struct Pooled {
  Counts counts;
  uint32_t devices = 0;
  bool same_bins = true;
};

Pooled pool(size_t bins, std::span<const Counts> per_device) {
  Pooled pooled;
  pooled.counts.resize(bins);
  for (const Counts& device : per_device) {
    if (total(device) == 0) continue;
    if (device.size() != bins) {
      pooled.same_bins = false;
      continue;
    }
    ++pooled.devices;
    add(pooled.counts, device);
  }
  return pooled;
}

DriftVerdict insufficient(DriftVerdict verdict, DriftOutcome outcome, std::string explanation) {
  verdict.outcome = outcome;
  verdict.explanation = std::move(explanation);
  return verdict;
}

// The true PSI that the observed one is compatible with: n* PSI is noncentral chi-square.
void set_interval(DriftVerdict& verdict, double alpha) {
  const double statistic = verdict.n_effective * verdict.psi;
  const double df = verdict.bins - 1;
  verdict.psi_low = noncentrality(statistic, df, 1 - alpha / 2) / verdict.n_effective;
  verdict.psi_high = noncentrality(statistic, df, alpha / 2) / verdict.n_effective;
}

std::string explain(const DriftVerdict& v, const DriftOptions& options) {
  return fmt::format(
      "PSI {:.3f} ({:.3f} to {:.3f}, bias removed {:.3f}) against a tolerance of {:.2f} warn, "
      "{:.2f} page; "
      "p = {:.2g}; {} values of {} devices, design effect {:.1f}",
      v.psi, v.psi_low, v.psi_high, v.psi_corrected, options.warn_psi.as_double(),
      options.page_psi.as_double(), v.p_value, v.n, v.devices, v.deff);
}

}  // namespace

std::string_view to_string(DriftOutcome outcome) {
  switch (outcome) {
    case DriftOutcome::kOk:
      return "OK";
    case DriftOutcome::kWarn:
      return "WARN";
    case DriftOutcome::kPage:
      return "PAGE";
    case DriftOutcome::kInsufficientData:
      return "INSUFFICIENT_DATA";
    case DriftOutcome::kInsufficientDevices:
      return "INSUFFICIENT_DEVICES";
  }
  return "INSUFFICIENT_DATA";
}

std::optional<DriftOutcome> parse_drift_outcome(std::string_view text) {
  for (const auto outcome : {DriftOutcome::kOk, DriftOutcome::kWarn, DriftOutcome::kPage,
                             DriftOutcome::kInsufficientData, DriftOutcome::kInsufficientDevices}) {
    if (to_string(outcome) == text) return outcome;
  }
  return std::nullopt;
}

double psi_bias(size_t bins, uint64_t n, uint64_t baseline_n, double deff) {
  if (bins < 2 || n == 0 || baseline_n == 0) return 0;
  return static_cast<double>(bins - 1) *
         (deff / static_cast<double>(n) + 1.0 / static_cast<double>(baseline_n));
}

double psi_threshold(size_t bins, double n_effective, double delta, double alpha) {
  return noncentral_chi_squared_quantile(1 - alpha, static_cast<double>(bins - 1),
                                         n_effective * delta) /
         n_effective;
}

double pearson_x2(CountsView baseline, CountsView window) {
  if (baseline.size() != window.size()) return 0;
  const std::vector<double> q = positive_shares(baseline);
  const double n = static_cast<double>(total(window));
  double sum = 0;
  for (size_t i = 0; i < window.size() && n > 0; ++i) {
    const double expected = n * q[i];
    const double difference = static_cast<double>(window[i]) - expected;
    sum += difference * difference / expected;
  }
  return sum;
}

double design_effect(std::span<const Counts> per_device) {
  const ClusterSpread spread = cluster_spread(per_device);
  const size_t bins = per_device.empty() ? 0 : per_device.front().size();
  return bins < 2 ? 1.0 : std::max(1.0, spread.trace / static_cast<double>(bins - 1));
}

DriftVerdict judge_histogram(CountsView baseline, std::span<const Counts> per_device,
                             const DriftOptions& options) {
  const Pooled pooled = pool(baseline.size(), per_device);
  DriftVerdict v;
  v.bins = static_cast<uint32_t>(baseline.size());
  v.n = total(pooled.counts);
  v.baseline_n = total(baseline);
  v.devices = pooled.devices;
  if (!pooled.same_bins) {
    return insufficient(v, DriftOutcome::kInsufficientData,
                        "a device's histogram has other bins than the baseline");
  }
  if (v.bins < 2 || v.baseline_n == 0) {
    return insufficient(v, DriftOutcome::kInsufficientData,
                        "the baseline needs at least two bins and one sample");
  }
  if (v.n < std::max<uint64_t>(options.samples_min, 1)) {
    return insufficient(v, DriftOutcome::kInsufficientData,
                        fmt::format("{} values, at least {} are needed", v.n, options.samples_min));
  }
  v.psi = psi(baseline, pooled.counts);
  v.effects = effect_sizes(baseline, pooled.counts);
  if (v.devices < std::max<uint32_t>(options.devices_min, 2)) {
    return insufficient(
        v, DriftOutcome::kInsufficientDevices,
        fmt::format("values of {} devices, at least {} are needed to tell drift from "
                    "one device's habits",
                    v.devices, options.devices_min));
  }

  const double n = static_cast<double>(v.n);
  const double df = v.bins - 1;
  const double alpha = options.alpha.as_double();
  const ClusterSpread spread = cluster_spread(per_device);
  v.deff = std::max(1.0, spread.trace / df);
  const double scale = v.deff + n / static_cast<double>(v.baseline_n);
  v.n_effective = n / scale;
  v.psi_corrected = v.psi - psi_bias(v.bins, v.n, v.baseline_n, v.deff);
  v.psi_warn_above = psi_threshold(v.bins, v.n_effective, options.warn_psi.as_double(), alpha);
  v.psi_page_above = psi_threshold(v.bins, v.n_effective, options.page_psi.as_double(), alpha);
  set_interval(v, options.interval_alpha.as_double());
  const double x2 = pearson_x2(baseline, pooled.counts);
  v.x2 = x2 / scale;
  v.p_value = clustered_p_value(x2, spread, v.bins, n, static_cast<double>(v.baseline_n));
  v.p_adjusted = v.p_value;

  const bool significant = v.p_value <= alpha;
  v.outcome = DriftOutcome::kOk;
  if (significant && v.psi > v.psi_warn_above) v.outcome = DriftOutcome::kWarn;
  if (significant && v.psi > v.psi_page_above) v.outcome = DriftOutcome::kPage;
  v.explanation = explain(v, options);
  return v;
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size(), 1.0);
  const double m = static_cast<double>(p_values.size());
  double smallest = 1.0;
  for (size_t rank = order.size(); rank > 0; --rank) {
    const size_t i = order[rank - 1];
    smallest = std::min(smallest, p_values[i] * m / static_cast<double>(rank));
    adjusted[i] = smallest;
  }
  return adjusted;
}

void adjust(std::span<DriftVerdict> verdicts, const DriftOptions& options) {
  std::vector<size_t> tested;
  std::vector<double> p_values;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    switch (verdicts[i].outcome) {
      case DriftOutcome::kOk:
      case DriftOutcome::kWarn:
      case DriftOutcome::kPage:
        tested.push_back(i);
        p_values.push_back(verdicts[i].p_value);
        break;
      case DriftOutcome::kInsufficientData:
      case DriftOutcome::kInsufficientDevices:
        break;
    }
  }
  const std::vector<double> adjusted = benjamini_hochberg(p_values);
  for (size_t i = 0; i < tested.size(); ++i) {
    DriftVerdict& verdict = verdicts[tested[i]];
    verdict.p_adjusted = adjusted[i];
    if (adjusted[i] <= options.alpha.as_double() || verdict.outcome == DriftOutcome::kOk) continue;
    verdict.outcome = DriftOutcome::kOk;
    verdict.explanation += fmt::format("; adjusted over {} subjects p = {:.2g}: not enough",
                                       tested.size(), adjusted[i]);
  }
}

}  // namespace covey::monitoring
