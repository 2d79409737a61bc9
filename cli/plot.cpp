// SPDX-License-Identifier: Apache-2.0
#include "cli/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace covey::cli {
namespace {

constexpr size_t kBarWidth = 28;
constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

// A bar of `share` of `largest`, with a resolution of an eighth of a character.
std::string share_bar(double share, double largest) {
  const auto eighths =
      largest <= 0 ? 0U : static_cast<unsigned>(std::lround(share / largest * kBarWidth * 8));
  std::string out;
  for (unsigned i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  out.append(kBarWidth - std::min(kBarWidth, display_width(out)), ' ');
  return out;
}

}  // namespace

std::string plot_bins(const std::vector<PlotBin>& bins, const Style& style) {
  uint64_t baseline_total = 0;
  uint64_t now_total = 0;
  size_t name_width = 0;
  for (const PlotBin& bin : bins) {
    baseline_total += bin.baseline;
    now_total += bin.now;
    name_width = std::max(name_width, display_width(bin.name));
  }
  const auto share = [](uint64_t part, uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  double largest = 0;
  for (const PlotBin& bin : bins) {
    largest = std::max({largest, share(bin.baseline, baseline_total), share(bin.now, now_total)});
  }
  const char* now_color = style.colors ? "\x1b[36m" : "";
  const char* dim = style.colors ? "\x1b[2m" : "";
  const char* reset = style.colors ? "\x1b[0m" : "";
  std::string out;
  for (const PlotBin& bin : bins) {
    const double before = share(bin.baseline, baseline_total);
    const double now = share(bin.now, now_total);
    out += fmt::format("  {:>{}} {}{}{} {:5.1f} %  {}{}{} {:5.1f} %\n", bin.name,
                       name_width + bin.name.size() - display_width(bin.name), dim,
                       share_bar(before, largest), reset, before * 100, now_color,
                       share_bar(now, largest), reset, now * 100);
  }
  return out;
}

}  // namespace covey::cli
