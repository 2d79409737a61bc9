// SPDX-License-Identifier: Apache-2.0
// The catalogue: who may sign, and releases. What this room offers to the others; it alone changes
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

// ---- trusted_keys.cpp: who may sign while there is no root document

// Errors: ROOT_DECIDES, BAD_KEY, TRUST_STORE_FULL.
Result<CommandReply> add_key(Turn& turn, const AddTrustedKey& command);
Result<CommandReply> remove_key(Turn& turn, const RemoveTrustedKeyCommand& command);

// ---- roots.cpp: the document that names who may sign

// Errors: those of deploy/root, ROOT_VERSION_TAKEN, TOO_MANY_ROOTS.
Result<CommandReply> import_root(Turn& turn, const ImportRoot& command);
// The newest of the versions, at the start in order.
Status trust_root(CatalogueState& catalogue, RootRecord record);
// Whether each artifact has the signatures that it takes, whenever that may have changed.
void judge_signatures(CatalogueState& catalogue);
// The same in a turn, with its consequences: rollouts pause.
void withhold_unsigned(Turn& turn, CommandReply& reply);
// Why the release is offered to nobody; "": it is.
std::string withheld(const CatalogueState& catalogue, const ReleaseId& release);

}  // namespace covey::engine
