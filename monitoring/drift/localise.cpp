// SPDX-License-Identifier: Apache-2.0
#include "monitoring/drift/localise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "monitoring/counts/shares.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

constexpr size_t kJudgedMin = 5;  // fewer say nothing about a fleet's own spread
// docs/design/monitoring.md, "Where it comes from": at most 5 % is a device fault
constexpr double kFaultShare = 0.05;

// 2 sum c ln(p / pi), the empty cells contributing nothing.
double g_statistic(std::span<const double> pi, CountsView counts) {
  const double n = static_cast<double>(total(counts));
  double sum = 0;
  for (size_t b = 0; b < counts.size(); ++b) {
    const double count = static_cast<double>(counts[b]);
    if (count > 0) sum += count * std::log(count / (n * pi[b]));
  }
  return 2 * sum;
}

struct Centre {
  double location = 0;
  double scale = 0;
};

// Least median of squares in one dimension (Rousseeuw 1984): the middle and the length of the
// shortest half, so that nearly half of the fleet may have moved; then mean and standard deviation
// of what lies within three of them, repeated until they stand, because a magnitude's distribution
// is one-sided and its shortest half too short.
Centre robust_centre(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2 + 1;
  size_t best = 0;
  for (size_t i = 0; i + half <= values.size(); ++i) {
    if (values[i + half - 1] - values[i] < values[best + half - 1] - values[best]) best = i;
  }
  const double length = values[best + half - 1] - values[best];
  Centre centre{values[best] + 0.5 * length, 0.5 * length * 1.4826};
  for (int round = 0; round < 10; ++round) {
    double n = 0;
    double sum = 0;
    double squares = 0;
    for (const double value : values) {
      if (std::abs(value - centre.location) > 3 * centre.scale) continue;
      n += 1;
      sum += value;
      squares += value * value;
    }
    if (n < 3) return centre;
    centre = {sum / n, std::sqrt(std::max(0.0, (squares - sum * sum / n) / (n - 1)))};
  }
  return centre;
}

// P(a device of the fleet has a z above this). sqrt(PSI) is the magnitude of a shift: when shifts
// are normal it is half-normal, with mean 0.798 and standard deviation 0.603 of theirs.
double magnitude_upper(double z) {
  const double shift = 0.797885 + 0.602810 * z;
  return shift <= 0 ? 1.0 : chi_squared_upper(shift * shift, 1);
}

// n_d* of docs/design/monitoring.md, "Drift" for one device: its own windows are one cluster.
double effective(uint64_t n, uint64_t baseline_n) {
  return static_cast<double>(n) / (1.0 + static_cast<double>(n) / static_cast<double>(baseline_n));
}

// Fills psi, p and z of the judged devices.
void judge_devices(CountsView baseline, std::span<const Counts> per_device,
                   const LocaliseOptions& options, std::vector<DeviceDrift>& devices) {
  const uint64_t baseline_n = total(baseline);
  const double df = static_cast<double>(baseline.size() - 1);
  std::vector<size_t> judged;
  std::vector<double> p_values;
  std::vector<double> roots;
  for (size_t d = 0; d < per_device.size(); ++d) {
    DeviceDrift& device = devices[d];
    device.n = total(per_device[d]);
    device.judged = device.n >= std::max<uint64_t>(options.samples_min, 1) &&
                    per_device[d].size() == baseline.size();
    if (!device.judged) continue;
    const double raw = psi(baseline, per_device[d]);
    const double n = effective(device.n, baseline_n);
    device.psi_corrected = raw - psi_bias(baseline.size(), device.n, baseline_n);
    judged.push_back(d);
    p_values.push_back(1 -
                       noncentral_chi_squared_cdf(n * raw, df, n * options.device_psi.as_double()));
    roots.push_back(std::sqrt(std::max(0.0, device.psi_corrected)));
  }
  if (judged.empty()) return;
  const std::vector<double> adjusted = benjamini_hochberg(p_values);
  const Centre centre = robust_centre(roots);
  for (size_t i = 0; i < judged.size(); ++i) {
    DeviceDrift& device = devices[judged[i]];
    // sqrt(n PSI) has a standard deviation of at most about 1: a fleet without any spread of its
    // own must not turn sampling noise into outliers.
    const double floor = 1.0 / std::sqrt(effective(device.n, baseline_n));
    device.p_adjusted = adjusted[i];
    device.z = (roots[i] - centre.location) / std::max(centre.scale, floor);
    p_values[i] = magnitude_upper(device.z);
  }
  const std::vector<double> spread = benjamini_hochberg(p_values);
  for (size_t i = 0; i < judged.size(); ++i) devices[judged[i]].p_spread = spread[i];
}

std::vector<Localisation::BinShift> bin_shifts(CountsView baseline, CountsView window) {
  std::vector<Localisation::BinShift> shifts;
  const double n = static_cast<double>(total(window));
  const double n_base = static_cast<double>(total(baseline));
  if (n == 0 || n_base == 0) return shifts;
  for (size_t b = 0; b < baseline.size(); ++b) {
    shifts.push_back(
        {b, static_cast<double>(window[b]) / n - static_cast<double>(baseline[b]) / n_base});
  }
  std::stable_sort(shifts.begin(), shifts.end(), [](const auto& x, const auto& y) {
    return std::abs(x.shift) > std::abs(y.shift);
  });
  if (shifts.size() > 3) shifts.resize(3);
  return shifts;
}

