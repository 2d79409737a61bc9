// SPDX-License-Identifier: Apache-2.0
// What an accuracy gate can find out, before there is a label: by the boundary alone
// (boundary.hpp), of all strata together, with as many labels in control as in the canary. Thread
// safety: pure functions. Units: shares 0..1.
#pragma once

#include <cstdint>
#include <optional>

#include "monitoring/accuracy/accuracy.hpp"

namespace covey::monitoring {

struct Planned {
  size_t canaries = 0;  // devices
  size_t controls = 0;
  double accuracy = 0.9;  // of both
  double device_sd = 0;   // spread of the accuracy between devices
};

// Probability that the gate ends with that verdict by `labels` of the canary, if the canary's
// accuracy is control's plus `difference`.
double pass_probability(const AccuracyOptions& gate, const Planned& planned, uint64_t labels,
                        double difference);
double fail_probability(const AccuracyOptions& gate, const Planned& planned, uint64_t labels,
                        double difference);

// Labels of the canary by which an equal release passes with that probability, if the plan says
// `labels:` so many. nullopt: with no number of them.
std::optional<uint64_t> labels_to_pass(const AccuracyOptions& gate, const Planned& planned,
                                       double power);
// The spread between devices from which on no number of labels passes an equal release with that
// probability.
double device_sd_limit(const AccuracyOptions& gate, const Planned& planned, double power);

}  // namespace covey::monitoring
