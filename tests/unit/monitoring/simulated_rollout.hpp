// SPDX-License-Identifier: Apache-2.0
// A rollout under the accuracy gate: labels come one by one to random devices, each device has its
// own accuracy, the site may change at half time, and the gate is asked between labels, as a
// gateway does every second. A rollout ends with its first verdict.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "monitoring/accuracy/accuracy.hpp"
#include "tests/unit/monitoring/random.hpp"

namespace covey::monitoring::testing {

struct RolloutOptions {
  size_t canaries = 20;
  size_t controls = 60;
  uint64_t labels = 50;            // per canary device, at the end
  uint64_t labels_of_control = 9;  // for each of the canary
  double control = 0.9;            // accuracy
  double difference = 0;           // canary minus control
  double device_sd = 0;            // between devices, beta-distributed
  double step = 0;                 // what all devices gain at half time
  bool rising = false;             // the canary's labels come at a rate that rises from 0
  int64_t windows = 24;            // in the rollout
  double look_every = 0.1;         // of the labels, from 60 on; before, at each from the 30th
  bool first_verdict_ends = true;
  AccuracyOptions gate{};
};

struct RolloutEnd {
  Verdict verdict = Verdict::kInconclusive;
  uint64_t canary_labels = 0;
  double difference = 0;  // as measured at the end
};

// Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
inline double gamma_variable(Random& random, double shape) {
  if (shape < 1) {
    return gamma_variable(random, shape + 1) * std::pow(1 - random.uniform(), 1 / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal();
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return d * v;
    }
  }
}

inline double device_accuracy(Random& random, double mean, double sd) {
  if (sd == 0 || mean <= 0 || mean >= 1) return mean;
  const double size = std::max(0.1, mean * (1 - mean) / (sd * sd) - 1);
  const double a = gamma_variable(random, mean * size);
  return a / (a + gamma_variable(random, (1 - mean) * size));
}

class SimulatedRollout {
 public:
  SimulatedRollout(const RolloutOptions& options, Random& random)
      : options_(options), random_(random) {
    canary_ = arm(options.canaries, options.control + options.difference);
    control_ = arm(options.controls, options.control);
    stratum_.canary.resize(options.canaries);
    stratum_.control.resize(options.controls);
  }

  RolloutEnd run() {
    const uint64_t all = options_.labels * options_.canaries;
    uint64_t next_look = 30;
    uint64_t of_control = 0;
    for (uint64_t n = 1; n <= all; ++n) {
      const double part = static_cast<double>(n) / static_cast<double>(all);
      const double time = std::min(options_.rising ? std::sqrt(part) : part, 1 - 1e-9);
      const double wanted = time * static_cast<double>(all * options_.labels_of_control);
      for (; static_cast<double>(of_control) < wanted; ++of_control) {
        const double then =
            static_cast<double>(of_control) / static_cast<double>(all * options_.labels_of_control);
        label(stratum_.control, control_, then);
      }
      label(stratum_.canary, canary_, time);
      if (n != all && (n < next_look || !options_.first_verdict_ends)) continue;
      next_look = n < 60 ? n + 1
                         : n + std::max<uint64_t>(1, static_cast<uint64_t>(options_.look_every *
                                                                           static_cast<double>(n)));
      const AccuracyVerdict verdict = judge_accuracy({&stratum_, 1}, options_.gate);
      if (n == all || verdict.verdict != Verdict::kInconclusive) {
        return {verdict.verdict, n, verdict.strata.front().difference};
      }
    }
    return {};
  }

 private:
  std::vector<double> arm(size_t devices, double mean) {
    std::vector<double> accuracies(devices);
    for (double& p : accuracies) p = device_accuracy(random_, mean, options_.device_sd);
    return accuracies;
  }

  void label(std::vector<LabelsByWindow>& devices, const std::vector<double>& accuracies,
             double time) {
    const uint64_t d = random_.below(devices.size());
    const auto window = static_cast<int64_t>(time * static_cast<double>(options_.windows));
    if (devices[d].empty() || devices[d].back().window != window) {
      devices[d].push_back({window, {}});
    }
    DeviceLabels& labels = devices[d].back().labels;
    ++labels.labelled;
    labels.correct += random_.chance(accuracies[d] + (time < 0.5 ? 0 : options_.step)) ? 1 : 0;
  }

  RolloutOptions options_;
  Random& random_;
  std::vector<double> canary_;
  std::vector<double> control_;
  StratumLabels stratum_{"all", {}, {}};
};

struct RolloutRates {
  double pass = 0;
  double fail = 0;
  double difference = 0;  // mean
  double labels = 0;      // of the canary until the verdict, mean
};
inline RolloutRates rollout_rates(const RolloutOptions& options, int runs, uint64_t seed) {
  Random random(seed);
  RolloutRates rates;
  for (int i = 0; i < runs; ++i) {
    const RolloutEnd end = SimulatedRollout(options, random).run();
    rates.pass += end.verdict == Verdict::kPass ? 1.0 / runs : 0;
    rates.fail += end.verdict == Verdict::kFail ? 1.0 / runs : 0;
    rates.difference += end.difference / runs;
    rates.labels += static_cast<double>(end.canary_labels) / runs;
  }
  return rates;
}

}  // namespace covey::monitoring::testing
