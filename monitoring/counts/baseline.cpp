// SPDX-License-Identifier: Apache-2.0
#include "monitoring/counts/baseline.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::monitoring {
namespace {

// Larger totals would not be counts of a data set, and doubles hold these exactly.
constexpr uint64_t kSamplesMax = uint64_t{1} << 40;

Error bad(const std::string& text) { return invalid("BAD_BASELINE", "baseline: " + text); }

bool too_many(CountsView counts) { return total(counts) > kSamplesMax; }

Status check(const FeatureBaseline& feature) {
  const std::string name = "feature '" + feature.name.substr(0, 64) + "'";
  if (feature.name.empty() || feature.name.size() > 64) {
    return bad(name + " needs a name of 1 to 64 characters");
  }
  if (feature.counts.empty() || feature.counts.size() > kBinsMax) {
    return bad(name + " needs 1 to 64 bins");
  }
  if (feature.edges.size() + 1 != feature.counts.size()) {
    return bad(name + " needs one edge less than it has counts");
  }
  const auto reversed = std::adjacent_find(feature.edges.begin(), feature.edges.end(),
                                           [](int32_t a, int32_t b) { return a >= b; });
  if (reversed != feature.edges.end()) return bad(name + ": edges must ascend strictly");
  if (feature.min > feature.max) return bad(name + ": min is above max");
  if (total(feature.counts) == 0) return bad(name + ": no samples");
  if (too_many(feature.counts)) return bad(name + ": too many samples");
  return {};
}

Status check_classes(const Baseline& baseline) {
  const size_t classes = baseline.classes.size();
  if (classes > kClassesMax) return bad("more than 64 classes");
  if (baseline.class_names.size() != classes)
    return bad("class_names and classes differ in length");
  if (too_many(baseline.classes)) return bad("too many samples in classes");
  if (!baseline.confusion.empty()) {
    if (baseline.confusion.size() != classes) return bad("confusion needs a row per class");
    for (const Counts& row : baseline.confusion) {
      if (row.size() != classes) return bad("confusion needs a column per class");
      if (too_many(row)) return bad("too many samples in confusion");
    }
  }
  return {};
}

}  // namespace

Shape shape_of(const Baseline& baseline) {
  Shape shape;
  for (const FeatureBaseline& feature : baseline.features) {
    shape.bins.push_back(feature.counts.size());
  }
  shape.classes = baseline.classes.size();
  return shape;
}

Status check(const Baseline& baseline) {
  if (baseline.features.size() > kFeaturesMax) return bad("more than 16 features");
  for (const FeatureBaseline& feature : baseline.features) {
    if (Status ok = check(feature); !ok) return ok;
  }
  if (Status ok = check_classes(baseline); !ok) return ok;
  if (baseline.confidence.size() != baseline.confidence_correct.size()) {
    return bad("confidence and confidence_correct differ in length");
  }
  if (!baseline.confidence.empty() && baseline.confidence.size() != kConfidenceBins) {
    return bad("confidence needs 16 bins");
  }
  if (too_many(baseline.confidence)) return bad("too many samples in confidence");
  for (size_t i = 0; i < baseline.confidence.size(); ++i) {
    if (baseline.confidence_correct[i] > baseline.confidence[i]) {
      return bad(fmt::format("more correct than counted in confidence bin {}", i));
    }
  }
  return {};
}

}  // namespace covey::monitoring
