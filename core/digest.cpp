// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"

#include <algorithm>

namespace covey {
namespace {
int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

std::string to_hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string short_hex(const Digest& digest) { return to_hex(ByteView(digest.bytes).first(6)); }

Result<Bytes> from_hex(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = nibble(text[i]);
    const int low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return invalid("BAD_HEX", "not a hexadecimal text");
    bytes.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  if (text.size() % 2 != 0) return invalid("BAD_HEX", "a hexadecimal text has an even length");
  return bytes;
}

Result<Digest> parse_digest(std::string_view text) {
  Result<Bytes> bytes = from_hex(text);
  if (!bytes || bytes->size() != 32) {
    return invalid("BAD_DIGEST", "a digest is 64 hexadecimal digits (SHA-256)");
  }
  return digest_from_bytes(*bytes);
}

Result<Digest> digest_from_bytes(ByteView bytes) {
  if (bytes.size() != 32) return invalid("BAD_DIGEST", "a digest is 32 bytes (SHA-256)");
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

}  // namespace covey