// Did the named devices move the histogram of the whole fleet? Tolerance test without the design
// effect, which they themselves inflate.
bool fleet_moved(CountsView baseline, CountsView pooled, const DriftOptions& options) {
  const double n = effective(total(pooled), total(baseline));
  return psi(baseline, pooled) >
         psi_threshold(baseline.size(), n, options.warn_psi.as_double(), options.alpha.as_double());
}

}  // namespace

std::string_view to_string(Locus locus) {
  switch (locus) {
    case Locus::kNone:
      return "NONE";
    case Locus::kPooled:
      return "POOLED";
    case Locus::kHeterogeneous:
      return "HETEROGENEOUS";
    case Locus::kCohort:
      return "COHORT";
    case Locus::kInsufficient:
      return "INSUFFICIENT";
  }
  return "INSUFFICIENT";
}

std::optional<Locus> parse_locus(std::string_view text) {
  for (const auto locus : {Locus::kNone, Locus::kPooled, Locus::kHeterogeneous, Locus::kCohort,
                           Locus::kInsufficient}) {
    if (to_string(locus) == text) return locus;
  }
  return std::nullopt;
}

GPartition g_partition(CountsView baseline, std::span<const Counts> per_device) {
  GPartition g;
  const size_t bins = baseline.size();
  if (bins < 2 || total(baseline) == 0) return g;
  const std::vector<double> pi = positive_shares(baseline);
  Counts pooled(bins);
  uint32_t devices = 0;
  for (const Counts& device : per_device) {
    const bool usable = device.size() == bins && total(device) > 0;
    g.per_device.push_back(usable ? g_statistic(pi, device) : 0.0);
    if (!usable) continue;
    ++devices;
    g.total += g.per_device.back();
    add(pooled, device);
  }
  if (devices == 0) return g;
  g.pooled = g_statistic(pi, pooled);
  g.heterogeneity = std::max(0.0, g.total - g.pooled);
  g.df_pooled = static_cast<uint32_t>(bins - 1);
  g.df_total = devices * g.df_pooled;
  g.df_heterogeneity = g.df_total - g.df_pooled;
  g.p_pooled = chi_squared_upper(g.pooled, g.df_pooled);
  if (g.df_heterogeneity > 0) {
    g.p_heterogeneity = chi_squared_upper(g.heterogeneity, g.df_heterogeneity);
  }
  return g;
}

Localisation localise(CountsView baseline, std::span<const Counts> per_device,
                      const LocaliseOptions& options, const DriftOptions& pooled_options,
                      const DriftVerdict* whole) {
  Localisation where;
  where.per_device.resize(per_device.size());
  if (baseline.size() < 2 || total(baseline) == 0) {
    where.explanation = "the baseline needs at least two bins and one sample";
    return where;
  }
  where.g = g_partition(baseline, per_device);
  judge_devices(baseline, per_device, options, where.per_device);

  Counts pooled(baseline.size());
  for (const Counts& device : per_device) {
    if (device.size() == baseline.size()) add(pooled, device);
  }
  size_t judged = 0;
  std::vector<size_t> beyond;
  for (size_t d = 0; d < per_device.size(); ++d) {
    const DeviceDrift& device = where.per_device[d];
    if (!device.judged) continue;
    ++judged;
    if (device.p_adjusted <= options.alpha.as_double()) beyond.push_back(d);
  }
  where.devices_judged = judged;
  where.devices_beyond = beyond.size();
  where.bins = bin_shifts(baseline, pooled);
  if (judged < kJudgedMin) {
    where.explanation = fmt::format("{} devices with at least {} values, {} are needed", judged,
                                    options.samples_min, kJudgedMin);
    return where;
  }
  const double share = static_cast<double>(beyond.size()) / static_cast<double>(judged);
  if (share > options.world_share.as_double()) {
    where.locus = Locus::kPooled;
    where.explanation = fmt::format("{} of {} devices are beyond PSI {:.2f}: the world moved",
                                    beyond.size(), judged, options.device_psi.as_double());
    return where;
  }
  Counts moved(baseline.size());
  for (const size_t d : beyond) {
    if (where.per_device[d].p_spread > options.alpha.as_double()) continue;
    where.per_device[d].named = true;
    where.devices.push_back(d);
    add(moved, per_device[d]);
  }
  if (where.devices.empty()) {
    switch (whole != nullptr ? whole->outcome
                             : judge_histogram(baseline, per_device, pooled_options).outcome) {
      case DriftOutcome::kWarn:
      case DriftOutcome::kPage:
        where.locus = Locus::kPooled;
        break;
      case DriftOutcome::kOk:
        where.locus = Locus::kNone;
        break;
      case DriftOutcome::kInsufficientData:
      case DriftOutcome::kInsufficientDevices:
        where.locus = Locus::kInsufficient;
        break;
    }
    where.explanation = where.locus == Locus::kPooled
                            ? "all devices moved a little, none stands out"
                            : fmt::format("none of {} devices stands out", judged);
    return where;
  }
  where.bins = bin_shifts(baseline, moved);
  const double named_share =
      static_cast<double>(where.devices.size()) / static_cast<double>(judged);
  where.locus = named_share > kFaultShare && fleet_moved(baseline, pooled, pooled_options)
                    ? Locus::kCohort
                    : Locus::kHeterogeneous;
  where.explanation = fmt::format(
      "{} of {} devices are beyond PSI {:.2f} and stand out of the fleet; most moved bin {} "
      "({:+.0f} percentage points)",
      where.devices.size(), judged, options.device_psi.as_double(), where.bins[0].bin,
      100 * where.bins[0].shift);
  return where;
}

}  // namespace covey::monitoring
