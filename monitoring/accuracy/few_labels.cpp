// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/few_labels.hpp"

#include <algorithm>
#include <cmath>

#include "monitoring/statistics/distributions.hpp"
#include "monitoring/statistics/linear.hpp"

namespace covey::monitoring {
namespace {

// Weighted mean and variance (divided by the weight) of what `value` says of each group.
struct Spread {
  double n = 0;
  double mean = 0;
  double variance = 0;
};

// The labelled ones: outcome 1 or 0.
Spread residuals(std::span<const PredictedGroup> groups, double lambda) {
  Spread s;
  double sum = 0;
  for (const PredictedGroup& g : groups) {
    s.n += g.wrong + g.right;
    sum += g.right - lambda * g.predicted * (g.wrong + g.right);
  }
  if (s.n == 0) return s;
  s.mean = sum / s.n;
  for (const PredictedGroup& g : groups) {
    const double wrong = -lambda * g.predicted - s.mean;
    s.variance += (g.wrong * wrong * wrong + g.right * (wrong + 1) * (wrong + 1)) / s.n;
  }
  return s;
}

Spread predictions(std::span<const PredictedGroup> groups) {
  Spread s;
  for (const PredictedGroup& g : groups) {
    s.n += g.unlabelled;
    s.mean += g.unlabelled * g.predicted;
  }
  if (s.n == 0) return s;
  s.mean /= s.n;
  for (const PredictedGroup& g : groups) {
    s.variance += g.unlabelled * (g.predicted - s.mean) * (g.predicted - s.mean) / s.n;
  }
  return s;
}

}  // namespace

PoweredMean powered_mean(std::span<const PredictedGroup> groups, double lambda, double alpha) {
  PoweredMean result{.lambda = lambda};
  const Spread labelled = residuals(groups, lambda);
  const Spread all = predictions(groups);
  if (labelled.n == 0) return result;
  result.mean = labelled.mean + lambda * all.mean;
  const double predicted = all.n > 0 ? lambda * lambda * all.variance / all.n : 0.0;
  result.se = std::sqrt(labelled.variance / labelled.n + predicted);
  const double reach = normal_quantile(1 - alpha / 2) * result.se;
  result.interval = {result.mean - reach, result.mean + reach};
  return result;
}

double best_lambda(std::span<const PredictedGroup> groups, double less) {
  double n = 0;
  double unlabelled = 0;
  double outcome = 0;
  double of_labelled = 0;
  double of_all = 0;
  for (const PredictedGroup& g : groups) {
    const double labelled = g.wrong + g.right;
    n += labelled;
    unlabelled += g.unlabelled;
    outcome += g.right;
    of_labelled += g.predicted * labelled;
    of_all += g.predicted * (labelled + g.unlabelled);
  }
  if (n < 2 || unlabelled == 0) return 0;
  outcome /= n;
  of_labelled /= n;
  of_all /= n + unlabelled;
  double covariance = 0;
  double variance = 0;
  for (const PredictedGroup& g : groups) {
    covariance += (g.predicted - of_labelled) * (g.right * (1 - outcome) - g.wrong * outcome);
    variance +=
        (g.predicted - of_all) * (g.predicted - of_all) * (g.wrong + g.right + g.unlabelled);
  }
  if (variance == 0) return 0;
  covariance /= n - less;
  variance /= n + unlabelled - 1;
  return std::clamp(covariance / ((1 + n / unlabelled) * variance), 0.0, 1.0);
}

std::optional<LabelShift> label_shift(const std::vector<std::vector<double>>& confusion,
                                      std::span<const double> prior,
                                      std::span<const double> predicted_share,
                                      double condition_max) {
  const size_t classes = confusion.size();
  Matrix joint(classes, std::vector<double>(classes));  // P(predicted i, true j)
  for (size_t i = 0; i < classes; ++i) {
    for (size_t j = 0; j < classes; ++j) joint[i][j] = confusion[i][j] * prior[j];
  }
  if (!(condition_number(joint) <= condition_max)) return std::nullopt;
  const auto weights = solve(joint, {predicted_share.begin(), predicted_share.end()});
  if (!weights) return std::nullopt;
  LabelShift shift{.weights = *weights};
  for (size_t j = 0; j < classes; ++j) {
    shift.prior.push_back(shift.weights[j] * prior[j]);
    shift.accuracy_before += confusion[j][j] * prior[j];
    shift.accuracy += confusion[j][j] * shift.prior[j];
  }
  return shift;
}

}  // namespace covey::monitoring
