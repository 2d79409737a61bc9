// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/sealing.hpp"

#include <gtest/gtest.h>

namespace covey::tls {
namespace {

Bytes hex(std::string_view text) {
  Result<Bytes> bytes = from_hex(text);
  EXPECT_TRUE(bytes);
  return bytes ? *std::move(bytes) : Bytes{};
}

ByteView text(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// RFC 9180, appendix A.3.1, sequence number 0.
TEST(Sealing, IsTheStandards) {
  const Bytes ephemeral = hex("4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb");
  const Bytes recipient = hex(
      "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62f"
      "b3d30ad6aa8f80e30f1d128aafd68a2ce72ea0");
  const Result<Bytes> sealed = seal_from(ephemeral, recipient, "Ode on a Grecian Urn",
                                         text("Count-0"), text("Beauty is truth, truth beauty"));
  ASSERT_TRUE(sealed) << sealed.error().message;
  EXPECT_EQ(
      to_hex(*sealed),
      "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f"
      "951c0900be863c403ce65c9bfcb9382657222d18c4"
      "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434");
}

TEST(Sealing, NeverTwiceTheSame) {
  const Bytes recipient = hex(
      "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62f"
      "b3d30ad6aa8f80e30f1d128aafd68a2ce72ea0");
  const Result<Bytes> one = seal(recipient, kEnrolmentInfo, text("secret"));
  const Result<Bytes> two = seal(recipient, kEnrolmentInfo, text("secret"));
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->size(), 65U + 6 + 16);
  EXPECT_NE(*one, *two);
}

TEST(Sealing, WhatIsNoPointOfTheCurveIsRefused) {
  Bytes beside = hex(
      "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62f"
      "b3d30ad6aa8f80e30f1d128aafd68a2ce72ea1");
  EXPECT_EQ(seal(beside, kEnrolmentInfo, text("x")).error().reason, "REQUEST_INVALID");
  EXPECT_EQ(seal(Bytes(65), kEnrolmentInfo, text("x")).error().reason, "REQUEST_INVALID");
  EXPECT_EQ(seal(Bytes(64, 4), kEnrolmentInfo, text("x")).error().reason, "REQUEST_INVALID");
  EXPECT_EQ(seal({}, kEnrolmentInfo, text("x")).error().reason, "REQUEST_INVALID");
}

}  // namespace
}  // namespace covey::tls
