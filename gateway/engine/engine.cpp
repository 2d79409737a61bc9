// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "deploy/signing/sha256.hpp"
#include "gateway/engine/execute.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

// A tick that comes late (a suspended process, a stopped debugger) is not observed time.
constexpr Millis kTickMax = 5s;
constexpr Millis kSweepInterval = 10s;
constexpr Millis kForgetInterval = 1h;
constexpr size_t kMacFieldBytes = 18;  // tag, length and 16 bytes (device.proto)

std::string_view kind_of(const DeviceMessage& message) {
  struct Kind {
    std::string_view operator()(const HelloMessage&) const { return "hello"; }
    std::string_view operator()(const StatusMessage&) const { return "status"; }
    std::string_view operator()(const FetchMessage&) const { return "fetch"; }
    std::string_view operator()(const ByeMessage&) const { return "bye"; }
  };
  return std::visit(Kind{}, message);
}

// nullopt: it costs next to nothing, and the broker makes one per connection.
std::optional<Spend> spend_of(const DeviceMessage& message) {
  struct Kind {
    std::optional<Spend> operator()(const HelloMessage&) const { return Spend::kHellos; }
    std::optional<Spend> operator()(const StatusMessage&) const { return Spend::kStatuses; }
    std::optional<Spend> operator()(const FetchMessage&) const { return Spend::kFetches; }
    std::optional<Spend> operator()(const ByeMessage&) const { return std::nullopt; }
  };
  return std::visit(Kind{}, message);
}

bool authentic(const State& state, const Device& device, std::string_view kind, ByteView payload) {
  if (payload.size() < kMacFieldBytes) return false;
  const size_t body = payload.size() - kMacFieldBytes;
  if (payload[body] != 0x7a || payload[body + 1] != 16) return false;
  constexpr uint8_t kEnd = 0;
  const Digest16 mac = hmac_sha256_16(
      order_key(state, device).bytes,
      {as_bytes(kind), {&kEnd, 1}, as_bytes(device.id.str()), {&kEnd, 1}, payload.first(body)});
  return equal_constant_time(mac, payload.subspan(body + 2));
}

class Dispatch {
 public:
  Dispatch(Turn& turn, ReportReader* reader, ReportMessage& report)
      : turn_(turn), reader_(reader), report_(report) {}

  void operator()(const Tick& tick) {
    State& state = own_all(turn_);
    const Millis passed = turn_.now.mono - state.clocks.last_tick;
    state.clocks.last_tick = turn_.now.mono;
    const bool heard =
        tick.broker_session != 0 && tick.broker_session == state.clocks.broker_session;
    if (heard && passed <= kTickMax) state.site.observed += passed;
    earn(turn_, passed);
    note_flow(turn_, tick.chunks);
    pace_tellings(turn_);
    state.backlog = tick.backlog;
    if (!session_began(tick.broker_session)) go_on_retelling(turn_);
    expire_sessions(turn_);
    repeat_goals(turn_);
    rekey_devices(turn_);
    order_settings(turn_);
    expire_deployments(turn_);
    retry_deployments(turn_);
    advance_rollouts(turn_);
    if (turn_.now.mono - state.clocks.last_sweep >= kSweepInterval) {
      state.clocks.last_sweep = turn_.now.mono;
      settle_rollouts(turn_);
      expire_claims(turn_);
      end_reconciling(turn_);
      expire_strangers(turn_);
      renew_certificates(turn_);
      close_claims(turn_);
      judge_budgets(turn_);
      judge_certificate(turn_, tick.certificate_until);
      if (state.clocks.broker_connected()) publish_site(turn_);  // whoever missed it, and the time
    }
    reconcile(turn_);
    raise_floors(turn_);
    archive_deployments(turn_);
    forget_rollouts(turn_);
    close_windows(turn_);
    resolve_alerts_of_the_past(turn_);
    settle_some(turn_);
    if (turn_.now.mono - state.telemetry.last_forget >= kForgetInterval) {
      state.telemetry.last_forget = turn_.now.mono;
      forget_old(turn_);
    }
  }

