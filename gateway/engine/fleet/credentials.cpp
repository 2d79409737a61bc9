// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

Digest derive(const State& state, const Device& device, std::string_view purpose) {
  return derive_key(state, device.secret_number, purpose, device.id.str(),
                    device.enroll_generation);
}

}  // namespace

Digest derive_key(const State& state, uint32_t secret_number, std::string_view purpose,
                  std::string_view name, uint64_t number) {
  std::string input(purpose);
  input += '\0';
  input += name;
  input += '\0';
  input += std::to_string(number);
  input += '\x01';
  return hmac_sha256(state.fleet.secrets.at(secret_number).secret.bytes, as_bytes(input));
}

Result<Digest> plain_secret(const SiteSecretRecord& record) {
  Digest secret;
  if (record.sealed.size() != secret.bytes.size()) {
    return Error{Code::kDataLoss, "STORE_INCONSISTENT",
                 fmt::format("secret {} of the site has {} bytes, not {}", record.number,
                             record.sealed.size(), secret.bytes.size())};
  }
  std::ranges::copy(record.sealed, secret.bytes.begin());
  return secret;
}

Prefix prefix_of(const Digest& digest) {
  Prefix prefix;
  std::copy_n(digest.bytes.begin(), prefix.size(), prefix.begin());
  return prefix;
}

Digest order_key(const State& state, const Device& device) {
  return derive(state, device, "order key");
}

std::string broker_password(const State& state, const Device& device) {
  return to_hex(ByteView(derive(state, device, "broker password").bytes).first(16));
}

uint32_t shard_of(const DeviceId& device) {
  return sha256(as_bytes(device.str())).bytes.front() & 0x3fU;
}

}  // namespace covey::engine
