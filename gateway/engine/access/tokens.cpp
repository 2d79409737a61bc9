// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/engine/access/access.hpp"
#include "gateway/engine/access/own.hpp"

namespace covey::engine {

Result<CommandReply> create_token(Turn& turn, const CreateToken& command,
                                  const std::string& creator) {
  auto& tokens = own_access(turn).tokens;
  if (tokens.contains(command.name)) {
    return Error{Code::kAlreadyExists, "TOKEN_EXISTS",
                 fmt::format("there is a token {} already: choose another name, or `covey token "
                             "revoke {}` first",
                             command.name, command.name)};
  }
  if (tokens.size() >= kTokensMax) {
    return Error{Code::kResourceExhausted, "TOO_MANY_TOKENS",
                 fmt::format("a site has at most {} tokens: `covey token list` shows which have "
                             "expired, `covey token revoke` removes them",
                             kTokensMax)};
  }
  TokenRecord record{.name = command.name,
                     .hash = command.hash,
                     .role = command.role,
                     .models = command.models,
                     .creator = creator,
                     .create_wall = turn.now.wall,
                     .expire_wall = command.expire_wall,
                     .use_wall = Millis{0}};
  turn.write(PutToken{record});
  tokens.emplace(command.name, std::move(record));
  return CommandReply{.subject = command.name, .changed = 1};
}

Result<CommandReply> revoke_token(Turn& turn, const RevokeToken& command) {
  if (own_access(turn).tokens.erase(command.name) == 0) {
    return not_found(
        fmt::format("no token {}: `covey token list` shows them", command.name.substr(0, 64)));
  }
  turn.write(RemoveToken{command.name});
  return CommandReply{.subject = command.name, .changed = 1};
}

Result<CommandReply> note_token_uses(Turn& turn, const NoteTokenUses& command) {
  CommandReply reply;
  for (const auto& [name, wall] : command.uses) {
    const auto found = own_access(turn).tokens.find(name);
    if (found == own_access(turn).tokens.end() || found->second.use_wall >= wall) continue;
    found->second.use_wall = wall;
    turn.write(PutToken{found->second});
    ++reply.changed;
  }
  return reply;
}

}  // namespace covey::engine
