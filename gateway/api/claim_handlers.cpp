// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/api/handlers.hpp"
#include "gateway/api/names.hpp"
#include "gateway/engine/fleet/fleet.hpp"

namespace covey::api {
namespace {

constexpr std::string_view kClaims = "claims/";
constexpr int64_t kClaimLifeMaxMs = int64_t{3650} * 24 * 3'600'000;

Result<ClaimName> claim_name(std::string_view text) {
  if (text.starts_with(kClaims)) text.remove_prefix(kClaims.size());
  return ClaimName::parse(text);
}

void fill_claim(v1::Claim& to, const engine::State& state, const ClaimRecord& claim) {
  to.set_name(std::string(kClaims) + claim.name.str());
  to.set_count_max(claim.count_max);
  to.set_used(claim.used);
  const auto waiting = state.fleet.claimed.find(claim.name);
  to.set_waiting(waiting == state.fleet.claimed.end() ? 0 : waiting->second);
  to.set_create_time_ms(claim.create_wall.count());
  to.set_expire_time_ms(claim.expire_wall.count());
  to.set_revoke_time_ms(claim.revoke_wall.count());
  to.set_per_device(claim.per_device);
  to.set_accept(claim.accept);
  const auto ids = state.fleet.claim_ids.find(claim.name);
  to.set_ids(ids == state.fleet.claim_ids.end() ? 0 : static_cast<uint32_t>(ids->second.size()));
}

Result<engine::CreateClaim> claim_command_of(const v1::CreateClaimRequest& request) {
  Result<ClaimName> name = claim_name(request.claim());
  if (!name) return name.error();
  if (request.life_ms() < 0 || request.life_ms() > kClaimLifeMaxMs) {
    return invalid("BAD_FIELD", "life_ms: 0 (for ever) to ten years");
  }
  if (static_cast<size_t>(request.ids_size()) > kClaimIdsMax) {
    return invalid("BAD_FIELD", fmt::format("ids: at most {}", kClaimIdsMax));
  }
  engine::CreateClaim command{.claim = *std::move(name),
                              .count = request.count(),
                              .life = Millis{request.life_ms()},
                              .per_device = request.per_device(),
                              .accept = request.accept(),
                              .ids = {}};
  for (const std::string& text : request.ids()) {
    Result<DeviceId> id = DeviceId::parse(text);
    if (!id) return invalid(id.error().reason, "ids: " + id.error().message);
    command.ids.push_back(*std::move(id));
  }
  return command;
}

}  // namespace

void create_claim(const CallPtr<v1::CreateClaimRequest, v1::CreateClaimResponse>& call) {
  Result<engine::CreateClaim> command = claim_command_of(call->request);
  if (!command) return call->finish(command.error());
  const ClaimName name = command->claim;
  execute(call, *std::move(command), "",
          [name](const engine::Engine& engine, const engine::CommandReply&, auto& c) -> Status {
            const engine::State& state = engine.state();
            const ClaimRecord& claim = state.fleet.claims.at(name);
            fill_claim(*c.response.mutable_claim(), state, claim);
            c.response.set_username(name.str());
            c.response.set_password(engine::claim_password(state, claim));
            if (claim.per_device) {
              c.response.set_batch_secret(to_hex(engine::claim_secret(state, claim)));
            }
            return {};
          });
}

void list_claims(const CallPtr<v1::ListClaimsRequest, v1::ListClaimsResponse>& call) {
  answer(call, [](const engine::Engine& engine, auto& c) -> Status {
    for (const auto& [name, claim] : engine.state().fleet.claims) {
      fill_claim(*c.response.add_claims(), engine.state(), claim);
    }
    return {};
  });
}

void revoke_claim(const CallPtr<v1::RevokeClaimRequest, v1::RevokeClaimResponse>& call) {
  Result<ClaimName> name = claim_name(call->request.name());
  if (!name) return call->finish(name.error());
  execute(
      call, engine::RevokeClaim{*name}, "",
      [name = *name](const engine::Engine& engine, const engine::CommandReply&, auto& c) -> Status {
        fill_claim(*c.response.mutable_claim(), engine.state(),
                   engine.state().fleet.claims.at(name));
        return {};
      });
}

}  // namespace covey::api
