// SPDX-License-Identifier: Apache-2.0
// Releases for tests of the agent: images, tables and manifests, really signed. Independent of
// deploy/, so that a mistake there cannot hide one here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "covey/device/v1/device.pb.h"
#include "covey/port_openssl.h"

namespace covey::agent_test {

namespace wire = covey::device::v1;
using Bytes = std::string;  // what protobuf calls bytes

Bytes sha256(const Bytes& bytes);
Bytes hmac(const Bytes& key, const Bytes& text);
std::string hex(const Bytes& bytes);

// An author's key pair.
class AuthorKey {
 public:
  explicit AuthorKey(wire::SignatureAlgorithm algorithm);
  ~AuthorKey();
  AuthorKey(const AuthorKey&) = delete;
  AuthorKey& operator=(const AuthorKey&) = delete;

  covey_public_key_t anchor() const;  // valid as long as this
  wire::Signature sign(const Bytes& manifest) const;

 private:
  struct Key;
  wire::SignatureAlgorithm algorithm_;
  std::unique_ptr<Key> key_;
  Bytes raw_;
};

// ES256; one for the whole process.
const AuthorKey& author();

enum class FakeBehaviour : uint8_t { kGood, kLoadFails, kWrongOutput, kInvokeFails, kCrashes };

struct ReleaseOptions {
  std::string model = "bearing";
  std::string version = "1.0.0";
  std::string device_class = "m4f-256k";
  uint8_t seed = 1;  // of the model's bytes
  FakeBehaviour behaviour = FakeBehaviour::kGood;
  uint32_t model_bytes = 5000;
  uint32_t chunk_bytes = 512;
  uint32_t same_from = 0;  // bytes before this come from seed 0 in every release
  uint32_t preprocessing_bytes = 40;
  uint32_t vectors = 3;
  uint32_t security_version = 1;
  uint32_t arena_bytes = 256;
  int features = 2;
  uint32_t sample_probability = 0;
  std::vector<std::tuple<uint32_t, int32_t, bool>> joint = {};  // nodes: feature, threshold, above
  const AuthorKey* key = nullptr;                               // author()
};

struct Release {
  wire::Manifest manifest;
  Bytes message;  // SignedManifest
  Bytes digest;   // of the manifest
  Bytes image;
  Bytes table;
  Bytes tables;  // TelemetryTables

  Bytes chunk(uint32_t index) const;
  Bytes prefix() const { return digest.substr(0, 8); }
};

constexpr uint32_t kInputBytes = 8;
constexpr uint32_t kOutputBytes = 4;

Release make_release(const ReleaseOptions& options);
// Signs again after the manifest was changed.
void seal(Release& release, const AuthorKey& key);

}  // namespace covey::agent_test
