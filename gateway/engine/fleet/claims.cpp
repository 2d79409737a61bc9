// SPDX-License-Identifier: Apache-2.0
// Claims: credentials of a batch of devices that can do nothing but ask, and what decides about who
// asks by one. The broker has checked the password; what it cannot check is checked here.
#include <fmt/format.h>

#include <algorithm>

#include "core/limits.hpp"
#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

Digest derive(const State& state, const ClaimRecord& claim, std::string_view purpose) {
  return derive_key(state, claim.secret_number, purpose, claim.name.str(), claim.number);
}

void put(Turn& turn, const ClaimRecord& claim) {
  own_fleet(turn).claims.insert_or_assign(claim.name, claim);
  turn.write(PutClaim{claim});
  turn.urgent();
}

bool lists(const State& state, const ClaimRecord& claim, const DeviceId& device) {
  if (!claim.lists) return true;
  const auto ids = state.fleet.claim_ids.find(claim.name);
  return ids != state.fleet.claim_ids.end() &&
         std::binary_search(ids->second.begin(), ids->second.end(), device);
}

void put_ids(Turn& turn, const ClaimName& name, std::vector<DeviceId> ids) {
  auto& lists = own_fleet(turn).claim_ids;
  if (ids.empty() && !lists.contains(name)) return;
  turn.write(PutClaimIds{{name, ids}});
  lists.insert_or_assign(name, std::move(ids));
}

size_t ids_of_all(const FleetState& fleet) {
  size_t ids = 0;
  for (const auto& [name, list] : fleet.claim_ids) ids += list.size();
  return ids;
}

bool proven(const State& state, const ClaimRecord& claim, const EnrollMessage& message) {
  if (!claim.per_device) return true;
  const Digest expected =
      hmac_sha256(claim_secret(state, claim).bytes, as_bytes(message.device.str()));
  return equal_constant_time(expected.bytes, message.claim_proof);
}

// Of those that it may bring.
bool has_room(const State& state, const ClaimRecord& claim, const DeviceId& device) {
  const auto known = state.fleet.devices.find(device);
  if (known != state.fleet.devices.end() && known->second.claim == claim.name) return true;
  const auto waiting = state.fleet.claimed.find(claim.name);
  const uint64_t taken =
      uint64_t{claim.used} + (waiting == state.fleet.claimed.end() ? 0 : waiting->second);
  return taken < claim.count_max;
}

}  // namespace

Digest claim_secret(const State& state, const ClaimRecord& claim) {
  return derive(state, claim, "claim proof");
}

std::string claim_password(const State& state, const ClaimRecord& claim) {
  return to_hex(ByteView(derive(state, claim, "claim password").bytes).first(16));
}

bool claim_is_good(const State& state, const ClaimRecord& claim, Millis wall) {
  return claim.revoke_wall == Millis{0} && claim.secret_number == newest_secret(state) &&
         (claim.expire_wall == Millis{0} || wall < claim.expire_wall);
}

namespace {

Status check(const Turn& turn, const CreateClaim& command) {
  const FleetState& fleet = turn.state.fleet;
  const auto known = fleet.claims.find(command.claim);
  if (known != fleet.claims.end() && claim_is_good(turn.state, known->second, turn.now.wall)) {
    return Error{
        Code::kAlreadyExists, "CLAIM_EXISTS",
        fmt::format("claim {} is there: revoke it, or choose another name", command.claim.str())};
  }
  if (known == fleet.claims.end() && fleet.claims.size() >= kClaimsMax) {
    return Error{Code::kResourceExhausted, "CLAIM_LIMIT",
                 fmt::format("{} claims are there, revoked ones included: use the name of one that "
                             "is over",
                             kClaimsMax)};
  }
  if (command.count < 1 || command.count > kClaimCountMax) {
    return invalid("BAD_FIELD",
                   fmt::format("count: {}, must be 1 to {}", command.count, kClaimCountMax));
  }
  if (command.ids.size() > kClaimIdsMax) {
    return invalid("BAD_FIELD",
                   fmt::format("ids: {}, at most {}", command.ids.size(), kClaimIdsMax));
  }
  if (ids_of_all(fleet) + command.ids.size() > kClaimIdsOfAllMax) {
    return Error{Code::kResourceExhausted, "CLAIM_LIMIT",
                 fmt::format("ids: all claims together list at most {}: revoke some that are over",
                             kClaimIdsOfAllMax)};
  }
  if (command.accept && command.ids.empty() && !command.per_device) {
    return invalid("CLAIM_TOO_WIDE",
                   "accept: whoever has the claim would be accepted under any id; list ids, or "
                   "give each device a proof of its own");
  }
  return {};
}

}  // namespace

