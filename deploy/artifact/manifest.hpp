// SPDX-License-Identifier: Apache-2.0
// The device part of a manifest and its signatures, as domain types and as the exact bytes of
// covey.device.v1.Manifest and SignedManifest. encode() is deterministic: fields by number, zero
// values left out. decode() ignores unknown fields, refuses a known field that is missing, twice or
// too large. Pure; any thread. Errors: MANIFEST_MALFORMED, the message names the field.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "deploy/signing/keys.hpp"

namespace covey {

// The same numbers as in device_agent/include/covey/limits.h.
inline constexpr size_t kManifestBytesMax = 600;
inline constexpr size_t kSignaturesMax = 4;
inline constexpr size_t kSignedManifestBytesMax = 1024;
inline constexpr size_t kVersionBytesMax = 31;
inline constexpr size_t kManifestClassesMax = 8;
inline constexpr uint32_t kImageBytesMax = 16U << 20U;
inline constexpr uint32_t kChunkBytesMin = 64;
inline constexpr uint32_t kChunkBytesMax = 16'384;
inline constexpr uint32_t kChunksMax = 1024;  // a bit of RAM each on the device
inline constexpr uint32_t kSectionAlignment = 16;

// The numbers travel on the wire (covey.device.v1.Runtime).
enum class Runtime : uint8_t { kTfliteInt8 = 1, kNative = 2 };
std::string_view to_string(Runtime runtime);  // "TFLITE_INT8", "NATIVE"

struct Manifest {
  static constexpr uint32_t kFormat = 1;

  uint32_t format = kFormat;
  ModelName model;
  Version version;
  Digest artifact_digest;  // of the image
  uint32_t image_size_bytes = 0;
  uint32_t chunk_size_bytes = 0;
  Digest chunk_table_digest;
  std::vector<DeviceClass> device_classes;
  Runtime runtime = Runtime::kTfliteInt8;
  uint64_t operator_set = 0;
  uint32_t arena_bytes = 0;
  uint32_t input_bytes = 0;
  uint32_t output_bytes = 0;
  uint32_t model_size_bytes = 0;  // sections without their padding
  uint32_t preprocessing_size_bytes = 0;
  uint32_t selftest_size_bytes = 0;
  Digest preprocessing_digest;  // of the section without padding; of nothing when it is empty
  Digest selftest_digest;
  Digest tables_digest;
  Digest gateway_part_digest;
  uint32_t security_version = 0;
  uint32_t preprocessing_id = 0;

  ReleaseId release() const { return {model, version}; }
  uint32_t chunk_count() const;
  bool operator==(const Manifest&) const = default;
};

// Structural rules that encode() relies on and decode() enforces.
Status validate(const Manifest& manifest);
Result<Bytes> encode(const Manifest& manifest);
Result<Manifest> decode_manifest(ByteView bytes);

// The exact signed bytes travel with their signatures; the manifest digest is sha256(manifest).
struct SignedManifest {
  Bytes manifest;
  std::vector<Signature> signatures;

  bool operator==(const SignedManifest&) const = default;
};

Result<Bytes> encode(const SignedManifest& manifest);
Result<SignedManifest> decode_signed_manifest(ByteView bytes);

}  // namespace covey
