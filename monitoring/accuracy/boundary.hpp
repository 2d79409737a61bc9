// SPDX-License-Identifier: Apache-2.0
// When may one say that a difference is above, or below, a bound, if one looks all the time?
// Information I is one over the variance of the difference d. As labels come, B = (d - bound) I
// moves like a Brownian motion in time I, with drift (true difference - bound), also with devices
// that differ, since later estimates only add to earlier ones (Jennison and Turnbull 1997;
// Scharfstein, Tsiatis, Robins 1997).
// Thread safety: pure functions.
#pragma once

namespace covey::monitoring {

// B at I, and the information at which the test is to be at its best.
struct Progress {
  double sum = 0;
  double information = 0;
  double planned = 0;
};

// z of the boundary below: 3 P(Z > z) - exp(4 z^2) P(Z > 3 z) = alpha, 0 < alpha < 1/2.
double boundary_quantile(double alpha);
// The level up to planned information, the continuous O'Brien-Fleming boundary (Lan and DeMets
// 1983), and from there the line through it: whoever has no drift ever reaches it with probability
// alpha at most (reflection principle on both sides of the planned information; what crosses both
// is counted once).
double boundary(double information, double planned, double z);
inline bool above_boundary(const Progress& p, double z) {
  return p.sum >= boundary(p.information, p.planned, z);
}

// Bets on a drift above 0, of 1 to 30 percentage points at once (a mixture: Robbins 1970; Howard et
// al. 2021): ln of the capital; "no drift above 0" is rejected at alpha by ln(1/alpha). Finds large
// differences before the boundary does, and after it small ones.
double log_capital(double sum, double information);

// Information at which a true difference of `drift` from the bound is above the boundary with
// probability `power`, if that is planned.
double information_for(double drift, double z, double power);

}  // namespace covey::monitoring
