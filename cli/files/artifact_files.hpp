// SPDX-License-Identifier: Apache-2.0
// From training output to signed artifacts: build with the reference runtime's own measurements,
// sign, keep in a folder, read back. Reads and writes files; one thread. Errors name file and
// field: STATS_MISMATCH, SELFTEST_MISMATCH, NOT_SIGNED, NOT_A_RELEASE and those of
// cli/files/files.hpp, deploy/artifact and deploy/signing.
//
// A release folder: release.json {"model", "version", "artifacts"}; per artifact N/: manifest.bin
// (what is signed), manifest.sha256 (its digest, raw: what Ed25519 signs), image.bin, tables.bin,
// gateway_part.json, signed_manifest.bin once signed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/files/files.hpp"
#include "deploy/artifact/artifact.hpp"
#include "deploy/signing/keys.hpp"

namespace covey::cli {

struct ArtifactSource {
  std::vector<DeviceClass> device_classes;
  std::filesystem::path model;
};
// "m4f-256k,m0-64k=model.tflite". Errors: BAD_ARTIFACT.
Result<ArtifactSource> parse_artifact_source(const std::string& text);

struct BuildOptions {
  ReleaseId release;
  std::vector<ArtifactSource> artifacts;
  std::filesystem::path statistics;
  std::filesystem::path preprocessing;  // empty: none
  uint32_t security_version = 0;
  uint32_t chunk_size_bytes = kChunkBytesDefault;
  uint32_t preprocessing_id = 0;
  double sample_probability = 0.01;  // of inferences whose outcome is reported one by one
};

struct BuiltArtifact {
  Bytes manifest;
  Bytes image;
  Bytes tables;
  Bytes gateway_part;
  Bytes signed_manifest;  // empty until signed

  Digest digest() const;
};
struct BuiltRelease {
  ReleaseId release;
  std::vector<BuiltArtifact> artifacts;
  std::vector<std::string> notes;  // what its author should know; of build_release() only
};

Result<BuiltRelease> build_release(const BuildOptions& options);
// Adds the key's signature to each artifact.
Status sign_release(BuiltRelease& release, const PrivateKey& key);
// A signature made elsewhere, of one artifact, by the holder of `key`.
Status attach_signature(BuiltArtifact& artifact, const PublicKey& key, ByteView signature);

// The index release.json goes first and comes last: a folder that could not be filled is no
// release, instead of half of two. Nothing is left of a release that was there before.
Status save_release(const BuiltRelease& release, const std::filesystem::path& folder);
// Only what signing added; the error says which artifacts have it.
Status save_signatures(const BuiltRelease& release, const std::filesystem::path& folder);
Result<BuiltRelease> load_release(const std::filesystem::path& folder);

}  // namespace covey::cli
