// SPDX-License-Identifier: Apache-2.0
#include "tools/statistics/simulated_gate.hpp"

#include <algorithm>
#include <cmath>

#include "tools/statistics/random.hpp"

namespace covey::study {
namespace {

using monitoring::LabelsByWindow;
using monitoring::StratumLabels;

constexpr int64_t kWindows = 8;
constexpr uint64_t kFirstLook = 30;
constexpr double kLookEvery = 0.06;  // of the labels: between labels nothing changes
constexpr double kShock = 0.1;
constexpr double kPeekedZ = 1.959964;
constexpr int kChecks = 10;
constexpr int kFailuresMax = 3;  // a fourth rolls back (Argo Rollouts' failureLimit)

struct Device {
  size_t stratum;
  size_t place;
  double accuracy;
};
struct Count {
  double labelled = 0;
  double correct = 0;
  double share() const { return labelled > 0 ? correct / labelled : 1; }
};

// A rule's verdict, once it has one.
struct Ended {
  Verdict verdict = Verdict::kInconclusive;
  uint64_t labels = 0;
  void end(Verdict said, uint64_t at) {
    if (verdict != Verdict::kInconclusive) return;
    verdict = said;
    labels = at;
  }
};

class SimulatedRollout {
 public:
  SimulatedRollout(const Setting& setting, Random& random) : setting_(setting), random_(random) {
    for (size_t s = 0; s < setting.strata; ++s) {
      strata_.push_back({setting.strata == 1 ? "" : "s" + std::string(1, char('1' + s)), {}, {}});
    }
    fill(canary_, &StratumLabels::canary, setting.canaries, setting.difference);
    fill(control_, &StratumLabels::control, setting.canaries * setting.controls_per_canary, 0);
    counts_.resize(setting.strata);
  }

  std::array<Ended, kRules.size()> run() {
    const uint64_t all = setting_.labels * setting_.canaries;
    uint64_t next_look = kFirstLook;
    for (uint64_t n = 1; n <= all; ++n) {
      const double time = (static_cast<double>(n) - 0.5) / static_cast<double>(all);
      label(canary_, &StratumLabels::canary, time, true);
      for (uint64_t i = 0; i < setting_.labels_of_control; ++i) {
        label(control_, &StratumLabels::control, time, false);
      }
      if (n * kChecks % all < kChecks) check(n);
      if (n < next_look && n != all) continue;
      next_look =
          n + std::max<uint64_t>(1, static_cast<uint64_t>(kLookEvery * static_cast<double>(n)));
      look(n);
    }
    ended_[2].end(Verdict::kPass, all);
    ended_[3].end(Verdict::kPass, all);
    for (Ended& e : ended_) {
      if (e.labels == 0) e.labels = all;
    }
    return ended_;
  }

 private:
  double accuracy_of(size_t stratum) const {
    if (setting_.strata == 1) return setting_.accuracy;
    const auto middle = static_cast<double>(setting_.strata - 1) / 2;
    return setting_.accuracy + 0.04 * (middle - static_cast<double>(stratum));
  }

  void fill(std::vector<Device>& devices, std::vector<LabelsByWindow> StratumLabels::*side,
            size_t count, double difference) {
    for (size_t i = 0; i < count; ++i) {
      const size_t stratum = i % setting_.strata;
      std::vector<LabelsByWindow>& list = strata_[stratum].*side;
      const double mean = accuracy_of(stratum) + difference;
      devices.push_back({stratum, list.size(), random_.share(mean, setting_.device_sd)});
      list.emplace_back();
    }
  }

  void label(const std::vector<Device>& devices, std::vector<LabelsByWindow> StratumLabels::*side,
             double time, bool canary) {
    const Device& device = devices[random_.below(devices.size())];
    const auto window = static_cast<int64_t>(time * kWindows);
    const bool shocked = setting_.shock && time > 0.35 && time < 0.65;
    const bool right = random_.chance(device.accuracy - (shocked ? kShock : 0));
    LabelsByWindow& windows = (strata_[device.stratum].*side)[device.place];
    if (windows.empty() || windows.back().window != window) windows.push_back({window, {}});
    ++windows.back().labels.labelled;
    windows.back().labels.correct += right ? 1 : 0;
    Count& all = canary ? counts_[device.stratum].canary : counts_[device.stratum].control;
    Count& lately = canary ? checked_canary_ : checked_control_;
    for (Count* count : {&all, &lately}) {
      count->labelled += 1;
      count->correct += right ? 1 : 0;
    }
  }

  void look(uint64_t n) {
    if (ended_[0].verdict == Verdict::kInconclusive) {
      const Verdict said = monitoring::judge_accuracy(strata_, setting_.gate).verdict;
      if (said != Verdict::kInconclusive) ended_[0].end(said, n);
    }
    // "No longer like control": asked at every look, in every stratum, as a dashboard would.
    for (const auto& [canary, control] : counts_) {
      if (canary.labelled < 30 || control.labelled < 30) continue;
      const double p = (canary.correct + control.correct) / (canary.labelled + control.labelled);
      const double sd = std::sqrt(p * (1 - p) * (1 / canary.labelled + 1 / control.labelled));
      if (sd > 0 && canary.share() - control.share() < -kPeekedZ * sd) {
        ended_[1].end(Verdict::kFail, n);
      }
    }
  }

  // Ten checks of what came since the last one.
  void check(uint64_t n) {
    const double margin = setting_.gate.non_inferior_by.as_double();
    const double fixed = setting_.accuracy - margin;
    const double control = checked_control_.share() - margin;
    if (checked_canary_.share() < fixed && ++failures_[0] > kFailuresMax) {
      ended_[2].end(Verdict::kFail, n);
    }
    if (checked_canary_.share() < control && ++failures_[1] > kFailuresMax) {
      ended_[3].end(Verdict::kFail, n);
    }
    checked_canary_ = {};
    checked_control_ = {};
  }

  struct Both {
    Count canary;
    Count control;
  };
  const Setting& setting_;
  Random& random_;
  std::vector<StratumLabels> strata_;
  std::vector<Device> canary_;
  std::vector<Device> control_;
  std::vector<Both> counts_;
  Count checked_canary_;
  Count checked_control_;
  std::array<int, 2> failures_{};
  std::array<Ended, kRules.size()> ended_{};
};

}  // namespace

std::string name_of(Rule rule) {
  switch (rule) {
    case Rule::kGate:
      return "gate";
    case Rule::kPeekedZ:
      return "z-test, peeked at";
    case Rule::kFixedThreshold:
      return "fixed threshold";
    case Rule::kAgainstControl:
      return "threshold against control";
  }
  return "gate";
}

Rates simulate(const Setting& setting, int runs, uint64_t seed) {
  Random random(seed);
  Rates rates;
  std::array<std::vector<uint64_t>, kRules.size()> labels;
  for (int i = 0; i < runs; ++i) {
    const auto ended = SimulatedRollout(setting, random).run();
    for (size_t r = 0; r < ended.size(); ++r) {
      rates[r].pass += ended[r].verdict == Verdict::kPass ? 1.0 / runs : 0;
      rates[r].fail += ended[r].verdict == Verdict::kFail ? 1.0 / runs : 0;
      labels[r].push_back(ended[r].labels);
    }
  }
  for (size_t r = 0; r < labels.size(); ++r) {
    std::nth_element(labels[r].begin(), labels[r].begin() + runs / 2, labels[r].end());
    rates[r].labels = static_cast<double>(labels[r][static_cast<size_t>(runs / 2)]);
  }
  return rates;
}

}  // namespace covey::study
