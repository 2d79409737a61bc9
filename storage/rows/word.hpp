// SPDX-License-Identifier: Apache-2.0
// Enums that are kept as their stable text. Pure; any thread.
#pragma once

#include "core/verdict.hpp"
#include "deploy/deployment/deployment.hpp"
#include "deploy/deployment/device.hpp"
#include "deploy/rollout/rollout.hpp"
#include "monitoring/alerts/alert.hpp"
#include "monitoring/drift/model.hpp"

namespace covey::rows {

template <typename E>
struct Word;  // kParse: std::optional<E>(std::string_view); to_string(E) is the other way

template <>
struct Word<DeviceState> {
  static constexpr auto kParse = &parse_device_state;
};
template <>
struct Word<DeploymentState> {
  static constexpr auto kParse = &parse_deployment_state;
};
template <>
struct Word<Cause> {
  static constexpr auto kParse = &parse_cause;
};
template <>
struct Word<RolloutState> {
  static constexpr auto kParse = &parse_rollout_state;
};
template <>
struct Word<StageState> {
  static constexpr auto kParse = &parse_stage_state;
};
template <>
struct Word<Verdict> {
  static constexpr auto kParse = &parse_verdict;
};
template <>
struct Word<monitoring::AlertState> {
  static constexpr auto kParse = &monitoring::parse_alert_state;
};
template <>
struct Word<monitoring::AlertKind> {
  static constexpr auto kParse = &monitoring::parse_alert_kind;
};
template <>
struct Word<monitoring::SubjectKind> {
  static constexpr auto kParse = &monitoring::parse_subject_kind;
};
template <>
struct Word<monitoring::DriftOutcome> {
  static constexpr auto kParse = &monitoring::parse_drift_outcome;
};
template <>
struct Word<monitoring::Severity> {
  static constexpr auto kParse = &monitoring::parse_severity;
};

template <typename E>
concept HasWord = requires {
  Word<E>::kParse;
};

}  // namespace covey::rows
