// SPDX-License-Identifier: Apache-2.0
#include "cli/show/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace covey::cli {
namespace {

constexpr size_t kBarWidthMax = 28;
constexpr size_t kBarWidthMin = 4;
constexpr size_t kBesideBars = 20;  // two shares, each " 100.0 %", and the blanks
constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

// A bar of `share` of `largest`, with a resolution of an eighth of a character.
std::string share_bar(double share, double largest, size_t width) {
  const auto eighths =
      largest <= 0
          ? 0U
          : static_cast<unsigned>(std::lround(share / largest * static_cast<double>(width) * 8));
  std::string out;
  for (unsigned i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  out.append(width - std::min(width, display_width(out)), ' ');
  return out;
}

// A share of nothing is unknown.
std::string percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "    - ";
  return fmt::format("{:5.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

std::string plot_bins(const std::vector<PlotBin>& bins, const Style& style) {
  uint64_t baseline_total = 0;
  uint64_t now_total = 0;
  size_t name_width = 0;
  const size_t name_width_max = std::max<size_t>(style.columns / 3, 8);
  for (const PlotBin& bin : bins) {
    baseline_total += bin.baseline;
    now_total += bin.now;
    name_width = std::max(name_width, std::min(display_width(bin.name), name_width_max));
  }
  const auto share = [](uint64_t part, uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  double largest = 0;
  for (const PlotBin& bin : bins) {
    largest = std::max({largest, share(bin.baseline, baseline_total), share(bin.now, now_total)});
  }
  const size_t beside = name_width + 3 + kBesideBars;
  const size_t bar_width =
      std::clamp((style.columns - std::min(style.columns, beside)) / 2, kBarWidthMin, kBarWidthMax);
  const char* now_color = style.colors ? "\x1b[36m" : "";
  const char* dim = style.colors ? "\x1b[2m" : "";
  const char* reset = style.colors ? "\x1b[0m" : "";
  std::string out;
  for (const PlotBin& bin : bins) {
    const std::string name = shortened(bin.name, name_width);
    out.append(2 + name_width - display_width(name), ' ');
    out += fmt::format("{} {}{}{} {}  {}{}{} {}\n", name, dim,
                       share_bar(share(bin.baseline, baseline_total), largest, bar_width), reset,
                       percent(bin.baseline, baseline_total), now_color,
                       share_bar(share(bin.now, now_total), largest, bar_width), reset,
                       percent(bin.now, now_total));
  }
  return out;
}

}  // namespace covey::cli
