// SPDX-License-Identifier: Apache-2.0
// The catalogue: trusted keys and releases. What this room offers to the others; it alone changes
// CatalogueState. Engine thread.
#pragma once

#include <string>
#include <vector>

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- releases.cpp: an artifact and what is derived from it

void know(CatalogueState& catalogue, const ArtifactRecord& record);
// nullptr: nobody pushed it here, or it is another model's, whatever a device says it is.
const KnownArtifact* artifact_of(const State& state, const ModelName& model,
                                 const Digest& manifest);

Result<CommandReply> create_release(Turn& turn, const CreateRelease& command);
// Errors: NOT_FOUND, RELEASE_IN_USE.
Result<CommandReply> delete_release(Turn& turn, const DeleteRelease& command);
Result<CommandReply> add_key(Turn& turn, const AddTrustedKey& command);
Result<CommandReply> remove_key(Turn& turn, const RemoveTrustedKeyCommand& command);

}  // namespace covey::engine
