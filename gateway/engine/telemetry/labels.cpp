// SPDX-License-Identifier: Apache-2.0
// Labels meet samples. That a label counts once rests on the store: what it has of an inference
// comes with the command (docs/adr/0031), memory has what came lately. What is left when both have
// gone is a tally by span of wall time, which gates judge.
#include <fmt/format.h>

#include <algorithm>

#include "core/limits.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// Adds a label to its span, or takes it out again. Spans that were forgotten take nothing: their
// counts are gone, and a correction would take from counts of others.
void count(Turn& turn, Millis before, const DeviceId& device, const KnownSample& sample,
           uint32_t truth, bool add) {
  const Millis window = turn.config.window;
  const int64_t start = (sample.at / window) * window.count();
  if (Millis{start} < before) return;
  const uint64_t correct = sample.predicted == truth ? 1 : 0;
  monitoring::DeviceLabels& labels = own_telemetry(turn).tally[{sample.manifest, device}][start];
  if (add) {
    ++labels.labelled;
    labels.correct += correct;
  } else {
    labels.labelled -= std::min<uint64_t>(labels.labelled, 1);
    labels.correct = std::min(labels.correct - std::min(labels.correct, correct), labels.labelled);
  }
  turn.telemetry_rows.tallies.insert({sample.manifest, device, start});
}

template <typename Map>
void forget_recent(Map& recent, RecentOrder& order, Millis now) {
  while (!order.empty() && (order.size() > kInferencesRememberedMax ||
                            now - order.front().first > kInferencesRemembered)) {
    recent.erase(order.front().second);
    order.pop_front();
  }
}
void forget_recent(RecentInferences& recent, Millis now) {
  forget_recent(recent.samples, recent.sample_order, now);
  forget_recent(recent.labels, recent.label_order, now);
}

void remember(Turn& turn, const InferenceKey& key, const KnownLabel& label) {
  RecentInferences& recent = own_telemetry(turn).recent;
  recent.labels.insert_or_assign(key, label);
  recent.label_order.emplace_back(turn.now.mono, key);
}

void put_label(Turn& turn, const ModelName& model, const InferenceKey& key, const KnownLabel& label,
               Millis wall) {
  const auto& [device, boot_id, inference] = key;
  turn.write(PutLabel{{.model = model,
                       .device = device,
                       .boot_id = boot_id,
                       .inference = inference,
                       .truth = label.truth,
                       .matched = label.matched,
                       .wall = wall}});
}

void stop_waiting(WaitingLabels& waiting, std::map<InferenceKey, WaitingLabel>::iterator label) {
  waiting.by_order.erase(label->second.order);
  waiting.by_key.erase(label);
}

// The oldest go where too many wait.
void wait(Turn& turn, const ModelName& model, const InferenceKey& key, uint32_t truth) {
  WaitingLabels& waiting = own_telemetry(turn).waiting;
  const auto [label, added] = waiting.by_key.try_emplace(key);
  label->second.truth = truth;
  label->second.model = model;
  if (added) {
    label->second.wall = turn.now.wall;
    label->second.order = waiting.next;
    waiting.by_order.emplace(waiting.next++, key);
  }
  put_label(turn, model, key, {truth, false}, label->second.wall);
  if (waiting.by_key.size() <= kLabelsWaitingMax) return;
  const InferenceKey oldest = waiting.by_order.begin()->second;
  stop_waiting(waiting, waiting.by_key.find(oldest));
  turn.write(RemoveLabel{std::get<0>(oldest), std::get<1>(oldest), std::get<2>(oldest)});
  turn.drop(Drop::kLabelLimit);
}

