#include <algorithm>

#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/gates/gates.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

struct ApplyToRollout {
  Turn& turn;
  RolloutName name;

  const Rollout& current() const { return turn.state.rollouts.by_name.at(name); }

  void operator()(const rollout::StageStarted& effect) const {
    queue_stage(turn, current(), effect.stage);
  }
  void operator()(const rollout::RollbackStarted&) const {
    start_rollback(turn, current());
    if (current().progress.end_observed.count() != 0) unassign(turn, current());
  }
  void operator()(const rollout::CancelInProgress& effect) const {
    const auto index = turn.state.rollouts.attempts.find(name);
    if (index == turn.state.rollouts.attempts.end()) return;
    const auto devices = index->second.rollout;
    for (const auto& [device, number] : devices) {
      advance(turn, number, deployment::Cancel{effect.reason});
    }
  }
  void operator()(const rollout::RolloutEnded& effect) const {
    // What was queued and never offered ends with the rollout.
    const auto index = turn.state.rollouts.attempts.find(name);
    if (index != turn.state.rollouts.attempts.end()) {
      const auto devices = index->second.rollout;
      for (const auto& [device, number] : devices) {
        if (turn.state.rollouts.deployments.at(number).state == DeploymentState::kQueued) {
          advance(turn, number, deployment::Cancel{"ROLLOUT_ENDED"});
        }
      }
    }
    if (effect.state == RolloutState::kSucceeded) assign(turn, current());
    // Whoever waited for the rollout to be over may be put right now.
    for (const DeviceId& device : current().plan->order)
      turn.state.rollouts.reconcile_due.insert(device);
    turn.report(Report::Level::kInfo, "rollout_ended", name.str(),
                std::string(to_string(effect.state)) + " " + current().progress.reason);
  }
  void operator()(const rollout::Happened& effect) const {
    turn.event(name, effect.kind, effect.subject, effect.text);
  }
};

Status apply(Turn& turn, const RolloutName& name, const rollout::Event& event) {
  Rollout& stored = turn.state.rollouts.by_name.at(name);
  Result<rollout::Step> step = rollout::step(*stored.plan, stored.progress, event,
                                             {turn.now.wall, turn.state.site.observed});
  if (!step) return step.error();
  if (!(stored.progress == step->progress)) turn.rollout_rows.rollouts.insert(name);
  const bool ended_before = has_ended(stored.progress.state);
  stored.progress = std::move(step->progress);
  if (has_ended(stored.progress.state) != ended_before) index_open(turn.state, stored);
  for (const rollout::Effect& effect : step->effects)
    std::visit(ApplyToRollout{turn, name}, effect);
  if (!step->effects.empty()) turn.urgent();
  return {};
}

// Another rollout of the same model that wants some of the same devices.
Status refuse_overlap(const State& state, const Rollout& rollout) {
  const std::set<DeviceId> wanted(rollout.plan->order.begin(), rollout.plan->order.end());
  for (const auto& [name, other] : state.rollouts.by_name) {
    if (has_ended(other.progress.state) ||
        other.plan->rules.release.model != rollout.plan->rules.release.model)
      continue;
    for (const DeviceId& device : other.plan->order) {
      if (wanted.contains(device)) {
        return precondition("ROLLOUT_OVERLAPS", "rollout " + name.str() +
                                                    " is not over and has device " + device.str() +
                                                    " too: wait for it, abort it or roll it back");
      }
    }
  }
  return {};
}

