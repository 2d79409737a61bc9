// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104) over OpenSSL. Pure values; any thread, one
// Sha256 object per thread at a time. No errors: a failing hash provider is an impossible
// environment and ends the process.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "core/digest.hpp"

namespace covey {

// A digest cut to its first 16 bytes: entries of the chunk table and message authentication codes
// (RFC 4868 section 2.1.1).
using Digest16 = std::array<uint8_t, 16>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Digest sha256(ByteView bytes);
Digest16 truncate16(const Digest& digest);

// For input that arrives in pieces. After finish() the object starts anew.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(ByteView bytes);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The pieces of a message follow each other without a mark between them.
Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> message);
Digest hmac_sha256(ByteView key, ByteView message);
Digest16 hmac_sha256_16(ByteView key, std::initializer_list<ByteView> message);
Digest16 hmac_sha256_16(ByteView key, ByteView message);

// Time depends on the lengths only. Different lengths are unequal.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace covey
