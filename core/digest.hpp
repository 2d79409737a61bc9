// SPDX-License-Identifier: Apache-2.0
// SHA-256 digests as values; hex as text. The hash itself is deploy/signing/sha256.hpp.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace covey {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

struct Digest {
  std::array<uint8_t, 32> bytes{};

  bool is_zero() const { return *this == Digest{}; }
  auto operator<=>(const Digest&) const = default;
};

std::string to_hex(ByteView bytes);
inline std::string to_hex(const Digest& digest) { return to_hex(digest.bytes); }
// First 12 hex digits: what tables show.
std::string short_hex(const Digest& digest);
// Errors: BAD_HEX.
Result<Bytes> from_hex(std::string_view text);
// Errors: BAD_DIGEST unless 64 hex digits.
Result<Digest> parse_digest(std::string_view text);
// Errors: BAD_DIGEST unless 32 bytes.
Result<Digest> digest_from_bytes(ByteView bytes);

}  // namespace covey

template <>
struct std::hash<covey::Digest> {
  size_t operator()(const covey::Digest& digest) const noexcept {
    size_t head = 0;
    std::memcpy(&head, digest.bytes.data(), sizeof head);
    return head;
  }
};
