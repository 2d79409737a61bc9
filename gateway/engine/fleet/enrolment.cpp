// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "gateway/engine/fleet/enrolment.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr uint32_t kRetryPendingS = 5;
// A stranger that was heard within this time asks on, and keeps its place. Where all places are
// kept so, some change hands all the same, this share in a second: first those of who asked once
// only, then of who was not heard for longest. A newcomer that goes on asking gets in and stays,
// whoever floods has to ask for each of its ids as often, and the store does not work for it.
constexpr Millis kStrangerKept = 1min;
constexpr double kReplacedPerSecond = 0.01;
constexpr Millis kHeardKeptEvery = 1h;       // in the row of a stranger that goes on asking
constexpr Millis kNonceChangesEvery = 1s;    // of one device, at most
constexpr Millis kNonceRefusedEvery = 1min;  // the same, where nothing comes of it

void answer(Turn& turn, Device& device, uint64_t nonce) {
  GrantMessage grant{.nonce = nonce, .retry_after_s = kRetryPendingS};
  switch (device.state) {
    case DeviceState::kPending:
    case DeviceState::kRegistered:
      grant.state = EnrollState::kPending;
      break;
    case DeviceState::kRejected:
    case DeviceState::kDecommissioned:
      grant.state = EnrollState::kRejected;
      break;
    case DeviceState::kAccepted:
      grant.state = EnrollState::kAccepted;
      grant.order_key = order_key(turn.state, device);
      grant.username = device.id.str();
      grant.password = broker_password(turn.state, device);
      grant.shard = shard_text(device.shard);
      grant.site_epoch = turn.state.site.site_epoch;
      grant.key = device.key;
      grant.certificate = certify(turn, device);
      break;
  }
  turn.emit(PublishGrant{device.id, std::move(grant), device.claim});
}

void add_models(Device& device, const std::vector<ModelName>& models) {
  for (const ModelName& model : models) {
    if (device.models.size() >= kModelsPerDeviceMax) return;
    device.models.try_emplace(model).first->second.reported.model = model;
  }
}

// Somebody else has the id, or the device began anew: operators see it before they accept. False:
// too soon after the last time.
bool note_other_nonce(Turn& turn, const Device& device, Millis every) {
  if (device.enroll_changes > 0 && turn.now.wall - device.enroll_changed_wall < every &&
      turn.now.wall >= device.enroll_changed_wall) {
    return false;
  }
  Device& changed = change_device(turn, device.id);
  changed.enroll_changes += changed.enroll_changes < UINT32_MAX ? 1 : 0;
  changed.enroll_changed_wall = turn.now.wall;
  // Each time, but not for ever.
  if (std::has_single_bit(changed.enroll_changes)) {
    turn.log(LogLine::Level::kWarning, "enrolment_contested", device.id.str(),
             fmt::format("it was asked for with another nonce {} times: compare the nonce with the "
                         "device before you accept it",
                         changed.enroll_changes));
  }
  return true;
}

// Everything about the device goes, at the broker too. One that comes back is a new one.
void forget(Turn& turn, const DeviceId& id) {
  const Device& device = turn.state.fleet.devices.at(id);
  const DeviceNumber number = *turn.state.fleet.number_of(id);
  leave_fleet(turn, device, kDeviceRemoved);
  forget_attempts(turn, device);
  forget_device(turn, number, id);
  resolve_duplicate_identity(turn, device);
  if (turn.state.fleet.ahead.contains(id)) forget_claim(turn, id, "the device was removed");
  void_own_key(turn, change_device(turn, id));
  if (device.state == DeviceState::kAccepted) turn.emit(SetCredential{id, ""});
  if (device.goal_counter > 0) turn.emit(ClearGoal{id, device.shard});
  turn.fleet_rows.devices.erase(id);
  turn.fleet_rows.goals.erase(id);
  turn.write(ForgetDevice{id});
  own_fleet(turn).remove(id);
  turn.urgent();
}

bool may_replace(Turn& turn) {
  StrangersReplaced& replaced = own_fleet(turn).replaced;
  const double rate = kReplacedPerSecond * static_cast<double>(turn.config.pending_max);
  const auto passed = static_cast<double>((turn.now.mono - replaced.earned_until).count());
  replaced.earned_until = turn.now.mono;
  replaced.credit = std::min(std::max(1.0, rate), replaced.credit + rate * passed / 1000.0);
  if (replaced.credit < 1) return false;
  replaced.credit -= 1;
  return true;
}

