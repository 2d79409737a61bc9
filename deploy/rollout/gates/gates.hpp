// SPDX-License-Identifier: Apache-2.0
// The gates of a plan. Each kind has a file of its own here: what a document says (Document, with
// its fields), what it means, and how the one becomes the other (read_gate, document_of). A new
// kind is one member and one line of GateDocument, and one alternative of Gate; then nothing links
// before gateway/engine/gates has a file that judges it.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "deploy/rollout/gates/accuracy.hpp"
#include "deploy/rollout/gates/agreement.hpp"
#include "deploy/rollout/gates/drift.hpp"
#include "deploy/rollout/gates/failures.hpp"
#include "deploy/rollout/gates/latency.hpp"
#include "deploy/rollout/gates/silence.hpp"

namespace covey {

inline constexpr size_t kGatesMax = 16;

// Exactly one member is set.
struct GateDocument {
  using Failures = FailuresGate::Document;
  using Silence = SilenceGate::Document;
  using Accuracy = AccuracyGate::Document;
  using Drift = DriftGate::Document;
  using Latency = LatencyGate::Document;
  using Agreement = AgreementGate::Document;

  std::optional<Failures> failures;
  std::optional<Silence> silence;
  std::optional<Accuracy> accuracy;
  std::optional<Drift> drift;
  std::optional<Latency> latency;
  std::optional<Agreement> agreement;
  bool operator==(const GateDocument&) const = default;
};

void fields(auto& visit, Like<GateDocument> auto& document) {
  auto& [failures, silence, accuracy, drift, latency, agreement] = document;
  visit("failures", failures);
  visit("silence", silence);
  visit("accuracy", accuracy);
  visit("drift", drift);
  visit("latency", latency);
  visit("agreement", agreement);
}

// What may be judged. A document of any other kind is refused where it is read.
using Gate = std::variant<FailuresGate, SilenceGate, AccuracyGate>;

std::string_view name_of(const Gate& gate);  // "failures", ...
// As a document would say it: "failures {max: 2%, of: attempted, min_sample: 20}".
std::string to_string(const Gate& gate);

// Each kind at most once. Errors: problems of `values`; what has some is left out.
std::vector<Gate> read_gates(const std::vector<GateDocument>& documents, const std::string& path,
                             PlanValues& values);

}  // namespace covey