Result<CommandReply> create_claim(Turn& turn, const CreateClaim& command) {
  if (Status good = check(turn, command); !good) return good.error();
  std::vector<DeviceId> ids = command.ids;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const ClaimRecord claim{
      .name = command.claim,
      .number = ++turn.change_site().claim_number,
      .create_wall = turn.now.wall,
      .expire_wall = command.life == Millis{0} ? Millis{0} : turn.now.wall + command.life,
      .count_max = command.count,
      .per_device = command.per_device,
      .accept = command.accept,
      .lists = !ids.empty(),
      .secret_number = newest_secret(turn.state)};
  put(turn, claim);
  put_ids(turn, claim.name, std::move(ids));
  own_fleet(turn).claims_open.insert(claim.name);
  turn.emit(SetClaim{claim.name, claim_password(turn.state, claim)});
  return CommandReply{.subject = claim.name.str(), .changed = 1};
}

Result<CommandReply> revoke_claim(Turn& turn, const RevokeClaim& command) {
  const auto found = turn.state.fleet.claims.find(command.claim);
  if (found == turn.state.fleet.claims.end()) return not_found("no claim " + command.claim.str());
  if (found->second.revoke_wall != Millis{0}) {
    return CommandReply{.subject = command.claim.str(), .already_existed = true};
  }
  ClaimRecord claim = found->second;
  claim.revoke_wall = std::max(turn.now.wall, Millis{1});
  put(turn, claim);
  put_ids(turn, claim.name, {});
  own_fleet(turn).claims_open.erase(claim.name);
  turn.emit(SetClaim{claim.name, ""});
  return CommandReply{.subject = claim.name.str(), .changed = 1};
}

std::string refusal_of(const Turn& turn, const EnrollReceived& event) {
  const auto found = turn.state.fleet.claims.find(event.claim);
  if (found == turn.state.fleet.claims.end()) return "there is no such claim";
  const ClaimRecord& claim = found->second;
  if (claim.revoke_wall != Millis{0}) return "the claim is revoked";
  if (claim.secret_number != newest_secret(turn.state)) {
    return "the claim is of a secret that the site has replaced";
  }
  if (!claim_is_good(turn.state, claim, turn.now.wall)) return "the claim has ended";
  if (!lists(turn.state, claim, event.device)) return "its id is not of the claim's";
  if (!proven(turn.state, claim, event.message)) return "its proof is not that of its id";
  if (!has_room(turn.state, claim, event.device)) {
    return fmt::format("the claim is used up: {} devices", claim.count_max);
  }
  return {};
}

void note_claimed(Turn& turn, const Device& device) {
  const auto found = turn.state.fleet.claims.find(device.claim);
  if (device.claim.empty() || found == turn.state.fleet.claims.end()) return;
  ClaimRecord claim = found->second;
  claim.used += claim.used < UINT32_MAX ? 1 : 0;
  put(turn, claim);
}

namespace {

// Its password came from a secret that the site has replaced.
void revoke_if_rotated(Turn& turn, const ClaimName& name) {
  ClaimRecord claim = turn.state.fleet.claims.at(name);
  if (claim.secret_number == newest_secret(turn.state) || claim.revoke_wall != Millis{0}) return;
  claim.revoke_wall = std::max(turn.now.wall, Millis{1});
  put(turn, claim);
  put_ids(turn, name, {});
}

}  // namespace

void close_claims(Turn& turn) {
  std::set<ClaimName>& open = own_fleet(turn).claims_open;
  for (auto name = open.begin(); name != open.end();) {
    if (claim_is_good(turn.state, turn.state.fleet.claims.at(*name), turn.now.wall)) {
      ++name;
      continue;
    }
    revoke_if_rotated(turn, *name);
    turn.emit(SetClaim{*name, ""});
    name = open.erase(name);
  }
}

}  // namespace covey::engine
