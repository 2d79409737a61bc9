// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

void count(TelemetryState& telemetry, const DeviceId& device, const KnownSample& sample,
           uint32_t truth, bool add) {
  monitoring::DeviceLabels& labels = telemetry.tally[{sample.manifest, device}][sample.window];
  const uint64_t correct = sample.predicted == truth ? 1 : 0;
  if (add) {
    ++labels.labelled;
    labels.correct += correct;
  } else {
    --labels.labelled;
    labels.correct -= correct;
  }
}

}  // namespace

void add_sample(Turn& turn, const SampleRecord& sample) {
  DeviceInferences& inferences = own_telemetry(turn).inferences[sample.device];
  const InferenceKey key{sample.boot_id, sample.inference};
  const KnownSample known{sample.manifest, sample.cohort, sample.predicted, sample.window};
  if (!inferences.samples.emplace(key, known).second) return;
  inferences.sample_order.push_back(key);
  if (inferences.sample_order.size() > kSamplesPerDeviceMax) {
    inferences.samples.erase(inferences.sample_order.front());
    inferences.sample_order.pop_front();
    turn.drop(Drop::kSampleLimit);
  }
  turn.write(PutSample{sample});
  const auto label = inferences.labels.find(key);
  if (label != inferences.labels.end() && !label->second.matched) {
    label->second.matched = true;
    count(own_telemetry(turn), sample.device, known, label->second.truth, true);
  }
}

Result<CommandReply> submit_labels(Turn& turn, const SubmitLabels& command) {
  const State& state = turn.state;
  if (command.labels.size() > kLabelsPerRequestMax) {
    return invalid("TOO_MANY_LABELS",
                   "labels: at most " + std::to_string(kLabelsPerRequestMax) + " in one request");
  }
  uint32_t classes = 0;
  for (const auto& [digest, artifact] : state.catalogue.artifacts) {
    if (artifact.release.model == command.model) {
      classes = std::max(classes, static_cast<uint32_t>(artifact.shape.classes));
    }
  }
  if (classes == 0) {
    return not_found("no release of model " + command.model.str() + " with classes");
  }
  // All or nothing: look at every label before the first is taken.
  for (size_t i = 0; i < command.labels.size(); ++i) {
    const LabelInput& label = command.labels[i];
    const std::string field = "labels[" + std::to_string(i) + "]";
    if (label.truth >= classes) {
      return invalid("BAD_CLASS", field + ".class: " + std::to_string(label.truth) +
                                      " but the model has " + std::to_string(classes) + " classes");
    }
    if (!state.fleet.devices.contains(label.device)) {
      return not_found(field + ".device: no device " + label.device.str());
    }
  }
  CommandReply reply;
  for (const LabelInput& label : command.labels) {
    DeviceInferences& inferences = own_telemetry(turn).inferences[label.device];
    const InferenceKey key{label.boot_id, label.inference};
    const auto sample = inferences.samples.find(key);
    const auto [known, added] = inferences.labels.try_emplace(key, KnownLabel{label.truth, false});
    if (!added && known->second.truth == label.truth) {
      ++reply.labels_unchanged;
      continue;
    }
    if (added) {
      inferences.label_order.push_back(key);
      if (inferences.label_order.size() > kSamplesPerDeviceMax) {
        inferences.labels.erase(inferences.label_order.front());
        inferences.label_order.pop_front();
      }
    }
    if (sample != inferences.samples.end()) {
      if (!added && known->second.matched) {
        count(own_telemetry(turn), label.device, sample->second, known->second.truth, false);
      }
      known->second = {label.truth, true};
      count(own_telemetry(turn), label.device, sample->second, label.truth, true);
      ++reply.labels_matched;
    } else {
      known->second.truth = label.truth;
      ++reply.labels_unmatched;
    }
    turn.write(PutLabel{{.model = command.model,
                         .device = label.device,
                         .boot_id = label.boot_id,
                         .inference = label.inference,
                         .truth = label.truth,
                         .matched = known->second.matched,
                         .wall = turn.now.wall}});
  }
  judge_soon(turn, command.model);
  return reply;
}

}  // namespace covey::engine
