// SPDX-License-Identifier: Apache-2.0
// Detectors that others watch series with, and scores of any detector: to compare with, not to
// watch a fleet with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "monitoring/statistics/moments.hpp"

namespace covey::cases {

// Page-Hinkley (Page 1954; Mouss et al. 2004), upwards, with a forgetting factor.
struct PageHinkleyOptions {
  size_t warm_up = 30;
  double delta = 0.005;
  double threshold = 50;
  double alpha = 0.9999;
};
class PageHinkley {
 public:
  explicit PageHinkley(const PageHinkleyOptions& options) : options_(options) {}
  bool add(double x);

 private:
  PageHinkleyOptions options_;
  monitoring::RunningMoments moments_;
  double sum_ = 0;
  bool alarmed_ = false;
};

// Adaptive windowing (Bifet and Gavalda 2007): an exponential histogram of the newest values that
// is cut where its two parts differ.
struct AdwinOptions {
  double delta = 0.002;
  size_t clock = 32;         // values between two looks
  size_t row = 5;            // buckets of a size before two of them merge
  double part = 5;           // values in either part, at least
  size_t grace = 10;         // values before the first look
  bool begin_anew = true;    // after an alarm, else the window is only cut
  bool skip_newest = false;  // never cut behind the newest bucket of a size, as some versions did
};
class Adwin {
 public:
  explicit Adwin(const AdwinOptions& options) : options_(options) {}
  bool add(double x);

 private:
  using Row = std::deque<monitoring::RunningMoments>;  // of buckets of one size, oldest first
  void compress();
  bool cut();
  bool differ(const monitoring::RunningMoments& a, const monitoring::RunningMoments& b) const;
  void drop_oldest();

  AdwinOptions options_;
  std::vector<Row> rows_{1};
  monitoring::RunningMoments window_;
  size_t seen_ = 0;
  bool alarmed_ = false;
};

// Alarms within [drift, drift + late] are hits of the earliest such drift, others are false.
struct DetectorScores {
  std::optional<double> precision;
  std::optional<double> recall;          // every hit counts
  std::optional<double> episode_recall;  // of each drift one
  std::optional<double> detection_delay;
  // Mean time between false alarms over the delay, times the share of drifts that were found
  // (Bifet et al. 2013).
  std::optional<double> mean_time_ratio;
};
DetectorScores score_detector(const std::vector<uint64_t>& alarms,
                              const std::vector<uint64_t>& drifts, uint64_t late);

}  // namespace covey::cases
