// SPDX-License-Identifier: Apache-2.0
// Tokens of people and pipelines. What this room offers to the others; it alone changes
// AccessState. Engine thread. Whether one lets somebody in is decided before the engine
// (gateway/access).
#pragma once

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// Errors: TOKEN_EXISTS, TOO_MANY_TOKENS.
Result<CommandReply> create_token(Turn& turn, const CreateToken& command,
                                  const std::string& creator);
// Errors: NOT_FOUND.
Result<CommandReply> revoke_token(Turn& turn, const RevokeToken& command);
// Of tokens that are there.
Result<CommandReply> note_token_uses(Turn& turn, const NoteTokenUses& command);

}  // namespace covey::engine