bool make_room(Turn& turn) {
  const FleetState& fleet = turn.state.fleet;
  if (fleet.strangers.empty()) return false;
  auto [heard, number] = *fleet.strangers.begin();
  if (turn.now.wall - heard < kStrangerKept) {
    if (!may_replace(turn)) return false;
    if (!fleet.asked_once.empty()) number = fleet.asked_once.begin()->second;
  }
  const DeviceId id = fleet.by_number[number]->id;
  forget(turn, id);
  return true;
}

Error not_acceptable(const Device& device) {
  if (device.state == DeviceState::kRegistered) {
    return precondition("NOT_HERE_YET",
                        fmt::format("{} is registered and has not asked yet: it is let in when it "
                                    "does, or waits then to be accepted",
                                    device.id.str()));
  }
  return precondition("DECOMMISSIONED",
                      fmt::format("{} is decommissioned: covey device reenroll {} first",
                                  device.id.str(), device.id.str()));
}

Status expect_key(const State& state, const DeviceId& id, const std::string& fingerprint) {
  const std::string has = key_fingerprint(state.fleet.devices.at(id).key);
  if (has == fingerprint) return {};
  return precondition(
      "KEY_MISMATCH",
      fmt::format("{} has asked with {}, not with {}: it is another device, or somebody else "
                  "uses its id",
                  id.str(), has.empty() ? "no key of its own" : "the key " + has, fingerprint));
}

// Nobody has to be asked: a claim, a manufacturer or a registration says that it is ours.
bool is_vouched_for(const State& state, const Device& device, const EnrollReceived& event) {
  const EnrollMessage& message = event.message;
  const auto claim = state.fleet.claims.find(event.claim);
  if (!event.claim.empty() && claim != state.fleet.claims.end() && claim->second.accept)
    return true;
  const bool registered = !device.registered_key.empty() || !device.registered_certificate.empty();
  if (registered) return other_than_registered(device, message).empty();
  return !message.authority.empty() && state.fleet.authorities.contains(message.authority);
}

bool is_known_by_key(const Device& device) {
  return device.state == DeviceState::kAccepted && !device.key.empty() &&
         (!device.authority.empty() || !device.registered_key.empty() ||
          !device.registered_certificate.empty());
}

// What it says of itself now.
void take(Device& device, const EnrollMessage& message) {
  device.enroll_nonce = message.nonce;
  device.key = message.key;
  device.wants_certificate = message.wants_certificate;
  if (device.state != DeviceState::kAccepted || !message.authority.empty()) {
    device.authority = message.authority;
  }
  device.facts = message.facts;
  add_models(device, message.models);
}

void refuse_claim(Turn& turn, const EnrollReceived& event, std::string_view why) {
  turn.drop(Drop::kClaimRefused);
  const uint64_t times = turn.counters().drops[static_cast<size_t>(Drop::kClaimRefused)];
  if (!std::has_single_bit(times)) return;  // each kind of flood, but not each of its drops
  turn.log(LogLine::Level::kWarning, "claim_refused", event.device.str(),
           fmt::format("by claim {}: {} ({} so far)", event.claim.str(), why, times));
}

void enroll_new(Turn& turn, const EnrollReceived& event) {
  const FleetState& fleet = turn.state.fleet;
  const bool full =
      fleet.devices.size() >= kDevicesMax || fleet.strangers.size() >= turn.config.pending_max;
  if (full && !make_room(turn)) return turn.drop(Drop::kEnrollLimit);
  Device device;
  device.id = event.device;
  device.shard = shard_of(event.device);
  device.secret_number = newest_secret(turn.state);
  device.claim = event.claim;
  device.last_seen_wall = turn.now.wall;
  take(device, event.message);
  Device& added = own_fleet(turn).add(std::move(device));
  change_device(turn, added.id);
  turn.urgent();
  turn.log(LogLine::Level::kInfo, "device_pending", event.device.str(),
           "class " + added.facts.device_class.str());
  if (turn.config.auto_accept || is_vouched_for(turn.state, added, event)) {
    return accept(turn, {event.device});
  }
  answer(turn, added, event.message.nonce);
}