// The document's own text is what the client repeats: every field, each after its length.
class Content {
 public:
  void add(std::string_view text) {
    text_ += std::to_string(text.size());
    text_ += ':';
    text_ += text;
  }
  void add(uint64_t number) { add(std::to_string(number)); }
  void add(const std::optional<uint32_t>& number) {
    add(number ? std::to_string(*number) : std::string("-"));
  }
  void add(const std::vector<GateDocument>& gates) {
    add(gates.size());
    for (const GateDocument& gate : gates) add(gate);
  }
  void add(const GateDocument& gate) {
    if (gate.failures) {
      add("failures");
      add(gate.failures->max);
      add(gate.failures->of);
      add(gate.failures->min_sample);
    }
    if (gate.silence) {
      add("silence");
      add(gate.silence->max);
    }
    if (gate.accuracy) {
      add("accuracy");
      add(gate.accuracy->non_inferior_by);
      add(gate.accuracy->alpha);
      add(gate.accuracy->per);
      add(gate.accuracy->min_sample);
    }
    if (gate.drift) {
      add("drift");
      add(gate.drift->max_psi);
    }
    if (gate.latency) {
      add("latency");
      add(gate.latency->p95_max);
    }
    if (gate.agreement) {
      add("agreement");
      add(gate.agreement->min);
    }
  }
  void add(const StageDocument& stage) {
    for (const std::string* text : {&stage.name, &stage.mode, &stage.size, &stage.soak,
                                    &stage.approval, &stage.window, &stage.timeout}) {
      add(*text);
    }
    add(uint64_t{stage.max_in_flight});
    add(stage.gates);
  }
  Digest digest() const { return sha256(as_bytes(text_)); }

 private:
  std::string text_;
};

Digest content_of(const CreateRollout& command) {
  const PlanDocument& d = command.document;
  Content content;
  for (const std::string* text : {&d.name, &d.release, &d.target, &d.holdback, &d.seed, &d.on_fail,
                                  &d.attempt.deadline, &d.attempt.backoff, &d.offline.skip_after}) {
    content.add(*text);
  }
  content.add(d.attempt.retries);
  content.add(d.strata.size());
  for (const std::string& field : d.strata) content.add(field);
  content.add(d.gates);
  content.add(d.stages.size());
  for (const StageDocument& stage : d.stages) content.add(stage);
  return content.digest();
}

std::shared_ptr<const RolloutPlan> plan_of(Plan rules, const PlanDocument& document,
                                           RolloutPreview preview, const std::string& creator,
                                           Now now) {
  RolloutPlan plan{.name = rules.name,
                   .document = document,
                   .rules = std::move(rules),
                   .order = std::move(preview.sets.order),
                   .ends = {},
                   .holdback = static_cast<uint32_t>(preview.sets.holdback),
                   .excluded = std::move(preview.excluded),
                   .creator = creator,
                   .create_wall = now.wall};
  for (const size_t end : preview.sets.ends) plan.ends.push_back(static_cast<uint32_t>(end));
  return std::make_shared<const RolloutPlan>(std::move(plan));
}

}  // namespace

void index_open(State& state, const Rollout& rollout) {
  const ModelName& model = rollout.plan->rules.release.model;
  for (const DeviceId& device : rollout.plan->order) {
    if (!has_ended(rollout.progress.state)) {
      state.rollouts.open_rollouts[device].insert_or_assign(model, rollout.plan->name);
      continue;
    }
    const auto open = state.rollouts.open_rollouts.find(device);
    if (open == state.rollouts.open_rollouts.end()) continue;
    const auto found = open->second.find(model);
    if (found != open->second.end() && found->second == rollout.plan->name)
      open->second.erase(found);
    if (open->second.empty()) state.rollouts.open_rollouts.erase(open);
  }
}

