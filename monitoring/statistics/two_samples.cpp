// SPDX-License-Identifier: Apache-2.0
#include "monitoring/statistics/two_samples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace covey::monitoring {
namespace {

double x_log_y(double x, double y) { return x > 0 ? x * std::log(y) : 0.0; }

struct Beta {
  double right;
  double wrong;

  double mean() const { return right / (right + wrong); }
  void learn(uint64_t k, uint64_t n) {
    right += static_cast<double>(k);
    wrong += static_cast<double>(n - k);
  }
};

double log_likelihood(uint64_t k, uint64_t n, double p) {
  return x_log_y(static_cast<double>(k), p) + x_log_y(static_cast<double>(n - k), 1 - p);
}

// ln of sum over x of C(n_a, x) C(n_b, right - x) exp(x log_odds): the noncentral hypergeometric
// distribution's norm, and of its central one at 0.
double log_norm(const TwoSampleBlock& block, double log_odds) {
  const auto choose = [](uint64_t n, uint64_t k) {
    return std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(k) + 1) -
           std::lgamma(static_cast<double>(n - k) + 1);
  };
  const uint64_t right = block.right_a + block.right_b;
  const uint64_t first = right > block.n_b ? right - block.n_b : 0;
  const uint64_t last = std::min(right, block.n_a);
  double top = -std::numeric_limits<double>::infinity();
  std::vector<double> terms;
  for (uint64_t x = first; x <= last; ++x) {
    terms.push_back(choose(block.n_a, x) + choose(block.n_b, right - x) +
                    static_cast<double>(x) * log_odds);
    top = std::max(top, terms.back());
  }
  double sum = 0;
  for (const double term : terms) sum += std::exp(term - top);
  return top + std::log(sum);
}

double log_bet(const TwoSampleBlock& block, double log_odds) {
  return static_cast<double>(block.right_a) * log_odds - log_norm(block, log_odds) +
         log_norm(block, 0);
}

}  // namespace

std::vector<double> two_sample_log_capital(std::span<const TwoSampleBlock> blocks,
                                           const BetaPrior& a, const BetaPrior& b) {
  Beta of_a{a.right, a.wrong};
  Beta of_b{b.right, b.wrong};
  std::vector<double> capital;
  double log_capital = 0;
  for (const TwoSampleBlock& block : blocks) {
    const auto n_a = static_cast<double>(block.n_a);
    const auto n_b = static_cast<double>(block.n_b);
    const double p_a = of_a.mean();
    const double p_b = of_b.mean();
    if (n_a + n_b > 0) {
      const double same = (n_a * p_a + n_b * p_b) / (n_a + n_b);
      log_capital += log_likelihood(block.right_a, block.n_a, p_a) -
                     log_likelihood(block.right_a, block.n_a, same) +
                     log_likelihood(block.right_b, block.n_b, p_b) -
                     log_likelihood(block.right_b, block.n_b, same);
    }
    of_a.learn(block.right_a, block.n_a);
    of_b.learn(block.right_b, block.n_b);
    capital.push_back(log_capital);
  }
  return capital;
}

std::vector<double> odds_capital(std::span<const TwoSampleBlock> blocks, double log_odds) {
  std::vector<double> capital;
  double log_capital = 0;
  for (const TwoSampleBlock& block : blocks) {
    log_capital += log_bet(block, log_odds);
    capital.push_back(std::exp(log_capital));
  }
  return capital;
}

std::vector<double> normal_odds_capital(std::span<const TwoSampleBlock> blocks, double sd) {
  // The trapezoidal rule is exact to rounding for what falls off like a normal density.
  constexpr int kSteps = 400;
  constexpr double kReach = 10;
  std::vector<double> capital(blocks.size(), 0.0);
  for (int i = 0; i <= kSteps; ++i) {
    const double z = kReach * (2.0 * i / kSteps - 1);
    const double weight =
        std::exp(-0.5 * z * z) / std::sqrt(2 * std::acos(-1.0)) * 2 * kReach / kSteps;
    double log_capital = 0;
    for (size_t j = 0; j < blocks.size(); ++j) {
      log_capital += log_bet(blocks[j], sd * z);
      capital[j] += weight * std::exp(log_capital);
    }
  }
  return capital;
}

}  // namespace covey::monitoring
