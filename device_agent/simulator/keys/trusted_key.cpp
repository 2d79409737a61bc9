// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/keys/trusted_key.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "covey/port.h"
#include "device_agent/simulator/keys/openssl_objects.hpp"

namespace covey::simulator {
namespace {

Error bad_key(const std::string& path, std::string_view why) {
  return invalid("TRUSTED_KEY", fmt::format("--trusted-key {}: {}", path, why));
}

}  // namespace

Result<TrustedKey> read_trusted_key(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return bad_key(path, "cannot be opened");
  const PublicKeyObject key(PEM_read_PUBKEY(file.get(), nullptr, nullptr, nullptr));
  if (!key) return bad_key(path, "holds no PEM public key (BEGIN PUBLIC KEY)");
  TrustedKey out;
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519) {
    out.algorithm = COVEY_ALGORITHM_ED25519;
    size_t size = 32;
    out.raw.resize(size);
    if (EVP_PKEY_get_raw_public_key(key.get(), out.raw.data(), &size) != 1 || size != 32) {
      return bad_key(path, "is not a whole Ed25519 key");
    }
    return out;
  }
  char group[32] = {};
  if (EVP_PKEY_get_utf8_string_param(key.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                     nullptr) != 1 ||
      std::string_view(group) != "prime256v1") {
    return bad_key(path, "must be a P-256 (prime256v1) or Ed25519 key");
  }
  // A PEM file may hold the point compressed; firmware holds it uncompressed.
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                 OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
  size_t size = 0;
  out.algorithm = COVEY_ALGORITHM_ES256;
  out.raw.resize(65);
  if (EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_PUB_KEY, out.raw.data(),
                                      out.raw.size(), &size) != 1 ||
      size != 65 || out.raw[0] != 4) {
    return bad_key(path, "is not a whole P-256 key");
  }
  return out;
}

}  // namespace covey::simulator
