// SPDX-License-Identifier: Apache-2.0
// Baseline against now, bin by bin, in unicode blocks. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/show/output.hpp"

namespace covey::cli {

struct PlotBin {
  std::string name;
  uint64_t baseline = 0;
  uint64_t now = 0;
};

// One line per bin: the share in the baseline and now, both as bars on the same scale.
std::string plot_bins(const std::vector<PlotBin>& bins, const Style& style);

}  // namespace covey::cli
