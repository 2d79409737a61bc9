// SPDX-License-Identifier: Apache-2.0
// Rollouts of devices whose truth is known, judged by the accuracy gate while labels come, and by
// rules that others judge with, on the same labels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/verdict.hpp"
#include "monitoring/accuracy/accuracy.hpp"

namespace covey::study {

struct Setting {
  size_t strata = 1;
  size_t canaries = 50;  // of all strata together
  size_t controls_per_canary = 9;
  uint64_t labels = 50;            // per canary device at the end, at random devices
  uint64_t labels_of_control = 9;  // for each of the canary
  double accuracy = 0.9;           // of control; three strata: 4 pp more, as much, 4 pp less
  double difference = 0;           // canary minus control
  double device_sd = 0;            // between devices (beta-distributed)
  bool shock = false;              // all devices lose 10 pp in 30 % of the time
  monitoring::AccuracyOptions gate{};
};

enum class Rule : uint8_t { kGate, kPeekedZ, kFixedThreshold, kAgainstControl };
constexpr std::array kRules{Rule::kGate, Rule::kPeekedZ, Rule::kFixedThreshold,
                            Rule::kAgainstControl};
std::string name_of(Rule rule);

struct RuleRates {
  double pass = 0;
  double fail = 0;
  double labels = 0;  // of the canary until the verdict, median
};
using Rates = std::array<RuleRates, kRules.size()>;

// The same seed gives the same rates on every platform.
Rates simulate(const Setting& setting, int runs, uint64_t seed);

}  // namespace covey::study
