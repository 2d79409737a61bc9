// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/artifact.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace covey {
namespace {

Error inconsistent(std::string message) {
  return invalid("ARTIFACT_INCONSISTENT", std::move(message));
}

// Parts that are each well formed may still contradict each other.
Status check_agreement(const Manifest& manifest, const Selftest& selftest,
                       const TelemetryTables& tables, const GatewayPart& part) {
  if (selftest.input_bytes() != manifest.input_bytes ||
      selftest.output_bytes() != manifest.output_bytes) {
    return inconsistent(fmt::format(
        "the self-test vectors have {} input and {} output bytes, the manifest says {} and {}",
        selftest.input_bytes(), selftest.output_bytes(), manifest.input_bytes,
        manifest.output_bytes));
  }
  if (part.model != manifest.model || part.version != manifest.version) {
    return inconsistent("the gateway part is of " + to_string(ReleaseId{part.model, part.version}) +
                        ", the manifest of " + to_string(manifest.release()));
  }
  // Counts of other bins than the baseline's would be compared with it bin by bin.
  TelemetryTables expected = tables_of(part, tables.sample_probability);
  expected.joint = tables.joint;
  if (tables != expected) {
    return inconsistent(
        "the telemetry tables and the baseline of the gateway part have different features, edges "
        "or classes");
  }
  return {};
}

// What the signed manifest binds beside the image. `artifact` has its signed manifest and digest
// already.
Result<Artifact> open_tables(Artifact artifact, ArtifactUpload upload) {
  Result<Manifest> manifest = decode_manifest(artifact.signed_manifest.manifest);
  if (!manifest) return manifest.error();
  artifact.manifest = *std::move(manifest);
  const Manifest& m = artifact.manifest;

  if (sha256(upload.tables) != m.tables_digest) {
    return invalid("TABLES_DIGEST", "the telemetry tables are not the ones that were signed");
  }
  Result<TelemetryTables> tables = decode_tables(upload.tables);
  if (!tables) return tables.error();
  if (sha256(upload.gateway_part) != m.gateway_part_digest) {
    return invalid("GATEWAY_PART_DIGEST", "the gateway part is not the one that was signed");
  }
  Result<GatewayPart> part = decode_gateway_part(upload.gateway_part);
  if (!part) return part.error();
  artifact.tables = *std::move(tables);
  artifact.gateway_part = *std::move(part);
  artifact.signed_manifest_bytes = std::move(upload.signed_manifest);
  artifact.tables_bytes = std::move(upload.tables);
  artifact.gateway_part_bytes = std::move(upload.gateway_part);
  return artifact;
}

Result<Artifact> open_bound_parts(Artifact signed_artifact, ArtifactUpload upload) {
  Bytes image = std::move(upload.image);
  Result<Artifact> artifact = open_tables(std::move(signed_artifact), std::move(upload));
  if (!artifact) return artifact;
  const Manifest& m = artifact->manifest;
  if (Status verified = verify_image(m, image); !verified) return verified.error();
  Result<Bytes> table = build_chunk_table(image, m.chunk_size_bytes);
  if (!table) return table.error();
  if (Status verified = verify_chunk_table(m, *table); !verified) return verified.error();
  Result<Selftest> selftest = decode_selftest(sections_of(m, image).selftest);
  if (!selftest) return selftest.error();
  if (Status agreed = check_agreement(m, *selftest, artifact->tables, artifact->gateway_part);
      !agreed) {
    return agreed.error();
  }
  artifact->selftest = *std::move(selftest);
  artifact->chunk_table = *std::move(table);
  artifact->image = std::move(image);
  return artifact;
}

Result<Artifact> open_signed_manifest(const ArtifactUpload& upload) {
  Artifact artifact;
  Result<SignedManifest> signed_manifest = decode_signed_manifest(upload.signed_manifest);
  if (!signed_manifest) return signed_manifest.error();
  artifact.signed_manifest = *std::move(signed_manifest);
  artifact.digest = sha256(artifact.signed_manifest.manifest);
  return artifact;
}

}  // namespace

Result<UnsignedArtifact> build_artifact(const ArtifactInput& input) {
  const Result<Bytes> selftest = encode(input.selftest);
  if (!selftest) return selftest.error();
  Result<Bytes> image = build_image({input.model, input.preprocessing, *selftest});
  if (!image) return image.error();
  Result<Bytes> table = build_chunk_table(*image, input.chunk_size_bytes);
  if (!table) return table.error();
  Result<Bytes> tables = encode(input.tables);
  if (!tables) return tables.error();
  Result<Bytes> part = encode(input.gateway_part);
  if (!part) return part.error();

  UnsignedArtifact artifact;
  Manifest& m = artifact.manifest;
  m.model = input.gateway_part.model;
  m.version = input.gateway_part.version;
  m.artifact_digest = sha256(*image);
  m.image_size_bytes = static_cast<uint32_t>(image->size());
  m.chunk_size_bytes = input.chunk_size_bytes;
  m.chunk_table_digest = sha256(*table);
  m.device_classes = input.device_classes;
  m.runtime = input.runtime;
  m.operator_set = input.operator_set;
  m.arena_bytes = input.arena_bytes;
  m.input_bytes = input.input_bytes;
  m.output_bytes = input.output_bytes;
  m.model_size_bytes = static_cast<uint32_t>(input.model.size());
  m.preprocessing_size_bytes = static_cast<uint32_t>(input.preprocessing.size());
  m.selftest_size_bytes = static_cast<uint32_t>(selftest->size());
  m.preprocessing_digest = sha256(input.preprocessing);
  m.selftest_digest = sha256(*selftest);
  m.tables_digest = sha256(*tables);
  m.gateway_part_digest = sha256(*part);
  m.security_version = input.security_version;
  m.preprocessing_id = input.preprocessing_id;
  if (Status agreed = check_agreement(m, input.selftest, input.tables, input.gateway_part);
      !agreed) {
    return agreed.error();
  }
  Result<Bytes> manifest = encode(m);
  if (!manifest) return manifest.error();
  artifact.manifest_digest = sha256(*manifest);
  artifact.manifest_bytes = *std::move(manifest);
  artifact.image = *std::move(image);
  artifact.chunk_table = *std::move(table);
  artifact.tables = *std::move(tables);
  artifact.gateway_part = *std::move(part);
  return artifact;
}

uint32_t Artifact::algorithms() const {
  uint32_t bits = 0;
  for (const Signature& signature : signed_manifest.signatures) {
    const auto algorithm = signature_algorithm_from_wire(signature.algorithm);
    if (algorithm) bits |= algorithm_bit(*algorithm);
  }
  return bits;
}

Result<Artifact> open_artifact(ArtifactUpload upload, const TrustStore& trusted) {
  Result<Artifact> artifact = open_signed_manifest(upload);
  if (!artifact) return artifact.error();
  const Result<KeyId> key = trusted.verify(artifact->digest, artifact->signed_manifest.signatures);
  if (!key) return key.error();
  artifact->signed_by = *key;
  return open_bound_parts(*std::move(artifact), std::move(upload));
}

Result<Artifact> reopen_artifact(ArtifactUpload upload) {
  Result<Artifact> artifact = open_signed_manifest(upload);
  if (!artifact) return artifact.error();
  if (upload.image.empty()) return open_tables(*std::move(artifact), std::move(upload));
  return open_bound_parts(*std::move(artifact), std::move(upload));
}

Artifact without_image(Artifact artifact) {
  artifact.image = {};
  artifact.chunk_table = {};
  artifact.selftest = {};
  return artifact;
}

}  // namespace covey