  void operator()(FromDevice& event) {
    const std::optional<DeviceNumber> number = sender(event);
    if (!number) return;
    Device* const device = turn_.state.fleet.by_number[*number];
    const std::optional<Spend> costs = spend_of(event.message);
    if (costs && !affords(turn_, *number, *costs)) return;
    // The last will is written by the broker for the device: its credentials vouch for it.
    if (!std::holds_alternative<ByeMessage>(event.message) &&
        !authentic(turn_.state, *device, kind_of(event.message), event.payload)) {
      return turn_.drop(Drop::kMacInvalid);
    }
    if (costs) pay(turn_, *number, *costs);
    struct Handle {
      Turn& turn;
      Device& device;
      Millis arrived;
      void operator()(const HelloMessage& m) const { on_hello(turn, device, m); }
      void operator()(const StatusMessage& m) const { on_status(turn, device, m); }
      void operator()(const FetchMessage& m) const { on_fetch(turn, device, m, arrived); }
      void operator()(const ByeMessage& m) const { on_bye(turn, device, m); }
    };
    const Millis arrived = event.arrived == Millis{0} ? turn_.now.mono : event.arrived;
    std::visit(Handle{turn_, *device, arrived}, event.message);
  }

  void operator()(ReportReceived& event) {
    const std::optional<DeviceNumber> number = sender(event);
    if (!number) return;
    const size_t bytes = event.payload.size();
    if (!affords(turn_, *number, Spend::kReports) ||
        !affords(turn_, *number, Spend::kReportBytes, bytes)) {
      return;
    }
    if (!authentic(turn_.state, *turn_.state.fleet.by_number[*number], "report", event.payload)) {
      return turn_.drop(Drop::kMacInvalid);
    }
    pay(turn_, *number, Spend::kReports);
    pay(turn_, *number, Spend::kReportBytes, bytes);
    if (!reader_->read(event.payload, report_)) return turn_.drop(Drop::kReportMalformed);
    on_report(turn_, *number, report_, std::move(event.payload));
  }

  void operator()(const EnrollReceived& event) { on_enroll(turn_, event); }
  void operator()(const CommandReceived& event) { on_command(turn_, event); }
  void operator()(const WindowJudged& event) { on_window_judged(turn_, event.verdict); }

 private:
  // Finds the edge in the level.
  bool session_began(uint64_t broker_session) {
    State& state = own_all(turn_);
    const uint64_t before = std::exchange(state.clocks.broker_session, broker_session);
    if (broker_session == before) return false;
    // Nobody can be heard: what they are is not known any more.
    if (before != 0) lose_everybody(turn_);
    if (broker_session == 0) return false;
    // Whatever the broker retained may be gone.
    state.clocks.connected_observed = state.site.observed;
    begin_retelling(turn_);
    return true;
  }

  // nullopt: nobody who may speak, or not there.
  template <typename Received>
  std::optional<DeviceNumber> sender(const Received& event) {
    const FleetState& fleet = turn_.state.fleet;
    const std::optional<DeviceNumber> number = fleet.number_of(event.device);
    if (!number) return refuse(Drop::kUnknownDevice);
    const Device& device = *fleet.by_number[*number];
    if (device.state != DeviceState::kAccepted) return refuse(Drop::kNotAccepted);
    if (event.shard != device.shard) return refuse(Drop::kWrongShard);
    return number;
  }
  std::nullopt_t refuse(Drop reason) {
    turn_.drop(reason);
    return std::nullopt;
  }

  Turn& turn_;
  ReportReader* reader_;
  ReportMessage& report_;
};

}  // namespace

Status Engine::replay(const ReportRecord& row) {
  if (const Status read = reader_->read(row.payload, report_); !read) {
    return Error{
        Code::kDataLoss, "STORE_INCONSISTENT",
        fmt::format("report {} of {} can't be read ({}): restore the data directory from a "
                    "backup",
                    row.position, row.device.str(), read.error().message)};
  }
  replay_report(state_, config_, state_.clocks.last_now.mono, row, report_);
  return {};
}

Output Engine::handle(std::span<Event> batch, Now now) {
  Turn turn{state_, config_, now};
  Dispatch dispatch(turn, reader_.get(), report_);
  notice_wall_clock(turn);
  for (Event& event : batch) std::visit(dispatch, event);
  finish(turn);
  return std::move(turn.out);
}

}  // namespace covey::engine
