// SPDX-License-Identifier: Apache-2.0
#include "cli/show/drift_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/show/plot.hpp"
#include "core/nearest.hpp"

namespace covey::cli {
namespace {

constexpr size_t kDriftDevicesShown = 12;

// Why there is no number; "" where there is one.
std::string not_judged(const v1::Histogram& histogram) {
  if (histogram.outcome() == "INSUFFICIENT_DEVICES") {
    return "not judged: too few devices reported in these windows (drift needs at least 5)";
  }
  if (histogram.outcome() == "INSUFFICIENT_DATA") {
    return "not judged: too few values in these windows; --windows takes more of them";
  }
  return histogram.has_psi() ? "" : "not judged";
}

std::string feature_part(const v1::Histogram& histogram, const Style& style) {
  std::string out =
      fmt::format("\n{}  {}\n", histogram.name(), colored(histogram.outcome(), style));
  if (const std::string why = not_judged(histogram); !why.empty()) {
    out += wrapped(why, style.columns, 2) + "\n";
  } else {
    out +=
        wrapped(fmt::format("PSI {:.4f} (95 %: {:.4f} to {:.4f}), p {:.3g}, design effect {:.2f}",
                            histogram.psi(), histogram.psi_low(), histogram.psi_high(),
                            histogram.p_value(), histogram.deff()),
                style.columns, 2) +
        "\n";
  }
  if (histogram.missing() > 0) {
    out += wrapped(fmt::format("missing: {:.1f} % of the values", 100 * histogram.missing()),
                   style.columns, 2) +
           "\n";
  }
  if (!histogram.devices().empty()) {
    const std::string names = joined(histogram.devices(), kDriftDevicesShown);
    out += wrapped(fmt::format("stands out: {}", names), style.columns, 2) + "\n";
  }
  std::vector<PlotBin> bins;
  bins.reserve(static_cast<size_t>(histogram.baseline_size()));
  for (int i = 0; i < histogram.baseline_size(); ++i) {
    bins.push_back({i < histogram.bin_names_size() ? histogram.bin_names(i) : fmt::format("{}", i),
                    histogram.baseline(i), i < histogram.now_size() ? histogram.now(i) : 0});
  }
  return out + plot_bins(bins, style);
}

}  // namespace

std::string drift_page(const v1::GetDriftResponse& drift, const Style& style) {
  std::string out =
      fmt::format("{}: {} devices, {} inferences\n{} to {} UTC\n", drift.release(), drift.devices(),
                  grouped(drift.inferences()), utc(drift.start_ms()), utc(drift.end_ms()));
  for (const v1::Histogram& histogram : drift.histograms()) out += feature_part(histogram, style);
  return out + "\nleft: baseline of the release, right: now\n";
}

Status keep_feature(v1::GetDriftResponse& drift, const std::string& feature) {
  if (feature.empty()) return {};
  std::vector<std::string> names;
  v1::GetDriftResponse kept = drift;
  kept.clear_histograms();
  for (const v1::Histogram& histogram : drift.histograms()) {
    names.push_back(histogram.name());
    if (histogram.name() == feature) *kept.add_histograms() = histogram;
  }
  if (kept.histograms().empty()) {
    return invalid("NO_FEATURE",
                   fmt::format("--feature: {} has no feature '{}': it has {}{}", drift.release(),
                               feature, fmt::join(names, ", "), did_you_mean(feature, names)));
  }
  drift = std::move(kept);
  return {};
}

}  // namespace covey::cli
