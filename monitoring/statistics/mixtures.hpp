// SPDX-License-Identifier: Apache-2.0
// Uniform boundaries: how far a sum of centred observations may stray at any time, s its value and
// v its intrinsic time (variance so far). Mixtures of supermartingales (Howard, Ramdas, McAuliffe,
// Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann. Statist.
// 49); each is tightest at v_opt.
// Thread safety: pure functions. log_capital: the logarithm of what a bet against the hypothesis
// has become; boundary: the least s with which it reaches log_threshold.
#pragma once

#include <functional>

namespace covey::monitoring {

struct Mixture {
  std::function<double(double s, double v)> log_capital;
  double limit = 0;  // s is below limit * v; 0: anywhere

  double boundary(double v, double log_threshold) const;
};

// rho of the normal mixtures.
double best_rho(double v_opt, double alpha);            // both sides
double best_rho_one_sided(double v_opt, double alpha);  // one

Mixture normal_mixture(double rho);
Mixture one_sided_normal_mixture(double rho);
// Sub-gamma and sub-Poisson observations of scale c.
Mixture gamma_exponential_mixture(double rho, double c);
Mixture gamma_poisson_mixture(double rho, double c);
// Observations between -g and h (Bernoulli: g = p, h = 1 - p).
Mixture beta_binomial_mixture(double v_opt, double alpha, double g, double h, bool one_sided);

// Polynomial stitching (same paper, theorem 1).
double stitched_boundary(double v, double alpha, double v_min, double c, double s, double eta);

}  // namespace covey::monitoring
