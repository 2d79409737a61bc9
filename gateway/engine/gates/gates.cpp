#include <algorithm>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/gates/gates.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/rollouts/standings.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"
#include "monitoring/gates/accuracy.hpp"
#include "monitoring/gates/failures.hpp"
#include "monitoring/gates/gates.hpp"
#include "monitoring/gates/silence.hpp"

namespace covey::engine {
namespace {

using monitoring::GateResult;

constexpr int kSilentIntervals = 3;

// A confirmed device that left the release by itself later counts as failed too.
bool left_release(const State& state, const Rollout& rollout, const Deployment& deployment) {
  const DeviceModel& model =
      state.fleet.devices.at(deployment.device).models.at(rollout.plan->rules.release.model);
  return deployment.state == DeploymentState::kConfirmed &&
         model.reported.confirmed != deployment.manifest && !model.reported.fallback_reason.empty();
}

// FAILURES_CERTAIN, ACCURACY_CANARY_WORSE: the gate is named once.
std::string reason_of(const GateResult& result) {
  std::string gate = result.gate;
  std::transform(gate.begin(), gate.end(), gate.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return result.reason.find(gate) == std::string::npos ? gate + "_" + result.reason : result.reason;
}

struct StageDevices {
  std::vector<const Deployment*> newest;  // of devices up to the stage's end, stage order
};

StageDevices devices_of(const State& state, const Rollout& rollout, size_t stage) {
  StageDevices devices;
  const auto index = state.rollouts.attempts.find(rollout.plan->name);
  if (index == state.rollouts.attempts.end()) return devices;
  for (const auto& [device, number] : index->second.rollout.newest) {
    const Deployment& deployment = state.rollouts.deployments.at(number);
    if (deployment.stage <= stage) devices.newest.push_back(&deployment);
  }
  return devices;
}

bool is_silent(const Turn& turn, const DeviceId& device) {
  const State& state = turn.state;
  Millis since = state.clocks.connected_observed + grace(turn.config);
  if (const Session* session = state.fleet.session_of(device)) {
    since = std::max(since, session->last_report_observed);
  }
  return state.site.observed - since > kSilentIntervals * turn.config.report_interval;
}

// Whether it runs at all is not known since coveyd or its broker came back.
bool is_unheard(const State& state, const DeviceId& device) {
  const Session* session = state.fleet.session_of(device);
  return session == nullptr || session->last_report_observed < state.clocks.connected_observed;
}

class Judge {
 public:
  Judge(Turn& turn, const Rollout& rollout, size_t stage)
      : turn_(turn),
        rollout_(rollout),
        stage_(stage),
        devices_(devices_of(turn.state, rollout, stage)) {}

  GateResult operator()(const FailuresGate& gate) const {
    monitoring::FailureCounts counts{.targeted = rollout_.plan->ends[stage_]};
    const bool everybody = gate.of == Denominator::kTargeted;
    for (const Deployment* d : devices_.newest) {
      const bool open = !has_ended(d->state) || retry_follows(rollout_, *d);
      // Whoever never took the offer says nothing about the release; the stage misses it all the
      // same.
      const bool ignored = d->reason == "OFFER_LAPSED" && !d->attempted && !everybody;
      const bool failed =
          !open && !ignored && (ended_badly(*d) || left_release(turn_.state, rollout_, *d));
      // A failure is evidence, whatever the denominator: a device that declines for good was never
      // attempted, one that reverts at once never reported.
      if (everybody || failed || counts_as(gate.of, *d)) {
        ++counts.counted;
        if (open) ++counts.in_progress;
        if (failed) ++counts.failed;
      } else if (has_ended(d->state) && !open && d->state != DeploymentState::kConfirmed) {
        ++counts.excluded;
      }
    }
    // Those that could not be queued: the stage has them, but they will never do anything.
    const uint64_t absent = counts.targeted - devices_.newest.size();
    (everybody ? counts.counted : counts.excluded) += absent;
    return monitoring::judge_failures(counts,
                                      {gate.max, gate.min_sample, std::string(to_string(gate.of))});
  }

  GateResult operator()(const SilenceGate& gate) const {
    monitoring::SilenceCounts counts;
    for (const Deployment* d : devices_.newest) {
      if (!d->attempted || d->state == DeploymentState::kCanceled) continue;
      // Its first model: it has nothing to report from until it has proven that it runs.
      if (!d->previous && d->state != DeploymentState::kConfirmed) continue;
      ++counts.expected;
      if (is_silent(turn_, d->device)) {
        ++counts.silent;
      } else if (is_unheard(turn_.state, d->device)) {
        ++counts.unheard;
      }
    }
    for (size_t i = rollout_.plan->ends[stage_]; i < rollout_.plan->order.size(); ++i) {
      ++counts.control_expected;
      if (is_silent(turn_, rollout_.plan->order[i])) ++counts.control_silent;
    }
    return monitoring::judge_silence(counts, {gate.max});
  }

  GateResult operator()(const AccuracyGate& gate) const {
    std::map<std::string, monitoring::StratumLabels> strata;
    const auto arm = [&](const DeviceId& id) -> monitoring::StratumLabels& {
      std::string name;
      if (!gate.per.empty()) {
        const Device& device = turn_.state.fleet.devices.at(id);
        name = DeviceFields(turn_.state, device).find("labels." + gate.per).value_or("(none)");
      }
      monitoring::StratumLabels& stratum = strata[name];
      stratum.stratum = name;
      return stratum;
    };
    const int64_t since = comparison_start();
    for (const Deployment* d : devices_.newest) {
      if (!d->attempted) continue;
      arm(d->device).canary.push_back(labels_of(d->device, d->manifest, since));
    }
    for (size_t i = control_begin(); i < rollout_.plan->order.size(); ++i) {
      const DeviceId& id = rollout_.plan->order[i];
      // A device that never spoke of the model is no control for it.
      const auto& models = turn_.state.fleet.devices.at(id).models;
      const auto model = models.find(rollout_.plan->rules.release.model);
      if (model == models.end() || !model->second.reported.confirmed) continue;
      arm(id).control.push_back(control_labels(id, model->second, since));
    }
    std::vector<monitoring::StratumLabels> list;
    list.reserve(strata.size());
    for (auto& [name, stratum] : strata) list.push_back(std::move(stratum));
    monitoring::AccuracyOptions options{.non_inferior_by = gate.non_inferior_by,
                                        .alpha = gate.alpha};
    if (gate.min_sample != 0) options.labels_min = gate.min_sample;
    return monitoring::to_gate_result(monitoring::judge_accuracy(list, options));
  }

 private:
  // DESIGN section 6: attempted is what reached DOWNLOADING, a device once; reported is what sent a
  // window of the release since.
  bool counts_as(Denominator of, const Deployment& d) const {
    switch (of) {
      case Denominator::kTargeted:
        return true;
      case Denominator::kAttempted:
        return d.attempted;
      case Denominator::kReported: {
        const auto total = turn_.state.telemetry.totals.find(
            {d.device, d.manifest, canary_cohort(rollout_.plan->name)});
        return total != turn_.state.telemetry.totals.end() && total->second.windows > 0;
      }
    }
    return true;
  }

  static bool ended_badly(const Deployment& d) {
    return d.state == DeploymentState::kFailed || d.state == DeploymentState::kReverted ||
           d.state == DeploymentState::kTimedOut || d.state == DeploymentState::kDeclined;
  }

  // Concurrent control: devices that are not in this stage. Where the stage leaves none, those that
  // the stage added were control until now, and their own past since the start is used.
  size_t control_begin() const {
    if (rollout_.plan->ends[stage_] < rollout_.plan->order.size())
      return rollout_.plan->ends[stage_];
    return stage_ == 0 ? rollout_.plan->order.size() : rollout_.plan->ends[stage_ - 1];
  }

  int64_t comparison_start() const {
    // The window in which the first stage began is mixed: the next one is the first to count.
    return rollout_.progress.stages.front().start_wall / turn_.config.window;
  }

  monitoring::DeviceLabels labels_of(const DeviceId& device, const Digest& manifest,
                                     int64_t since) const {
    monitoring::DeviceLabels sum;
    const auto tally = turn_.state.telemetry.tally.find({manifest, device});
    if (tally == turn_.state.telemetry.tally.end()) return sum;
    for (auto it = tally->second.lower_bound(since); it != tally->second.end(); ++it) {
      sum.labelled += it->second.labelled;
      sum.correct += it->second.correct;
    }
    return sum;
  }

  monitoring::DeviceLabels control_labels(const DeviceId& id, const DeviceModel& model,
                                          int64_t since) const {
    const auto index = turn_.state.rollouts.attempts.find(rollout_.plan->name);
    if (index != turn_.state.rollouts.attempts.end()) {
      const auto number = index->second.rollout.newest.find(id);
      if (number != index->second.rollout.newest.end()) {
        const Deployment& deployment = turn_.state.rollouts.deployments.at(number->second);
        return deployment.previous ? labels_of(id, *deployment.previous, since)
                                   : monitoring::DeviceLabels{};
      }
    }
    return labels_of(id, *model.reported.confirmed, since);
  }

  Turn& turn_;
  const Rollout& rollout_;
  size_t stage_;
  StageDevices devices_;
};

}  // namespace

rollout::StageFacts judge_stage(Turn& turn, const Rollout& rollout, size_t stage) {
  const Judge judge(turn, rollout, stage);
  GateRecord record{
      .rollout = rollout.plan->name, .stage = static_cast<uint32_t>(stage), .results = {}};
  for (const Gate& gate : rollout.plan->rules.stages[stage].gates) {
    record.results.push_back(std::visit(judge, gate));
  }
  rollout::StageFacts facts = stage_facts(turn.state, rollout);
  facts.verdict = monitoring::combine(std::span<const GateResult>(record.results));
  for (const GateResult& result : record.results) {
    if (result.verdict != facts.verdict) continue;
    facts.reason = reason_of(result);
    facts.explanation = result.gate + ": " + result.explanation;
    break;
  }
  note_gates(turn, std::move(record));
  return facts;
}

}  // namespace covey::engine