// It is here: what was said of it before it came holds.
void enroll_registered(Turn& turn, Device& device, const EnrollReceived& event) {
  const std::string other = other_than_registered(device, event.message);
  if (!other.empty()) {
    turn.drop(Drop::kEnrollRefused);
    if (device.enroll_changes > 0 &&
        turn.now.wall - device.enroll_changed_wall < kNonceRefusedEvery &&
        turn.now.wall >= device.enroll_changed_wall) {
      return;
    }
    Device& changed = change_device(turn, device.id);
    changed.enroll_changes += changed.enroll_changes < UINT32_MAX ? 1 : 0;
    changed.enroll_changed_wall = turn.now.wall;
    if (!std::has_single_bit(changed.enroll_changes)) return;
    return turn.log(LogLine::Level::kWarning, "not_as_registered", device.id.str(), other);
  }
  Device& changed = change_device(turn, device.id);
  set_state(turn, changed, DeviceState::kPending);
  note_way(turn, changed, event.claim);
  take(changed, event.message);
  changed.last_seen_wall = turn.now.wall;
  turn.urgent();
  if (turn.config.auto_accept || is_vouched_for(turn.state, changed, event)) {
    return accept(turn, {event.device});
  }
  answer(turn, changed, event.message.nonce);
}

}  // namespace

void set_state(Turn& turn, Device& device, DeviceState state) {
  FleetState& fleet = own_fleet(turn);
  fleet.count_out(device);
  device.state = state;
  fleet.count_in(device);
}

void accept(Turn& turn, const std::vector<DeviceId>& ids) {
  // All credentials first: the broker takes them in one go, before anybody is told.
  for (const DeviceId& id : ids) {
    Device& device = change_device(turn, id);
    note_claimed(turn, device);
    set_state(turn, device, DeviceState::kAccepted);
    device.secret_number = newest_secret(turn.state);
    turn.emit(SetCredential{id, broker_password(turn.state, device)});
  }
  for (const DeviceId& id : ids) {
    Device& device = *own_fleet(turn).by_number[*turn.state.fleet.number_of(id)];
    if (device.enroll_nonce != 0) answer(turn, device, device.enroll_nonce);
    assign_device(turn, device);
  }
  turn.urgent();
}

void note_way(Turn& turn, Device& device, const ClaimName& claim) {
  if (device.claim == claim) return;
  FleetState& fleet = own_fleet(turn);
  fleet.count_out(device);
  device.claim = claim;
  fleet.count_in(device);
}

void void_keys(Turn& turn, Device& device, DeviceState state, std::string_view why) {
  leave_fleet(turn, device, why);
  // Nobody shall find there what was said under keys that are void.
  if (device.goal_counter > 0) turn.emit(ClearGoal{device.id, device.shard});
  ++device.enroll_generation;
  device.secret_number = newest_secret(turn.state);
  device.enroll_nonce = 0;
  device.enroll_changes = 0;
  device.enroll_changed_wall = Millis{0};
  set_state(turn, device, state);
  device.enrolled = false;
  device.authority.clear();
  note_way(turn, device, {});  // a claim that it comes by once more counts it once more
  void_own_key(turn, device);
  Session& session = own_fleet(turn).sessions[*turn.state.fleet.number_of(device.id)];
  session.said_hello = false;
  session.online = false;
  device.goal_counter_seen = 0;
  // The goal that stands was authenticated with the old key: what is said next is another one.
  for (auto& [name, model] : device.models) model.ordered.reset();
  resolve_duplicate_identity(turn, device);
  forget_claim(turn, device.id, "the device has new keys since");
  turn.emit(SetCredential{device.id, ""});
  turn.urgent();
}

void on_enroll(Turn& turn, const EnrollReceived& event) {
  const State& state = turn.state;
  const EnrollMessage& message = event.message;
  if (message.device != event.device) return turn.drop(Drop::kDeviceIdMismatch);
  if (!event.claim.empty()) {
    const std::string refusal = refusal_of(turn, event);
    if (!refusal.empty()) return refuse_claim(turn, event, refusal);
  }
  const auto found = state.fleet.devices.find(event.device);
  if (found == state.fleet.devices.end()) return enroll_new(turn, event);
  Device& device = *own_fleet(turn).by_number[*state.fleet.number_of(event.device)];
  if (device.state == DeviceState::kDecommissioned) return answer(turn, device, message.nonce);
  if (device.state == DeviceState::kRegistered) return enroll_registered(turn, device, event);
  // The factory's state is known by its nonce, and by the device's own key where it has one.
  const bool same_key = message.key == device.key;
  // Who is known by the key alone may have begun anew; the grant is sealed for that key.
  const bool same = same_key && (message.nonce == device.enroll_nonce || is_known_by_key(device));
  // Whoever enrols anew under a known id gets nothing until an operator says so (reenroll).
  if (device.state == DeviceState::kAccepted && !same &&
      (device.enrolled || device.enroll_nonce != 0)) {
    (void)note_other_nonce(turn, device, kNonceRefusedEvery);
    return turn.drop(Drop::kEnrollRefused);
  }
  // Before the row, which says when it was heard.
  own_fleet(turn).heard_stranger(device, turn.now.wall);
  if (turn.now.wall - device.last_seen_wall >= kHeardKeptEvery && !device.enrolled) {
    change_device(turn, device.id).last_seen_wall = turn.now.wall;
  }
  if (!same || device.facts != message.facts) {
    if (!same && device.enroll_nonce != 0 && !note_other_nonce(turn, device, kNonceChangesEvery)) {
      return turn.drop(Drop::kEnrollRefused);
    }
    Device& changed = change_device(turn, device.id);
    note_way(turn, changed, event.claim);
    take(changed, message);
  }
  if (device.state == DeviceState::kPending && is_vouched_for(turn.state, device, event)) {
    note_way(turn, change_device(turn, device.id), event.claim);
    return accept(turn, {event.device});
  }
  answer(turn, device, message.nonce);
}

