// SPDX-License-Identifier: Apache-2.0
// A new secret of the site goes to devices without a person at any of them: keys of the old one
// stop working, and a device with a key of its own enrols once more by itself, under the nonce and
// key that are accepted (docs/adr/0045-site-secrets.md). One without would get its new keys in
// clear: it keeps the old secret until somebody says `covey device reenroll`.
#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr size_t kRekeyedPerTick = 20;  // each of them connects anew, twice
constexpr size_t kLookedAtPerTick = 1'000;

void rekey(Turn& turn, const DeviceId& id) {
  Device& device = change_device(turn, id);
  device.secret_number = newest_secret(turn.state);
  device.goal_counter_seen = 0;
  // The goal that stands was authenticated with the old key: what is said next is another one.
  for (auto& [name, model] : device.models) model.ordered.reset();
  if (device.goal_counter > 0) refresh_goal(turn, id);
  void_certificates(turn, device);
  change_session(turn, id).online = false;
  turn.emit(SetCredential{id, broker_password(turn.state, device)});
}

// True: it has to connect anew.
bool move_to_newest(Turn& turn, const Device& device) {
  if (device.state != DeviceState::kAccepted) {  // it has no keys yet
    change_device(turn, device.id).secret_number = newest_secret(turn.state);
    return false;
  }
  if (device.key.empty()) return false;
  rekey(turn, device.id);
  return true;
}

void forget_secrets(Turn& turn, const std::set<uint32_t>& used) {
  auto& secrets = own_fleet(turn).secrets;
  const uint32_t newest = newest_secret(turn.state);
  for (auto each = secrets.begin(); each->first != newest;) {
    if (used.contains(each->first)) {
      ++each;
      continue;
    }
    turn.log(LogLine::Level::kInfo, "site_secret_forgotten", std::to_string(each->first),
             "no device uses it any more");
    turn.write(RemoveSiteSecret{each->first});
    each = secrets.erase(each);
  }
}

}  // namespace

uint32_t newest_secret(const State& state) { return state.fleet.secrets.rbegin()->first; }

Result<CommandReply> rotate_secret(Turn& turn, const RotateSecret& command) {
  auto& secrets = own_fleet(turn).secrets;
  if (command.number != newest_secret(turn.state) + 1) {
    return Error{Code::kAborted, "SECRET_ROTATED",
                 fmt::format("somebody else has made secret {} meanwhile: look at `covey status`, "
                             "and say it again if you still want another one",
                             newest_secret(turn.state))};
  }
  if (secrets.size() >= kSiteSecretsMax) {
    return Error{Code::kResourceExhausted, "TOO_MANY_SECRETS",
                 fmt::format("devices use {} secrets of this site: `covey device list --filter "
                             "\"secret = {}\"` shows those of the oldest; `covey device reenroll` "
                             "moves who has no key of its own to the newest",
                             secrets.size(), secrets.begin()->first)};
  }
  SiteSecretRecord record{
      .number = command.number, .sealed = command.sealed, .create_wall = turn.now.wall};
  turn.write(PutSiteSecret{record});
  secrets.emplace(command.number, SiteSecret{std::move(record), command.secret});
  own_fleet(turn).rekeying = {};
  close_claims(turn);
  return CommandReply{.subject = fmt::format("secret {}", command.number), .changed = 1};
}

void rekey_devices(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  if (fleet.secrets.size() < 2 || schedules_held(turn.state)) return;
  Rekeying& rekeying = fleet.rekeying;
  const uint32_t newest = newest_secret(turn.state);
  size_t rekeyed = 0;
  for (size_t n = 0; n < kLookedAtPerTick && rekeying.next < fleet.by_number.size(); ++n) {
    const Device* device = fleet.by_number[rekeying.next++];
    if (device == nullptr) continue;
    if (device->secret_number != newest) rekeyed += move_to_newest(turn, *device) ? 1 : 0;
    rekeying.seen.insert(device->secret_number);
    if (rekeyed >= kRekeyedPerTick) break;
  }
  if (rekeyed > 0) turn.urgent();
  if (rekeying.next < fleet.by_number.size()) return;
  forget_secrets(turn, rekeying.seen);
  rekeying = {};
}

}  // namespace covey::engine
