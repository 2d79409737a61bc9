// SPDX-License-Identifier: Apache-2.0
// Has the mean of a series in [0, 1] fallen below m0? Whatever its distribution, the first false
// alarm takes 1/alpha values on average or longer, if M >= 1/alpha is the alarm (Shin, Ramdas,
// Rinaldo 2022, "E-detectors"). Thread safety: values.
#pragma once

#include <cstddef>
#include <vector>

namespace covey::monitoring {

class ShiryaevRoberts {
 public:
  // lambdas: bets in (0, 1 / (1 - m0)], mixed in equal parts.
  ShiryaevRoberts(double m0, const std::vector<double>& lambdas) : m0_(m0) {
    for (const double lambda : lambdas) bets_.push_back({lambda, 0});
  }
  // M after this value.
  double add(double x) {
    double sum = 0;
    for (Bet& bet : bets_) {
      bet.capital = (bet.capital + 1) * (1 + bet.lambda * (m0_ - x));
      sum += bet.capital;
    }
    return bets_.empty() ? 0.0 : sum / static_cast<double>(bets_.size());
  }

 private:
  struct Bet {
    double lambda;
    double capital;
  };
  double m0_;
  std::vector<Bet> bets_;
};

}  // namespace covey::monitoring