Result<CommandReply> accept_devices(Turn& turn, const AcceptDevices& command) {
  const DeviceSelection& selection = command.devices;
  if (selection.ids.empty() && selection.filter.empty() && !selection.all) {
    return invalid("NO_DEVICES", "name devices, give a filter, or say all");
  }
  Result<std::vector<DeviceId>> ids = select(turn.state, selection);
  if (!ids) return ids.error();
  if (!command.key_fingerprint.empty()) {
    if (ids->size() != 1) return invalid("NOT_ONE_DEVICE", "key_fingerprint: name one device");
    const Status same = expect_key(turn.state, ids->front(), command.key_fingerprint);
    if (!same) return same.error();
  }
  std::vector<DeviceId> chosen;
  for (const DeviceId& id : *ids) {
    const Device& device = turn.state.fleet.devices.at(id);
    if (device.state == DeviceState::kAccepted) continue;
    // A filter or `all` means those that wait; a rejected one is accepted by name only.
    const bool named =
        std::find(selection.ids.begin(), selection.ids.end(), id) != selection.ids.end();
    if (device.state != DeviceState::kPending && !named) continue;
    if (!FleetState::waits(device)) return not_acceptable(device);
    chosen.push_back(id);
  }
  accept(turn, chosen);
  const auto changed = static_cast<uint32_t>(chosen.size());
  return CommandReply{.subject = "", .changed = changed, .devices = std::move(chosen)};
}

Result<CommandReply> reject_device(Turn& turn, const RejectDevice& command) {
  const auto found = turn.state.fleet.devices.find(command.device);
  if (found == turn.state.fleet.devices.end())
    return not_found("no device " + command.device.str());
  Device& device = *own_fleet(turn).by_number[*turn.state.fleet.number_of(command.device)];
  if (device.state == DeviceState::kAccepted) {
    void_keys(turn, change_device(turn, device.id), DeviceState::kRejected, kDeviceRejected);
    return CommandReply{.subject = device.id.str(), .changed = 1};
  }
  if (device.state == DeviceState::kDecommissioned) return not_acceptable(device);
  set_state(turn, change_device(turn, device.id), DeviceState::kRejected);
  answer(turn, device, device.enroll_nonce);
  return CommandReply{.subject = device.id.str(), .changed = 1};
}

Result<CommandReply> reenroll_device(Turn& turn, const ReenrollDevice& command) {
  const auto found = turn.state.fleet.devices.find(command.device);
  if (found == turn.state.fleet.devices.end())
    return not_found("no device " + command.device.str());
  if (found->second.state == DeviceState::kRegistered) {
    return CommandReply{.subject = found->first.str()};  // there are no keys yet
  }
  void_keys(turn, change_device(turn, found->first), DeviceState::kPending, kDeviceReenrolled);
  return CommandReply{.subject = found->first.str(), .changed = 1};
}

Result<CommandReply> remove_device(Turn& turn, const RemoveDevice& command) {
  if (!turn.state.fleet.devices.contains(command.device)) {
    return not_found("no device " + command.device.str());
  }
  forget(turn, command.device);
  return CommandReply{.subject = command.device.str(), .changed = 1};
}

void expire_strangers(Turn& turn) {
  const FleetState& fleet = turn.state.fleet;
  if (schedules_held(turn.state)) return;
  for (size_t n = 0; n < kStrangersForgottenPerSweep && !fleet.strangers.empty(); ++n) {
    const auto [heard, number] = *fleet.strangers.begin();
    if (turn.now.wall - heard < turn.config.stranger_expiry) return;
    const DeviceId id = fleet.by_number[number]->id;
    turn.log(LogLine::Level::kInfo, "stranger_forgotten", id.str(),
             "not heard for enroll.expire_after, and never accepted");
    forget(turn, id);
  }
}

}  // namespace covey::engine
