// SPDX-License-Identifier: Apache-2.0
// Accuracy from few labels and many predictions, and classes that became more or less frequent.
// Thread safety: pure functions. Units: shares 0..1.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "monitoring/accuracy/accuracy.hpp"

namespace covey::monitoring {

// Inferences alike in what predicts their outcome, e.g. a confidence bin with its share of the
// calibration map: how many of them there are without a label, and how the labelled ones turned
// out.
struct PredictedGroup {
  double predicted = 0;
  double unlabelled = 0;
  double wrong = 0;
  double right = 0;
};
struct PoweredMean {
  double lambda = 0;  // how far the prediction is trusted: 0 not at all
  double mean = 0;
  double se = 0;
  Interval interval{0, 1};
};
// Prediction-powered mean (Angelopoulos, Duchi, Zrnic 2023, "PPI++"): lambda times the mean of all
// predictions, plus the mean of (outcome - lambda prediction) over the labels.
PoweredMean powered_mean(std::span<const PredictedGroup> groups, double lambda, double alpha);
// The lambda of least variance: Cov(outcome, prediction) / ((1 + n/N) Var(prediction)), clipped to
// 0..1; the variance from all predictions, the covariance from the labels with n - less of them.
double best_lambda(std::span<const PredictedGroup> groups, double less = 1);

// Black-box shift estimation (Lipton, Wang, Smola 2018): how frequent the classes have become, if
// only that changed. confusion[i][j] is P(predicted i | true j). Nothing where the confusion matrix
// tells classes apart too badly (condition number in the largest norm above condition_max).
struct LabelShift {
  std::vector<double> weights;  // new over old, by class
  std::vector<double> prior;
  double accuracy_before = 0;
  double accuracy = 0;  // with the new classes
};
std::optional<LabelShift> label_shift(const std::vector<std::vector<double>>& confusion,
                                      std::span<const double> prior,
                                      std::span<const double> predicted_share,
                                      double condition_max = 1e6);

}  // namespace covey::monitoring
