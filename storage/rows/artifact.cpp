// SPDX-License-Identifier: Apache-2.0
#include "storage/rows/artifact.hpp"

#include <utility>

namespace covey::rows {

ArtifactRow row_of(const ArtifactRecord& record) {
  const Artifact& artifact = *record.artifact;
  return {record.release,
          record.position,
          artifact.digest,
          artifact.signed_by,
          {artifact.signed_manifest_bytes, artifact.image, artifact.tables_bytes,
           artifact.gateway_part_bytes}};
}

Result<ArtifactRecord> record_of(ArtifactRow row) {
  Result<Artifact> artifact = reopen_artifact(std::move(row.parts));
  if (!artifact) return artifact.error();
  if (artifact->digest != row.digest) {
    return invalid("ARTIFACT_DIGEST", "another manifest than its digest says");
  }
  artifact->signed_by = row.signed_by;
  return ArtifactRecord{row.release, row.position,
                        std::make_shared<const Artifact>(*std::move(artifact))};
}

}  // namespace covey::rows