// What is known of an inference: lately by memory, else by the store.
struct Known {
  std::optional<KnownSample> sample;
  std::optional<KnownLabel> label;
};
Known known_of(const TelemetryState& telemetry, const InferenceKey& key,
               const StoredInference& stored) {
  Known known;
  if (const auto recent = telemetry.recent.samples.find(key);
      recent != telemetry.recent.samples.end()) {
    known.sample = recent->second;
  } else if (stored.sample) {
    known.sample = {stored.sample->manifest, stored.sample->predicted, stored.sample->at};
  }
  if (const auto recent = telemetry.recent.labels.find(key);
      recent != telemetry.recent.labels.end()) {
    known.label = recent->second;
  } else if (const auto waits = telemetry.waiting.by_key.find(key);
             waits != telemetry.waiting.by_key.end()) {
    known.label = {waits->second.truth, false};
  } else if (stored.label && stored.label->matched) {
    known.label = {stored.label->truth, true};
  }
  return known;
}

// Who may label one model must not decide about another: what a label is about is what the sample
// says, not its sender.
bool is_of_another(const State& state, const KnownSample& sample, const ModelName& model) {
  const auto artifact = state.catalogue.artifacts.find(sample.manifest);
  return artifact != state.catalogue.artifacts.end() && artifact->second.release.model != model;
}

void take_label(Turn& turn, Millis before, const ModelName& model, const LabelInput& input,
                CommandReply& reply) {
  const InferenceKey key{input.device, input.boot_id, input.inference};
  const Known known = known_of(turn.state.telemetry, key, input.stored);
  if (known.sample && is_of_another(turn.state, *known.sample, model)) {
    ++reply.labels_unmatched;
    return;
  }
  if (known.label && known.label->truth == input.truth) {
    ++reply.labels_unchanged;
    return;
  }
  if (!known.sample) {
    // One that was matched stays so, whatever becomes of its sample.
    ++reply.labels_unmatched;
    if (!known.label || !known.label->matched) wait(turn, model, key, input.truth);
    return;
  }
  WaitingLabels& waiting = own_telemetry(turn).waiting;
  if (const auto waits = waiting.by_key.find(key); waits != waiting.by_key.end()) {
    stop_waiting(waiting, waits);
  }
  if (known.label && known.label->matched) {
    count(turn, before, input.device, *known.sample, known.label->truth, false);
  }
  count(turn, before, input.device, *known.sample, input.truth, true);
  remember(turn, key, {input.truth, true});
  put_label(turn, model, key, {input.truth, true}, turn.now.wall);
  ++reply.labels_matched;
}

uint32_t classes_of(const State& state, const ModelName& model) {
  uint32_t classes = 0;
  for (const auto& [digest, artifact] : state.catalogue.artifacts) {
    if (artifact.release.model != model) continue;
    classes = std::max(classes, static_cast<uint32_t>(artifact.shape.classes));
  }
  return classes;
}

Status check(const LabelInput& label, size_t index, uint32_t classes) {
  if (label.truth >= classes) {
    return invalid("BAD_CLASS", fmt::format("labels[{}].class: {} but the model has {} classes",
                                            index, label.truth, classes));
  }
  return {};
}

}  // namespace

Millis labels_before(const Turn& turn) {
  Millis before = turn.now.wall - turn.config.retention;
  // A rollout that goes on is judged by all of its labels.
  for (const RolloutName& name : turn.state.rollouts.open) {
    const RolloutProgress& progress = turn.state.rollouts.by_name.at(name).progress;
    if (progress.stages.empty() || progress.stages.front().start_wall == Millis{0}) continue;
    before = std::min(before, progress.stages.front().start_wall - turn.config.window);
  }
  return before;
}

Status look_up(Reader& reader, SubmitLabels& command) {
  for (LabelInput& label : command.labels) {
    Result<StoredInference> found = reader.inference(label.device, label.boot_id, label.inference);
    if (!found) return found.error();
    label.stored = *std::move(found);
  }
  return {};
}

