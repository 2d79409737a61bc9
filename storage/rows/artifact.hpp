// SPDX-License-Identifier: Apache-2.0
// An artifact as its row: the exact bytes that were uploaded. Pure; any thread.
#pragma once

#include "core/result.hpp"
#include "storage/records.hpp"

namespace covey::rows {

struct ArtifactRow {
  ReleaseId release;
  uint32_t position = 0;
  Digest digest;
  KeyId signed_by{};
  ArtifactUpload parts;
};
ArtifactRow row_of(const ArtifactRecord& record);
// Checks all but the signatures again. Errors: those of reopen_artifact(), and ARTIFACT_DIGEST.
Result<ArtifactRecord> record_of(ArtifactRow row);

}  // namespace covey::rows
