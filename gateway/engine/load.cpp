#include "gateway/engine/engine.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

monitoring::Baseline baseline_of(const GatewayPart& part) {
  monitoring::Baseline baseline;
  for (const FeatureBaseline& feature : part.features) {
    baseline.features.push_back({.name = feature.name,
                                 .edges = feature.edges,
                                 .counts = feature.counts,
                                 .min = feature.min,
                                 .max = feature.max});
  }
  baseline.class_names = part.classes;
  baseline.classes = part.class_counts;
  for (const CalibrationBin& bin : part.calibration) {
    baseline.confidence.push_back(bin.n);
    baseline.confidence_correct.push_back(bin.correct);
  }
  baseline.confusion.assign(part.confusion.begin(), part.confusion.end());
  return baseline;
}

Error inconsistent(const std::string& what) {
  return {Code::kDataLoss, "STORE_INCONSISTENT",
          what + ": restore the data directory from a backup"};
}

Status load_rollouts(State& state, Snapshot& snapshot) {
  for (Rollout& rollout : snapshot.rollouts) {
    Result<Plan> plan = parse_plan(rollout.document);
    if (!plan) return inconsistent("plan of rollout " + rollout.name.str() + " can't be read");
    rollout.plan = *std::move(plan);
    state.rollout_index.try_emplace(rollout.name);
    const RolloutName name = rollout.name;
    const auto loaded = state.rollouts.emplace(name, std::move(rollout)).first;
    index_open(state, loaded->second);
  }
  for (Deployment& deployment : snapshot.deployments) {
    if (!state.devices.contains(deployment.device)) {
      return inconsistent("deployment of unknown device " + deployment.device.str());
    }
    const uint64_t number = deployment.number;
    if (deployment.rollout) {
      RolloutIndex& index = state.rollout_index[*deployment.rollout];
      auto& devices = deployment.cause == Cause::kRollback ? index.rollback : index.rollout;
      devices[deployment.device] = number;  // in number order: the newest stays
    }
    state.newest_deployment[{deployment.device, deployment.release.model}] = number;
    if (has_ended(deployment.state)) {
      state.archive_due.insert(number);
    } else {
      state.in_progress.insert(number);
    }
    state.deployments.emplace(number, std::move(deployment));
  }
  for (CountRecord& count : snapshot.counts) {
    state.counts.emplace(
        CountKey{std::move(count.rollout), count.stage, count.rollback, std::move(count.state)},
        count.devices);
  }
  return {};
}

void load_inferences(State& state, Snapshot& snapshot) {
  for (const SampleRecord& sample : snapshot.samples) {
    DeviceInferences& inferences = state.inferences[sample.device];
    const InferenceKey key{sample.boot_id, sample.inference};
    inferences.samples[key] = {sample.manifest, sample.cohort, sample.predicted, sample.window};
    inferences.sample_order.push_back(key);
    if (inferences.sample_order.size() > kSamplesPerDeviceMax) {
      inferences.samples.erase(inferences.sample_order.front());
      inferences.sample_order.pop_front();
    }
  }
  for (const LabelRecord& label : snapshot.labels) {
    DeviceInferences& inferences = state.inferences[label.device];
    const InferenceKey key{label.boot_id, label.inference};
    const auto sample = inferences.samples.find(key);
    const bool matched = sample != inferences.samples.end();
    inferences.labels[key] = {label.truth, matched};
    inferences.label_order.push_back(key);
    if (!matched) continue;
    monitoring::DeviceLabels& tally =
        state.tally[{sample->second.manifest, label.device}][sample->second.window];
    ++tally.labelled;
    if (sample->second.predicted == label.truth) ++tally.correct;
  }
}

}  // namespace

void know(State& state, const ArtifactRecord& record) {
  KnownArtifact known{.release = record.release,
                      .artifact = record.artifact,
                      .baseline = baseline_of(record.artifact->gateway_part),
                      .shape = {}};
  known.shape = monitoring::shape_of(known.baseline);
  const size_t nodes = record.artifact->tables.joint.size();
  known.shape.joint = nodes == 0 ? 0 : nodes + 1;
  state.prefixes[prefix_of(record.artifact->digest)] = record.artifact->digest;
  state.artifacts.emplace(record.artifact->digest, std::move(known));
}

