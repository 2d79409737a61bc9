// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/power.hpp"

#include <algorithm>
#include <cmath>

#include "monitoring/accuracy/boundary.hpp"
#include "monitoring/accuracy/levels.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

constexpr double kLabelsMax = 1e9;

double inflation(const Planned& planned, double alpha) {
  const double degrees =
      std::max(1.0, static_cast<double>(planned.canaries + planned.controls) - 2);
  const double ratio = student_quantile_upper(alpha, degrees) / normal_quantile(1 - alpha);
  return ratio * ratio;
}

double information(const Planned& planned, double labels, double alpha) {
  const double by_labels = 2 * planned.accuracy * (1 - planned.accuracy) / labels;
  const double by_devices =
      planned.device_sd * planned.device_sd *
      (1 / static_cast<double>(planned.canaries) + 1 / static_cast<double>(planned.controls));
  return 1 / ((by_labels + by_devices) * inflation(planned, alpha));
}

// A Brownian motion with this drift reaches `level` by then (reflection principle).
double reaches(double level, double drift, double time) {
  const double root = std::sqrt(time);
  return normal_cdf((drift * time - level) / root) +
         std::exp(std::min(700.0, 2 * drift * level)) * normal_cdf((-level - drift * time) / root);
}

double probability(const AccuracyOptions& gate, const Planned& planned, uint64_t labels,
                   double drift, double alpha, double of_boundary) {
  if (labels == 0 || planned.canaries == 0 || planned.controls == 0) return 0;
  const double z = boundary_quantile(of_boundary * alpha);
  const double then = information(planned, static_cast<double>(labels), alpha);
  const double best = gate.labels > 0
                          ? information(planned, static_cast<double>(gate.labels), alpha)
                          : information_for(gate.non_inferior_by.as_double(), z, 0.9);
  return reaches(z * std::sqrt(best), drift, std::min(then, best));
}

}  // namespace

double pass_probability(const AccuracyOptions& gate, const Planned& planned, uint64_t labels,
                        double difference) {
  return probability(gate, planned, labels, difference + gate.non_inferior_by.as_double(),
                     gate.alpha.as_double(), kOfBoundaryToPass);
}

double fail_probability(const AccuracyOptions& gate, const Planned& planned, uint64_t labels,
                        double difference) {
  return probability(gate, planned, labels, -difference - gate.non_inferior_by.as_double(),
                     gate.alpha.as_double(), kOfBoundaryToFail);
}

std::optional<uint64_t> labels_to_pass(const AccuracyOptions& gate, const Planned& planned,
                                       double power) {
  const auto passes = [&](double labels) {
    AccuracyOptions so_many = gate;
    so_many.labels = static_cast<uint64_t>(labels);
    return pass_probability(so_many, planned, so_many.labels, 0) >= power;
  };
  if (!passes(kLabelsMax)) return std::nullopt;
  double low = 1;
  double high = kLabelsMax;
  while (high - low > 1) {
    const double middle = std::floor(std::sqrt(low * high));
    if (middle <= low) break;
    (passes(middle) ? high : low) = middle;
  }
  return static_cast<uint64_t>(high);
}

double device_sd_limit(const AccuracyOptions& gate, const Planned& planned, double power) {
  double low = 0;
  double high = 0.5;
  for (int step = 0; step < 40; ++step) {
    Planned apart = planned;
    apart.device_sd = 0.5 * (low + high);
    AccuracyOptions many = gate;
    many.labels = static_cast<uint64_t>(kLabelsMax);
    (pass_probability(many, apart, many.labels, 0) >= power ? low : high) = apart.device_sd;
  }
  return low;
}

}  // namespace covey::monitoring
