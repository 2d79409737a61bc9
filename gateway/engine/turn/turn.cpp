// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/turn/turn.hpp"

#include <algorithm>
#include <utility>

#include "deploy/signing/audit_chain.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/own.hpp"

namespace covey::engine {

void Turn::event(const RolloutName& rollout, std::string kind, std::string subject,
                 std::string text) {
  write(AppendEvent{{.sequence = ++all_.site.event_sequence,
                     .rollout = rollout,
                     .wall = now.wall,
                     .kind = std::move(kind),
                     .subject = std::move(subject),
                     .text = std::move(text)}});
}

void Turn::note_audit(AuditRecord entry) {
  SiteRecord& site = all_.site;
  entry.sequence = ++site.audit_sequence;
  entry.wall = now.wall;
  entry.previous = site.audit_hash;
  entry.hash = audit_hash(entry.previous, {.sequence = entry.sequence,
                                           .wall = entry.wall,
                                           .actor = entry.actor,
                                           .known = entry.known,
                                           .from = entry.from,
                                           .request_id = entry.request_id,
                                           .action = entry.action,
                                           .subject = entry.subject,
                                           .before = entry.before,
                                           .after = entry.after,
                                           .detail = entry.detail});
  site.audit_hash = entry.hash;
  write(AppendAudit{std::move(entry)});
}

void ReceiptTimes::observe(Millis took) {
  const auto bound = std::ranges::lower_bound(kBoundsMs, took.count());
  ++counts[static_cast<size_t>(bound - kBoundsMs.begin())];
  sum_ms += static_cast<uint64_t>(took.count());
}

bool Turn::may_note_refusal() {
  constexpr Millis kMinute = 1min;
  RefusedCommands& refusals = all_.refused_commands;
  if (now.mono - refusals.minute_began >= kMinute) refusals = {.minute_began = now.mono};
  return ++refusals.noted <= kRefusalsNotedPerMinute;
}

void Turn::log(LogLine::Level level, std::string event_name, std::string subject,
               std::string text) {
  emit(LogLine{level, std::move(event_name), std::move(subject), std::move(text)});
}

std::optional<Millis> come_later(uint32_t percent) {
  constexpr uint32_t kCrowdedPercent = 50;
  constexpr Millis kLeast = 1s;
  constexpr Millis kMore = 60ms;  // for each percent above: 4 s when it is full
  if (percent < kCrowdedPercent) return std::nullopt;
  return kLeast + (percent - kCrowdedPercent) * kMore;
}

void finish(Turn& turn) {
  // Goals first: they change device rows.
  renew_goals(turn);
  note_receipts(turn);
  write_fleet(turn);
  write_deployments(turn);
  write_telemetry(turn);
  flush_acks(turn);
  State& state = own_all(turn);
  if (turn.out.writes.empty() && turn.rollout_rows.rollouts.empty() && !turn.dirty_site) {
    turn.out.revision = state.site.revision;
    keep_observed_time(turn);
    return;
  }
  ++state.site.revision;
  write_rollouts(turn);
  state.site.reports_settled = settled_reports(state);
  turn.write(PutSite{state.site});
  state.clocks.observed_kept = state.site.observed;
  turn.out.revision = state.site.revision;
}

}  // namespace covey::engine