SiteRecord new_site(const Digest& secret) {
  SiteRecord site;
  site.secret = secret;
  return site;
}

Result<Engine> Engine::load(Snapshot snapshot, const EngineConfig& config, Now now) {
  State state;
  state.site = snapshot.site;
  state.started_mono = now.mono;
  state.last_tick = now.mono;
  state.last_now = now;
  // A clock that is wrong at the start is put right within this time, before anything is forgotten.
  state.last_forget = now.mono;
  state.connected_observed = state.site.observed;
  state.reconciling_since = state.site.observed;
  for (Device& device : snapshot.devices) {
    state.reconcile_due.insert(device.id);
    state.devices.emplace(device.id, std::move(device));
  }
  for (TrustedKeyRecord& key : snapshot.trusted_keys) {
    Result<PublicKey> parsed = PublicKey::from_pem(key.pem);
    if (!parsed) return inconsistent("trusted key " + key.key_id + " can't be read");
    if (Status added = state.trust.add(*std::move(parsed)); !added) return added.error();
    state.trusted_keys.emplace(key.key_id, std::move(key));
  }
  for (ReleaseRecord& release : snapshot.releases) {
    for (const ArtifactRecord& record : release.artifacts) know(state, record);
    state.releases.emplace(release.id, std::move(release));
  }
  if (Status loaded = load_rollouts(state, snapshot); !loaded) return loaded.error();
  for (GateRecord& gates : snapshot.gates) {
    state.gates.emplace(std::pair(gates.rollout, gates.stage), std::move(gates));
  }
  state.assignments = std::move(snapshot.assignments);
  for (RequestRecord& request : snapshot.requests) {
    state.requests.emplace(request.request_id, std::move(request));
  }
  for (StreamRecord& stream : snapshot.streams) {
    state.stream_order = std::max(state.stream_order, stream.order);
    state.streams.emplace(StreamKey{stream.device, stream.boot_id, stream.manifest},
                          std::move(stream));
  }
  for (TotalRecord& total : snapshot.totals) {
    state.totals.emplace(TotalKey{total.device, total.manifest, total.cohort}, std::move(total));
  }
  for (WindowRecord& window : snapshot.windows) {
    if (window.length != config.window) continue;
    OpenWindow& open = state.windows[{window.manifest, window.index}];
    // The cohorts' rows say that it has closed; their counts are the devices' sums.
    open.closed = open.closed || window.closed;
    if (!window.device.empty()) open.add(window.device, window.cohort, window.counts);
  }
  load_inferences(state, snapshot);
  for (monitoring::Alert& alert : snapshot.alerts) {
    state.alerts.emplace(alert.key, monitoring::AlertTrack{alert.key, alert});
  }
  return Engine(std::move(state), config);
}

Snapshot Engine::snapshot() const {
  Snapshot snapshot;
  snapshot.site = state_.site;
  for (const auto& [id, device] : state_.devices) snapshot.devices.push_back(device);
  for (const auto& [id, key] : state_.trusted_keys) snapshot.trusted_keys.push_back(key);
  for (const auto& [id, release] : state_.releases) snapshot.releases.push_back(release);
  for (const auto& [name, rollout] : state_.rollouts) snapshot.rollouts.push_back(rollout);
  for (const auto& [key, gates] : state_.gates) snapshot.gates.push_back(gates);
  for (const auto& [number, deployment] : state_.deployments) {
    snapshot.deployments.push_back(deployment);
  }
  for (const auto& [key, devices] : state_.counts) {
    const auto& [rollout, stage, rollback, name] = key;
    snapshot.counts.push_back({rollout, stage, rollback, name, devices});
  }
  snapshot.assignments = state_.assignments;
  for (const auto& [id, request] : state_.requests) snapshot.requests.push_back(request);
  for (const auto& [key, stream] : state_.streams) snapshot.streams.push_back(stream);
  for (const auto& [key, total] : state_.totals) snapshot.totals.push_back(total);
  for (const auto& [key, track] : state_.alerts) {
    if (track.newest) snapshot.alerts.push_back(*track.newest);
  }
  return snapshot;
}

}  // namespace covey::engine