Result<CommandReply> create_rollout(Turn& turn, const CreateRollout& command,
                                    const std::string& actor) {
  State& state = turn.state;
  const Digest content = content_of(command);
  if (!command.request_id.empty()) {
    const auto repeated = state.rollouts.requests.find(command.request_id);
    if (repeated != state.rollouts.requests.end()) {
      if (repeated->second.content != content) {
        return precondition("REQUEST_ID_REUSED",
                            "request_id " + command.request_id + " belongs to another request");
      }
      return CommandReply{.subject = repeated->second.subject, .already_existed = true};
    }
    if (command.request_id.size() > 64) {
      return invalid("BAD_REQUEST_ID", "request_id: at most 64 characters");
    }
  }
  Result<Plan> plan = parse_plan(command.document);
  if (!plan) return plan.error();
  if (state.rollouts.by_name.contains(plan->name)) {
    return Error{Code::kAlreadyExists, "ROLLOUT_EXISTS",
                 "rollout " + plan->name.str() + " exists: choose another metadata.name"};
  }
  Result<RolloutPreview> preview = preview_rollout(state, *plan);
  if (!preview) return preview.error();

  const RolloutName name = plan->name;
  const Rollout rollout{
      plan_of(*std::move(plan), command.document, *std::move(preview), actor, turn.now), {}};
  if (Status clear = refuse_overlap(state, rollout); !clear) return clear.error();
  index_open(state, state.rollouts.by_name.emplace(name, rollout).first->second);
  state.rollouts.attempts.try_emplace(name);
  turn.write(PutRolloutPlan{rollout.plan});
  turn.rollout_rows.rollouts.insert(name);
  if (!command.request_id.empty()) {
    if (state.rollouts.requests.size() >= kRequestsMax)
      state.rollouts.requests.erase(state.rollouts.requests.begin());
    RequestRecord record{command.request_id, name.str(), content};
    state.rollouts.requests[command.request_id] = record;
    turn.write(PutRequest{std::move(record)});
  }
  if (Status started = apply(turn, name, rollout::Start{}); !started) return started.error();
  return CommandReply{.subject = name.str(), .changed = 1};
}

Result<CommandReply> command_rollout(Turn& turn, const RolloutName& name,
                                     const rollout::Event& event, const std::string& etag) {
  const auto found = turn.state.rollouts.by_name.find(name);
  if (found == turn.state.rollouts.by_name.end()) {
    return not_found("no rollout " + name.str() + ": `covey rollout list` shows them");
  }
  if (!etag.empty() && etag != std::to_string(found->second.progress.revision)) {
    return Error{Code::kAborted, "ETAG_MISMATCH",
                 "rollout " + name.str() + " has changed since: look again"};
  }
  if (Status done = apply(turn, name, event); !done) return done.error();
  return CommandReply{.subject = name.str(), .changed = 1};
}

Result<CommandReply> roll_back(Turn& turn, const RollBackRollout& command,
                               const std::string& etag) {
  const auto found = turn.state.rollouts.by_name.find(command.rollout);
  const bool late =
      found != turn.state.rollouts.by_name.end() && has_ended(found->second.progress.state);
  if (late) {
    if (Status clear = refuse_overlap(turn.state, found->second); !clear) return clear.error();
  }
  return command_rollout(
      turn, command.rollout,
      rollout::RollBack{command.explanation, late && may_roll_back(turn, found->second)}, etag);
}

void advance_rollouts(Turn& turn) {
  State& state = turn.state;
  const bool judge = turn.now.mono - state.rollouts.last_gates >= turn.config.gate_interval;
  if (judge) state.rollouts.last_gates = turn.now.mono;
  uint32_t budget = turn.config.offers_per_tick;
  std::vector<RolloutName> names;
  for (const auto& [name, rollout] : state.rollouts.by_name) {
    if (!has_ended(rollout.progress.state)) names.push_back(name);
  }
  for (const RolloutName& name : names) {
    Rollout& rollout = state.rollouts.by_name.at(name);
    if (rollout.progress.state == RolloutState::kRollingBack) {
      offer_rollback(turn, rollout);
      (void)apply(turn, name, rollout::RollbackTick{rollback_facts(state, rollout)});
      continue;
    }
    const std::optional<size_t> stage = current_stage(rollout.progress);
    if (rollout.progress.state != RolloutState::kRunning || !stage) continue;
    offer_stage(turn, rollout, budget);
    if (judge) (void)apply(turn, name, rollout::Tick{judge_stage(turn, rollout, *stage)});
  }
}

void write_rollouts(Turn& turn) {
  for (const RolloutName& name : turn.rollout_rows.rollouts) {
    Rollout& rollout = turn.state.rollouts.by_name.at(name);
    rollout.progress.revision = turn.state.site.revision;
    turn.write(PutRolloutProgress{name, rollout.progress});
  }
}

}  // namespace covey::engine
