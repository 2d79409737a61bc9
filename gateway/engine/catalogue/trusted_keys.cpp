// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gateway/engine/catalogue/catalogue.hpp"
#include "gateway/engine/catalogue/own.hpp"

namespace covey::engine {

Result<CommandReply> add_key(Turn& turn, const AddTrustedKey& command) {
  if (const Root* root = turn.state.catalogue.root.get(); root != nullptr) {
    return precondition("ROOT_DECIDES",
                        fmt::format("root document version {} names who may sign: add the author "
                                    "in the next version (`covey key root change --add-author`)",
                                    root->version));
  }
  Result<PublicKey> key = PublicKey::from_pem(command.pem);
  if (!key) return key.error();
  const std::string id = to_hex(key->id());
  if (own_catalogue(turn).trusted_keys.contains(id)) {
    return CommandReply{.subject = id, .already_existed = true};
  }
  TrustedKeyRecord record{.key_id = id,
                          .algorithm = std::string(to_string(key->algorithm())),
                          .pem = key->to_pem(),
                          .comment = command.comment.substr(0, 200),
                          .create_wall = turn.now.wall};
  if (Status added = own_catalogue(turn).trust.add(*std::move(key)); !added) return added.error();
  turn.write(PutTrustedKey{record});
  own_catalogue(turn).trusted_keys.emplace(id, std::move(record));
  CommandReply reply{.subject = id, .changed = 1};
  withhold_unsigned(turn, reply);
  return reply;
}

Result<CommandReply> remove_key(Turn& turn, const RemoveTrustedKeyCommand& command) {
  const auto found = own_catalogue(turn).trusted_keys.find(command.key_id);
  if (found == own_catalogue(turn).trusted_keys.end()) {
    return not_found("no trusted key " + command.key_id + ": `covey key list` shows them");
  }
  const Result<PublicKey> key = PublicKey::from_pem(found->second.pem);
  COVEY_ASSERT(key.ok());
  if (!own_catalogue(turn).root) (void)own_catalogue(turn).trust.remove(key->id());
  turn.write(RemoveTrustedKey{command.key_id});
  own_catalogue(turn).trusted_keys.erase(found);
  CommandReply reply{.subject = command.key_id, .changed = 1};
  withhold_unsigned(turn, reply);
  return reply;
}

}  // namespace covey::engine
