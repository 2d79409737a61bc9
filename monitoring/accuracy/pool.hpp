// SPDX-License-Identifier: Apache-2.0
// What several comparisons say together about one difference: each weighs as much as it knows.
// Thread safety: values.
#pragma once

#include <span>
#include <vector>

#include "monitoring/accuracy/boundary.hpp"
#include "monitoring/accuracy/comparison.hpp"

namespace covey::monitoring {

class Pool {
 public:
  // Refers to the comparisons: they stay.
  explicit Pool(std::vector<const Comparison*> comparisons);

  // If the true difference is `assumed`, with `scale` times the labels: information, and the
  // difference that is measured. Known from few devices, the variance counts for more: `inflation`.
  struct At {
    double information = 0;
    double difference = 0;
  };
  // `alike`: with devices as alike as the labels still allow.
  At at(double assumed, double scale = 1, double inflation = 1, bool alike = false) const;

  uint64_t canary_labels() const { return canary_labels_; }
  double degrees_of_freedom() const { return degrees_; }  // of the spread between devices
  // (Student's quantile over the normal one)^2
  double inflation(double alpha) const;
  // Mean of a number of each comparison, weighed as `at(assumed)`.
  double mean(double assumed, double (*number)(const Comparison&)) const;

 private:
  std::vector<const Comparison*> comparisons_;
  uint64_t canary_labels_ = 0;
  double degrees_ = 0;
};

}  // namespace covey::monitoring
