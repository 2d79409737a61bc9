// SPDX-License-Identifier: Apache-2.0
// What a model's confidence says about its accuracy: a map from confidence bins to shares of right
// answers, and the accuracy without labels that follows (docs/design/monitoring.md, "Accuracy").
// Thread safety: pure functions. Units: shares 0..1.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {

// Pool adjacent violators (Ayer et al. 1955): the non-decreasing shares closest to correct / n.
// Bins without samples take the share of their nearest neighbour below, else above; none at all: 0.
std::vector<double> isotonic_map(CountsView correct, CountsView n);

// Accuracy expected of a confidence histogram (CBPE, after NannyML's confidence-based performance
// estimation), and how sure: outcomes of this many inferences, and the samples behind the map.
struct ExpectedAccuracy {
  double accuracy = 0;
  double se_outcome = 0;
  double se_calibration = 0;
};
ExpectedAccuracy expected_accuracy(CountsView confidence, std::span<const double> map,
                                   CountsView calibration_n);

// Labels say otherwise: the expected accuracy is outside of what they leave possible (Wilson).
bool labels_contradict(double expected, uint64_t correct, uint64_t labelled, double alpha);

// Mean distance between confidence and share of right answers, weighted by samples, over bins of
// the confidence: ends in `edges` (right-closed), or `bins` of equally many samples, in order.
struct Answer {
  double confidence = 0;
  bool right = false;
};
double calibration_error(std::span<const Answer> answers, std::span<const double> edges);
double calibration_error(std::vector<Answer> answers, size_t bins);

}  // namespace covey::monitoring
