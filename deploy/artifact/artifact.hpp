// SPDX-License-Identifier: Apache-2.0
// An artifact as a whole: built by its author, opened by the gateway at upload. open_artifact()
// trusts nothing: every size, digest, layout and signature is checked, each with its own reason.
// Pure; any thread, tens of ms for megabytes: call it in the pool. The .tflite itself is inspected
// elsewhere (tflite_*.hpp).
// Errors: those of manifest, image, tables, selftest and gateway part, of TrustStore::verify, and
// TABLES_DIGEST, GATEWAY_PART_DIGEST, ARTIFACT_INCONSISTENT (parts that contradict each other).
#pragma once

#include <vector>

#include "deploy/artifact/gateway_part.hpp"
#include "deploy/artifact/image.hpp"
#include "deploy/artifact/manifest.hpp"
#include "deploy/artifact/selftest.hpp"
#include "deploy/artifact/telemetry_tables.hpp"

namespace covey {

inline constexpr uint32_t kChunkBytesDefault = 1024;

struct ArtifactInput {
  std::vector<DeviceClass> device_classes;
  Runtime runtime = Runtime::kTfliteInt8;
  uint64_t operator_set = 0;
  uint32_t arena_bytes = 0;
  uint32_t input_bytes = 0;
  uint32_t output_bytes = 0;
  uint32_t chunk_size_bytes = kChunkBytesDefault;
  uint32_t security_version = 0;
  uint32_t preprocessing_id = 0;
  Bytes model;          // .tflite
  Bytes preprocessing;  // parameters, may be empty
  Selftest selftest;
  TelemetryTables tables;    // usually tables_of(gateway_part, ...)
  GatewayPart gateway_part;  // names model and version
};

// Everything but the signatures: sign manifest_digest, then encode(SignedManifest{manifest_bytes,
// ..}).
struct UnsignedArtifact {
  Manifest manifest;
  Bytes manifest_bytes;
  Digest manifest_digest;
  Bytes image;
  Bytes chunk_table;
  Bytes tables;
  Bytes gateway_part;
};
Result<UnsignedArtifact> build_artifact(const ArtifactInput& input);

struct ArtifactUpload {
  Bytes signed_manifest;
  Bytes image;
  Bytes tables;
  Bytes gateway_part;
};

struct Artifact {
  Digest digest;  // of the manifest's exact bytes: what devices report to run (ADR 0002)
  Manifest manifest;
  SignedManifest signed_manifest;
  KeyId signed_by{};
  Bytes signed_manifest_bytes;
  Bytes image;
  Bytes chunk_table;
  Bytes tables_bytes;
  Bytes gateway_part_bytes;
  TelemetryTables tables;
  Selftest selftest;
  GatewayPart gateway_part;

  ByteView model_bytes() const { return sections_of(manifest, image).model; }
  ByteView preprocessing_bytes() const { return sections_of(manifest, image).preprocessing; }
  // Bits as in DeviceFacts.algorithms, of all signatures that the manifest carries.
  uint32_t algorithms() const;
};
Result<Artifact> open_artifact(ArtifactUpload upload, const TrustStore& trusted);
// The same without the signatures, for an artifact that was opened once and stored: its key may be
// gone from the trust store since, and so may its image (empty). Leaves `signed_by` zero: the store
// keeps it beside.
Result<Artifact> reopen_artifact(ArtifactUpload upload);
// What is left of an artifact that is not deployed any more: image, chunk table and self-test are
// empty.
Artifact without_image(Artifact artifact);

}  // namespace covey
