// SPDX-License-Identifier: Apache-2.0
// Manufacturers whose certificates say who a device is. Who looks at certificates has the list of
// them from here; what it found is checked once more when the device is let in.
#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

void tell(Turn& turn) {
  TrustAuthorities all;
  for (const auto& [name, row] : turn.state.fleet.authorities) all.authorities.push_back(row);
  turn.emit(std::move(all));
  turn.urgent();
}

}  // namespace

Result<CommandReply> add_authority(Turn& turn, const AddDeviceAuthority& command) {
  auto& authorities = own_fleet(turn).authorities;
  const auto known = authorities.find(command.name);
  if (known != authorities.end() && known->second.certificate != command.certificate) {
    return Error{Code::kAlreadyExists, "AUTHORITY_EXISTS",
                 fmt::format("{} is there with another certificate: choose another name, or revoke "
                             "it first",
                             command.name)};
  }
  if (known != authorities.end()) {
    return CommandReply{.subject = command.name, .already_existed = true};
  }
  if (authorities.size() >= kAuthoritiesMax) {
    return Error{
        Code::kResourceExhausted, "AUTHORITY_LIMIT",
        fmt::format("{} authorities are trusted, which is the most: revoke one", kAuthoritiesMax)};
  }
  const AuthorityRecord row{
      .name = command.name, .certificate = command.certificate, .create_wall = turn.now.wall};
  authorities.emplace(command.name, row);
  turn.write(PutAuthority{row});
  tell(turn);
  return CommandReply{.subject = command.name, .changed = 1};
}

Result<CommandReply> remove_authority(Turn& turn, const RemoveDeviceAuthority& command) {
  if (own_fleet(turn).authorities.erase(command.name) == 0) {
    return not_found("no authority " + command.name + ": `covey ca list` shows them");
  }
  turn.write(RemoveAuthority{command.name});
  tell(turn);
  return CommandReply{.subject = command.name, .changed = 1};
}

}  // namespace covey::engine
