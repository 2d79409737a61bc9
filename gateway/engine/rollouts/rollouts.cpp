// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/gates/gates.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/rollouts/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

struct ApplyToRollout {
  Turn& turn;
  RolloutName name;

  void operator()(const rollout::StageStarted& effect) const {
    begin_stage(turn, name, effect.stage);
  }
  void operator()(const rollout::RollbackStarted&) const { begin_rollback(turn, name); }
  // Of a rollback: that cancels by itself.
  void operator()(const rollout::CancelInProgress&) const {
    RolloutProgress& progress = own_rollouts(turn).by_name.at(name).progress;
    progress.cancels = has_ended(progress.state);
  }
  void operator()(const rollout::RolloutEnded& effect) const {
    begin_ending(turn, name);
    const Rollout& rollout = turn.state.rollouts.by_name.at(name);
    turn.log(LogLine::Level::kInfo, "rollout_ended", name.str(),
             fmt::format("{}{}{}", to_string(effect.state),
                         rollout.progress.reason.empty() ? "" : " ", rollout.progress.reason));
  }
  void operator()(const rollout::Happened& effect) const {
    turn.event(name, effect.kind, effect.subject, effect.text);
  }
};

void reopen(RolloutsState& rollouts, Rollout& rollout) {
  const RolloutName& name = rollout.plan->name;
  rollouts.open.insert(name);
  rollouts.unsettled.erase(name);
  rollouts.ending.erase(name);
  rollout.progress.assigning = false;
  rollout.progress.cancels = false;
  index_open(rollouts, rollout);
}

Status apply(Turn& turn, const RolloutName& name, const rollout::Event& event) {
  RolloutsState& rollouts = own_rollouts(turn);
  Rollout& stored = rollouts.by_name.at(name);
  Result<rollout::Step> step = rollout::step(*stored.plan, stored.progress, event,
                                             {turn.now.wall, turn.state.site.observed});
  if (!step) return step.error();
  if (!(stored.progress == step->progress)) {
    turn.rollout_rows.rollouts.insert(name);
    forget_judgement(turn, name);
  }
  const bool ended_before = has_ended(stored.progress.state);
  stored.progress = std::move(step->progress);
  const bool ended = has_ended(stored.progress.state);
  if (ended && !ended_before) {
    rollouts.open.erase(name);
    rollouts.unsettled.insert(name);
  } else if (!ended && ended_before) {
    reopen(rollouts, stored);
  }
  for (const rollout::Effect& effect : step->effects)
    std::visit(ApplyToRollout{turn, name}, effect);
  if (!step->effects.empty()) turn.urgent();
  return {};
}

