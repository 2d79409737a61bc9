// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"

#include <gtest/gtest.h>

namespace covey {
namespace {

TEST(Digest, hex_round_trips_in_both_cases) {
  Bytes bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<uint8_t>(i));
  const std::string hex = to_hex(bytes);
  EXPECT_EQ(hex.substr(0, 8), "00010203");
  EXPECT_EQ(hex.substr(hex.size() - 4), "feff");
  EXPECT_EQ(*from_hex(hex), bytes);
  EXPECT_EQ(*from_hex("fFaB"), (Bytes{0xff, 0xab}));
  EXPECT_TRUE(from_hex("")->empty());
}

TEST(Digest, refuses_what_is_no_hex) {
  for (const char* text : {"a", "abc", "0g", "g0", "0x", " 0", "a-"}) {
    const Result<Bytes> bytes = from_hex(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().reason, "BAD_HEX");
  }
}

TEST(Digest, is_exactly_32_bytes) {
  const std::string hex = std::string(62, '0') + "2a";
  const Result<Digest> digest = parse_digest(hex);
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->bytes[31], 42);
  EXPECT_EQ(to_hex(*digest), hex);
  EXPECT_EQ(short_hex(*digest), "000000000000");
  EXPECT_FALSE(digest->is_zero());
  EXPECT_TRUE(Digest{}.is_zero());
  for (const std::string& text : {hex + "00", hex.substr(2), std::string(64, 'x'), std::string()}) {
    EXPECT_EQ(parse_digest(text).error().reason, "BAD_DIGEST");
  }
  EXPECT_EQ(digest_from_bytes(Bytes(31)).error().reason, "BAD_DIGEST");
  EXPECT_EQ(digest_from_bytes(Bytes(33)).error().reason, "BAD_DIGEST");
}

}  // namespace
}  // namespace covey
