// SPDX-License-Identifier: Apache-2.0
// Author public keys that the simulated firmware trusts, read from PEM files. Errors: TRUSTED_KEY
// with the file's name. Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace covey::simulator {

struct TrustedKey {
  uint32_t algorithm = 0;    // covey_algorithm
  std::vector<uint8_t> raw;  // 65-byte uncompressed point or 32 bytes Ed25519
};

// SPKI ("BEGIN PUBLIC KEY"), P-256 or Ed25519.
Result<TrustedKey> read_trusted_key(const std::string& path);

}  // namespace covey::simulator