std::shared_ptr<const RolloutPlan> plan_of(Plan rules, const PlanDocument& document,
                                           RolloutPreview preview, const std::string& creator,
                                           Now now) {
  const RolloutName name = rules.name;
  RolloutPlan plan{.name = name,
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

Status refuse_withheld(const State& state, const ReleaseId& release) {
  const std::string why = withheld(state.catalogue, release);
  if (why.empty()) return {};
  return precondition("RELEASE_WITHHELD",
                      fmt::format("{} is offered to nobody: {}; sign the same release anew and "
                                  "push it (`covey model push FOLDER --key KEY`), its identity "
                                  "stays",
                                  to_string(release), why));
}

// Nobody runs it, and nobody can: to call that a success would be a lie.
Status refuse_vacuous(const Plan& plan, const RolloutPreview& preview) {
  constexpr size_t kNamedInRefusal = 10;
  if (!preview.sets.order.empty() || !preview.sets.already_running.empty()) return {};
  std::string names;
  for (size_t i = 0; i < std::min(kNamedInRefusal, preview.excluded.size()); ++i) {
    const Exclusion& exclusion = preview.excluded[i];
    names += fmt::format("{}{}: {} ({})", i == 0 ? "" : "; ", exclusion.device.str(),
                         exclusion.reason, exclusion.explanation);
  }
  if (preview.excluded.size() > kNamedInRefusal) {
    names += fmt::format("; and {} more", preview.excluded.size() - kNamedInRefusal);
  }
  return precondition(
      "NO_DEVICE_CAN_TAKE_IT",
      fmt::format("no device of the target can take {}: {}", to_string(plan.release), names));
}

}  // namespace

Result<CommandReply> create_rollout(Turn& turn, const CreateRollout& command,
                                    const std::string& actor) {
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  const Digest content = digest_of(command.document);
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
  if (Status offered = refuse_withheld(state, plan->release); !offered) return offered.error();
  Result<RolloutPreview> preview = preview_rollout(state, *plan);
  if (!preview) return preview.error();
  if (Status possible = refuse_vacuous(*plan, *preview); !possible) return possible.error();
  if (Status decidable = check_gates(*plan, *preview); !decidable) return decidable.error();

  const RolloutName name = plan->name;
  std::vector<std::string> warnings = plan_warnings(*plan, *preview);
  const Rollout rollout{
      plan_of(*std::move(plan), command.document, *std::move(preview), actor, turn.now), {}};
  if (Status clear = refuse_overlap(turn.state, rollout); !clear) return clear.error();
  CommandReply reply{.subject = name.str(), .warnings = std::move(warnings)};
  if (command.validate_only) {
    reply.validated = rollout.plan;
    return reply;
  }
  rollouts.by_name.emplace(name, rollout);
  rollouts.open.insert(name);
  index_open(rollouts, rollout);
  rollouts.attempts.emplace(name, index_of(*rollout.plan));
  turn.write(PutRolloutPlan{rollout.plan});
  turn.rollout_rows.rollouts.insert(name);
  if (!command.request_id.empty()) note_request(turn, command.request_id, name.str(), content);
  if (Status started = apply(turn, name, rollout::Start{}); !started) return started.error();
  reply.changed = 1;
  return reply;
}

Status check_rollout(const State& state, const RolloutName& name, const std::string& etag) {
  const auto found = state.rollouts.by_name.find(name);
  if (found == state.rollouts.by_name.end()) {
    return not_found("no rollout " + name.str() + ": `covey rollout list` shows them");
  }
  if (!etag.empty() && etag != std::to_string(found->second.progress.revision)) {
    return Error{Code::kAborted, "ETAG_MISMATCH",
                 "rollout " + name.str() + " has changed since: look again"};
  }
  return {};
}

Result<CommandReply> command_rollout(Turn& turn, const RolloutName& name,
                                     const rollout::Event& event, const std::string& etag) {
  if (Status known = check_rollout(turn.state, name, etag); !known) return known.error();
  if (Status done = apply(turn, name, event); !done) return done.error();
  return CommandReply{.subject = name.str(), .changed = 1};
}

Result<CommandReply> resume_rollout(Turn& turn, const RolloutName& name, const std::string& etag) {
  if (Status known = check_rollout(turn.state, name, etag); !known) return known.error();
  const Rollout& rollout = turn.state.rollouts.by_name.at(name);
  if (Status offered = refuse_withheld(turn.state, rollout.plan->rules.release); !offered) {
    return offered.error();
  }
  return command_rollout(turn, name, rollout::Resume{}, etag);
}

std::vector<std::string> pause_withheld(Turn& turn) {
  std::vector<std::string> paused;
  const std::set<RolloutName> open = turn.state.rollouts.open;
  for (const RolloutName& name : open) {
    const Rollout& rollout = turn.state.rollouts.by_name.at(name);
    const RolloutState before = rollout.progress.state;
    const Status offered = refuse_withheld(turn.state, rollout.plan->rules.release);
    // One that goes back is on its way to something else.
    if (offered || before == RolloutState::kPaused || before == RolloutState::kRollingBack)
      continue;
    const rollout::Pause pause{offered.error().reason, offered.error().message};
    if (apply(turn, name, pause)) paused.push_back(name.str());
  }
  return paused;
}

Result<CommandReply> approve_rollout(Turn& turn, const ApproveRollout& command,
                                     const std::string& approver, const std::string& etag) {
  const auto found = turn.state.rollouts.by_name.find(command.rollout);
  if (turn.config.approval_by_another && found != turn.state.rollouts.by_name.end() &&
      found->second.plan->creator == approver) {
    return Error{Code::kPermissionDenied, "SAME_PERSON",
                 fmt::format("{} created rollout {}, and rollout.approver is `another`: somebody "
                             "else has to approve it",
                             approver, command.rollout.str())};
  }
  return command_rollout(turn, command.rollout, rollout::Approve{approver}, etag);
}

Result<CommandReply> roll_back(Turn& turn, const RollBackRollout& command,
                               const std::string& etag) {
  const auto found = turn.state.rollouts.by_name.find(command.rollout);
  const bool late =
      found != turn.state.rollouts.by_name.end() && has_ended(found->second.progress.state);
  if (late) {
    if (Status clear = refuse_overlap(turn.state, found->second); !clear) return clear.error();
  }
  rollout::RollBack event{command.explanation, late && may_roll_back(turn, found->second)};
  const auto index = turn.state.rollouts.attempts.find(command.rollout);
  if (index != turn.state.rollouts.attempts.end()) {
    event.first_models = index->second.rollout.first_models;
    event.can_roll_back = index->second.rollout.with_previous > 0;
  }
  return command_rollout(turn, command.rollout, event, etag);
}

Result<CommandReply> abort_rollout(Turn& turn, const AbortRollout& command,
                                   const std::string& etag) {
  const RolloutsState& rollouts = turn.state.rollouts;
  rollout::Abort event{command.now, command.explanation};
  if (rollouts.open.contains(command.rollout)) {
    const Rollout& rollout = rollouts.by_name.at(command.rollout);
    event.stage = stage_facts(turn.state, rollout);
    const RolloutIndex& index = rollouts.attempts.at(command.rollout);
    event.back =
        rollback_facts(turn, command.rollout, !index.back.going_on && !index.fleet.going_on);
  }
  return command_rollout(turn, command.rollout, event, etag);
}

namespace {

// Each once per interval: the next one in order whose time has come.
const Rollout* next_to_judge(Turn& turn) {
  const State& state = turn.state;
  RolloutsState& rollouts = own_rollouts(turn);
  auto next = rollouts.open.upper_bound(rollouts.judged_last);
  for (size_t n = 0; n < rollouts.open.size(); ++n) {
    if (next == rollouts.open.end()) next = rollouts.open.begin();
    const Rollout& rollout = rollouts.by_name.at(*next);
    RolloutIndex& index = rollouts.attempts.at(*next);
    if (rollout.progress.state == RolloutState::kRunning &&
        current_stage(rollout.progress).has_value() &&
        turn.now.mono - index.judged >= turn.config.gate_interval) {
      return &state.rollouts.by_name.at(*next);
    }
    ++next;
  }
  return nullptr;
}

void judge_rollouts(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  TickBudget budget;
  budget.looks = kDevicesJudgedPerTick;
  while (const Rollout* rollout = next_to_judge(turn)) {
    const RolloutName& name = rollout->plan->name;
    const size_t stage = *current_stage(rollout->progress);
    std::optional<rollout::StageFacts> facts = judge_stage(turn, *rollout, stage, budget);
    if (!facts) return;
    rollouts.attempts.at(name).judged = turn.now.mono;
    rollouts.judged_last = name;
    (void)apply(turn, name, rollout::Tick{*std::move(facts)});
  }
}

}  // namespace

void advance_rollouts(Turn& turn) {
  RolloutsState& rollouts = own_rollouts(turn);
  TickBudget budget{.offers = offers_left(turn.state), .tellings = tellings_left(turn.state)};
  const uint32_t offers_before = budget.offers;
  const std::vector<RolloutName> open(rollouts.open.begin(), rollouts.open.end());
  for (const RolloutName& name : open) {
    const Rollout& rollout = rollouts.by_name.at(name);
    if (rollout.progress.state == RolloutState::kRollingBack) {
      (void)apply(turn, name, rollout::RollbackTick{go_back(turn, name, budget)});
    } else if (rollout.progress.state == RolloutState::kRunning) {
      offer_stage(turn, rollout, budget);
      queue_stage(turn, name, budget);
    }
  }
  spend_offers(turn, offers_before - budget.offers);
  judge_rollouts(turn);
  const std::vector<RolloutName> ending(rollouts.ending.begin(), rollouts.ending.end());
  for (const RolloutName& name : ending) end_all(turn, name, budget);
}

void note_gates(Turn& turn, GateRecord record) {
  GateRecord& stored = own_rollouts(turn).gates[{record.rollout, record.stage}];
  if (stored == record) return;
  stored = record;
  turn.rollout_rows.rollouts.insert(record.rollout);
  turn.write(PutGates{std::move(record)});
}

void judge_soon(Turn& turn, const ModelName& model) {
  RolloutsState& rollouts = own_rollouts(turn);
  for (const RolloutName& name : rollouts.open) {
    if (rollouts.by_name.at(name).plan->rules.release.model == model) {
      rollouts.attempts.at(name).judged = Millis{0};
    }
  }
}

void write_rollouts(Turn& turn) {
  for (const RolloutName& name : turn.rollout_rows.rollouts) {
    Rollout& rollout = own_rollouts(turn).by_name.at(name);
    rollout.progress.revision = turn.state.site.revision;
    turn.write(PutRolloutProgress{name, rollout.progress});
  }
}

}  // namespace covey::engine