void add_sample(Turn& turn, const SampleRecord& sample) {
  TelemetryState& telemetry = own_telemetry(turn);
  forget_recent(telemetry.recent, turn.now.mono);
  const InferenceKey key{sample.device, sample.boot_id, sample.inference};
  const KnownSample known{sample.manifest, sample.predicted, sample.at};
  if (!telemetry.recent.samples.emplace(key, known).second) return;
  telemetry.recent.sample_order.emplace_back(turn.now.mono, key);
  turn.write(PutSample{sample});
  const auto waits = telemetry.waiting.by_key.find(key);
  if (waits == telemetry.waiting.by_key.end()) return;
  const KnownLabel label{waits->second.truth, true};
  const bool of_another = is_of_another(turn.state, known, waits->second.model);
  stop_waiting(telemetry.waiting, waits);
  if (of_another) {
    const auto& [device, boot, inference] = key;
    turn.write(RemoveLabel{device, boot, inference});
    return;
  }
  count(turn, labels_before(turn), sample.device, known, label.truth, true);
  remember(turn, key, label);
  const auto artifact = turn.state.catalogue.artifacts.find(sample.manifest);
  put_label(turn, artifact->second.release.model, key, label, turn.now.wall);
}

void write_tallies(Turn& turn) {
  for (const auto& [manifest, device, start] : turn.telemetry_rows.tallies) {
    const auto spans = turn.state.telemetry.tally.find({manifest, device});
    if (spans == turn.state.telemetry.tally.end()) continue;
    const auto labels = spans->second.find(start);
    if (labels == spans->second.end()) continue;  // forgotten in this turn
    turn.write(PutLabelTally{{.manifest = manifest,
                              .device = device,
                              .start = Millis{start},
                              .labelled = labels->second.labelled,
                              .correct = labels->second.correct}});
  }
}

void forget_labels(Turn& turn, Millis before, Millis after) {
  TelemetryState& telemetry = own_telemetry(turn);
  for (auto it = telemetry.tally.begin(); it != telemetry.tally.end();) {
    auto& spans = it->second;
    spans.erase(spans.begin(), spans.lower_bound(before.count()));
    spans.erase(spans.upper_bound(after.count()), spans.end());
    it = spans.empty() ? telemetry.tally.erase(it) : std::next(it);
  }
  // In the order they came: the old ones are in front.
  WaitingLabels& waiting = telemetry.waiting;
  while (!waiting.by_order.empty()) {
    const auto label = waiting.by_key.find(waiting.by_order.begin()->second);
    if (label->second.wall >= before) break;
    stop_waiting(waiting, label);
  }
}

Result<CommandReply> submit_labels(Turn& turn, const SubmitLabels& command) {
  if (command.labels.size() > kLabelsPerRequestMax) {
    return invalid("TOO_MANY_LABELS", fmt::format("labels: {}, at most {} in one request",
                                                  command.labels.size(), kLabelsPerRequestMax));
  }
  const uint32_t classes = classes_of(turn.state, command.model);
  if (classes == 0) {
    return not_found("no release of model " + command.model.str() + " with classes");
  }
  // All or nothing: look at every label before the first is taken.
  for (size_t i = 0; i < command.labels.size(); ++i) {
    if (Status good = check(command.labels[i], i, classes); !good) return good.error();
  }
  forget_recent(own_telemetry(turn).recent, turn.now.mono);
  CommandReply reply;
  const Millis before = labels_before(turn);
  for (const LabelInput& label : command.labels) {
    // One device that was retired must not hold up the labels of the others.
    if (!turn.state.fleet.devices.contains(label.device)) {
      ++reply.labels_of_nobody;
      continue;
    }
    take_label(turn, before, command.model, label, reply);
  }
  if (!command.labels.empty() && reply.labels_of_nobody == command.labels.size()) {
    return not_found("labels: no device " + command.labels.front().device.str() +
                     ", nor any other of them: `covey device list` shows them");
  }
  judge_soon(turn, command.model);
  return reply;
}

}  // namespace covey::engine
