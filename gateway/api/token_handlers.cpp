// SPDX-License-Identifier: Apache-2.0
// Tokens of people and pipelines, and who is calling.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/duration.hpp"
#include "gateway/api/handlers.hpp"
#include "gateway/api/names.hpp"
#include "gateway/api/tokens.hpp"

namespace covey::api {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr Millis kLifetimeMin{60'000};
constexpr Millis kLifetimeMax{24h * 3650};

Millis wall_now() {
  return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch());
}

Status check_name(const std::string& name, std::string_view field) {
  const bool good = !name.empty() && name.size() <= kNameBytesMax &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                    });
  if (good) return {};
  return invalid("BAD_NAME",
                 fmt::format("{}: 1 to {} letters, digits and . _ -", field, kNameBytesMax));
}

Result<engine::CreateToken> command_of(const v1::CreateTokenRequest& request,
                                       const std::string& secret) {
  if (Status name = check_name(request.token_id(), "token_id"); !name) return name.error();
  const std::optional<Role> role = access::parse_role(request.role());
  if (!role || *role == Role::kNone) {
    return invalid("BAD_ROLE", "role: viewer, ci, operator or admin");
  }
  const std::vector<std::string> models(request.models().begin(), request.models().end());
  if (!models.empty() && *role != Role::kCi) {
    return invalid("BAD_ROLE", "models: only a ci is limited to models");
  }
  if (models.size() > access::kGlobsMax ||
      !std::all_of(models.begin(), models.end(), access::is_model_glob)) {
    return invalid("BAD_FIELD", fmt::format("models: at most {} names of models, with * and ? for "
                                            "others",
                                            access::kGlobsMax));
  }
  const Millis lifetime{request.lifetime_ms()};
  if (lifetime.count() != 0 && (lifetime < kLifetimeMin || lifetime > kLifetimeMax)) {
    return invalid("BAD_FIELD",
                   fmt::format("lifetime_ms: from {} to {}, or 0 for no end",
                               covey::to_string(kLifetimeMin), covey::to_string(kLifetimeMax)));
  }
  return engine::CreateToken{
      .name = request.token_id(),
      .hash = access::token_hash(secret),
      .role = std::string(to_string(*role)),
      .models = joined(models),
      .lifetime = lifetime,
      .expire_wall = lifetime.count() == 0 ? Millis{0} : wall_now() + lifetime};
}

void fill_token(v1::Token& to, const TokenRecord& record) {
  to.set_name(record.name);
  to.set_role(record.role);
  for (const std::string& glob : parted(record.models)) to.add_models(glob);
  to.set_creator(record.creator);
  to.set_create_time_ms(record.create_wall.count());
  to.set_expire_time_ms(record.expire_wall.count());
  to.set_last_use_time_ms(record.use_wall.count());
}

}  // namespace

void create_token(const CallPtr<v1::CreateTokenRequest, v1::CreateTokenResponse>& call) {
  const Result<std::string> secret = access::make_token_secret();
  if (!secret) return call->finish(secret.error());
  Result<engine::CreateToken> command = command_of(call->request, *secret);
  if (!command) return call->finish(command.error());
  const TokenRecord record{.name = command->name,
                           .hash = command->hash,
                           .role = command->role,
                           .models = command->models,
                           .creator = access::audit_name(call->caller),
                           .create_wall = wall_now(),
                           .expire_wall = command->expire_wall};
  call->context->engine.submit(
      request_of(call->caller, *std::move(command)),
      [call, record, secret = *secret](const Result<engine::CommandReply>& reply) {
        if (!reply) return call->finish(reply.error());
        call->context->access->put_token(token_of(record));
        fill_token(*call->response.mutable_token(), record);
        call->response.set_secret(secret);
        call->finish({});
      });
}

void list_tokens(const CallPtr<v1::ListTokensRequest, v1::ListTokensResponse>& call) {
  answer(call, [](const engine::Engine& engine, auto& c) -> Status {
    const std::map<std::string, Millis> uses = c.context->access->token_uses();
    for (const auto& [name, record] : engine.state().access.tokens) {
      TokenRecord newest = record;
      const auto use = uses.find(name);
      if (use != uses.end()) newest.use_wall = std::max(newest.use_wall, use->second);
      fill_token(*c.response.add_tokens(), newest);
    }
    return {};
  });
}

// Whoever waits for the answer or not: it is durable, so it acts.
void revoke_token(const CallPtr<v1::RevokeTokenRequest, v1::RevokeTokenResponse>& call) {
  const std::string name = call->request.name();
  if (Status good = check_name(name, "name"); !good) return call->finish(good);
  call->context->engine.submit(request_of(call->caller, engine::RevokeToken{name}),
                               [call, name](const Result<engine::CommandReply>& reply) {
                                 if (!reply) return call->finish(reply.error());
                                 call->context->access->revoke_token(name);
                                 call->finish({});
                               });
}

void get_caller(const CallPtr<v1::GetCallerRequest, v1::GetCallerResponse>& call) {
  const Caller& caller = call->caller;
  call->response.set_name(caller.name);
  call->response.set_role(std::string(to_string(caller.role)));
  call->response.set_known(std::string(to_string(caller.known)));
  call->response.set_from(caller.from);
  for (const std::string& glob : caller.models) call->response.add_models(glob);
  if (caller.until != Millis::max()) call->response.set_expire_time_ms(caller.until.count());
  call->finish({});
}

}  // namespace covey::api
