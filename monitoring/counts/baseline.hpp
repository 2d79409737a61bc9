// SPDX-License-Identifier: Apache-2.0
// B0: reference statistics from validation that come with a release
// (docs/design/monitoring.md, "Baselines"). True counts per bin: quantile bins collapse at ties, so
// no bin is ever assumed to hold 1/k.
// Thread safety: values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "monitoring/counts/counts.hpp"
#include "monitoring/counts/window.hpp"

namespace covey::monitoring {

struct FeatureBaseline {
  std::string name;
  std::vector<int32_t> edges;  // strictly ascending; k - 1 edges make k bins, right-closed
  Counts counts;               // k
  int32_t min = 0;             // of the training data, quantised
  int32_t max = 0;

  bool operator==(const FeatureBaseline&) const = default;
};

struct Baseline {
  std::vector<FeatureBaseline> features;
  std::vector<std::string> class_names;
  Counts classes;                 // predicted class on validation data
  Counts confidence;              // kConfidenceBins: validation samples per confidence bin
  Counts confidence_correct;      // of these, how many were right: the calibration map's raw counts
  std::vector<Counts> confusion;  // [true][predicted]

  bool operator==(const Baseline&) const = default;
};

Shape shape_of(const Baseline& baseline);

// Errors: BAD_BASELINE; the message names the field and the feature.
Status check(const Baseline& baseline);

}  // namespace covey::monitoring
