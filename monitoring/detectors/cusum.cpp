// SPDX-License-Identifier: Apache-2.0
#include "monitoring/detectors/cusum.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "monitoring/statistics/distributions.hpp"
#include "monitoring/statistics/linear.hpp"

namespace covey::monitoring {
namespace {

constexpr double kLongest = 1e13;  // beyond it the equations are too close to singular

double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::acos(-1.0)); }

struct Node {
  double at;
  double weight;
};

// Gauss-Legendre on [0, h]: the roots of the Legendre polynomial, by Newton's method.
std::vector<Node> legendre(size_t n, double h) {
  std::vector<Node> nodes;
  const auto degree = static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) {
    double x = std::cos(std::acos(-1.0) * (static_cast<double>(i) + 0.75) / (degree + 0.5));
    double slope = 1;
    for (int step = 0; step < 100; ++step) {
      double last = 0;
      double value = 1;
      for (size_t k = 0; k < n; ++k) {
        const auto order = static_cast<double>(k);
        const double next = ((2 * order + 1) * x * value - order * last) / (order + 1);
        last = value;
        value = next;
      }
      slope = degree * (x * value - last) / (x * x - 1);
      const double move = value / slope;
      x -= move;
      if (std::abs(move) < 1e-15) break;
    }
    nodes.push_back({0.5 * h * (x + 1), h / ((1 - x * x) * slope * slope)});
  }
  return nodes;
}

}  // namespace

bool TabularCusum::add(double x) {
  if (alarmed_) *this = TabularCusum(options_);
  const auto warm_up = static_cast<double>(std::max<size_t>(options_.warm_up, 1));
  if (reference_.n < warm_up) reference_.add(x);
  if (reference_.n < warm_up) return false;
  const double sd = std::sqrt(reference_.variance());
  const double off = x - reference_.mean;
  up_ = std::max(0.0, up_ + off - options_.slack * sd);
  down_ = std::max(0.0, down_ - off - options_.slack * sd);
  alarmed_ = std::max(up_, down_) > options_.threshold * sd;
  return alarmed_;
}

double cusum_run_length(double slack, double h, double mu) {
  if (!(h > 0)) return 1 / (1 - normal_cdf(slack - mu));
  // L(u) = 1 + L(0) P(back to 0) + integral of L(y) times the density of y - u over 0..h
  const auto n = static_cast<size_t>(24 + 6 * std::min(h, 100.0));
  const std::vector<Node> nodes = legendre(n, h);
  const auto from = [&](size_t i) { return i == 0 ? 0.0 : nodes[i - 1].at; };
  Matrix equations(n + 1, std::vector<double>(n + 1, 0.0));
  for (size_t i = 0; i <= n; ++i) {
    equations[i][0] = -normal_cdf(slack - mu - from(i));
    for (size_t j = 0; j < n; ++j) {
      equations[i][j + 1] = -nodes[j].weight * density(nodes[j].at + slack - mu - from(i));
    }
    equations[i][i] += 1;
  }
  const auto lengths = solve(std::move(equations), std::vector<double>(n + 1, 1.0));
  const double length = lengths ? (*lengths)[0] : kLongest;
  return length > 0 && length < kLongest ? length : kLongest;
}

double cusum_run_length_two_sided(double slack, double h, double mu) {
  return 1 / (1 / cusum_run_length(slack, h, mu) + 1 / cusum_run_length(slack, h, -mu));
}

double cusum_threshold(double slack, double run_length) {
  double low = 0;
  double high = 1;
  while (high < 100 && cusum_run_length(slack, high, 0) < run_length) {
    low = high;
    high *= 2;
  }
  for (int step = 0; step < 60 && high - low > 1e-9 * high; ++step) {
    const double middle = 0.5 * (low + high);
    (cusum_run_length(slack, middle, 0) < run_length ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace covey::monitoring
