// SPDX-License-Identifier: Apache-2.0
// JWTs as issuers sign them, and as attackers would like them to be taken.
#include "gateway/access/jwt.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>

#include "core/freed.hpp"
#include "gateway/access/base64url.hpp"

namespace covey::access {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

constexpr Millis kNow{1'800'000'000'000};

std::string base64url(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63U];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63U];
  return text;
}

std::string number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key, name, &number), 1);
  std::string bytes(static_cast<size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  BN_free(number);
  return bytes;
}

std::string coordinate(EVP_PKEY* key, const char* name) {
  const std::string bytes = number_of(key, name);
  return std::string(32 - bytes.size(), '\0') + bytes;
}

class Jwts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    rsa_ = Key(EVP_RSA_gen(2048));
    ec_ = Key(EVP_EC_gen("P-256"));
  }
  static void TearDownTestSuite() {
    rsa_.reset();
    ec_.reset();
  }

  static std::string jwks() {
    return R"({"keys":[{"kty":"RSA","kid":"r","use":"sig","n":")" +
           base64url(number_of(rsa_.get(), OSSL_PKEY_PARAM_RSA_N)) + R"(","e":"AQAB"},)" +
           R"({"kty":"EC","kid":"e","crv":"P-256","x":")" +
           base64url(coordinate(ec_.get(), OSSL_PKEY_PARAM_EC_PUB_X)) + R"(","y":")" +
           base64url(coordinate(ec_.get(), OSSL_PKEY_PARAM_EC_PUB_Y)) +
           R"("},{"kty":"oct","kid":"secret","k":"AAAA"},)" +
           R"({"kty":"RSA","kid":"small","n":"AQAB","e":"AQAB"}]})";
  }

  static std::string sign(EVP_PKEY* key, const std::string& header, const std::string& payload) {
    const std::string text = base64url(header) + "." + base64url(payload);
    const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> signing(EVP_MD_CTX_new());
    EXPECT_EQ(EVP_DigestSignInit(signing.get(), nullptr, EVP_sha256(), nullptr, key), 1);
    std::string signature(512, '\0');
    size_t size = signature.size();
    EXPECT_EQ(
        EVP_DigestSign(signing.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()),
        1);
    signature.resize(size);
    if (EVP_PKEY_is_a(key, "EC") == 1) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
      const std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> der(
          d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(size)));
      std::string raw(64, '\0');
      BN_bn2binpad(ECDSA_SIG_get0_r(der.get()), reinterpret_cast<unsigned char*>(raw.data()), 32);
      BN_bn2binpad(ECDSA_SIG_get0_s(der.get()), reinterpret_cast<unsigned char*>(raw.data()) + 32,
                   32);
      signature = raw;
    }
    return text + "." + base64url(signature);
  }

  static std::string claims(const std::string& more = "") {
    return R"({"iss":"https://i","aud":["other","us"],"sub":"repo:a/b",)"
           R"("exp":1800000600,"nbf":1800000000,)"
           R"("repository":"a/b","protected":true,"groups":["x","y"])" +
           more + "}";
  }

  static Result<JwtClaims> verify(const std::string& token, std::string_view audience = "us",
                                  Millis now = kNow) {
    const Result<Jwks> keys = Jwks::parse(jwks());
    EXPECT_TRUE(keys.ok());
    return verify_jwt(token,
                      {.issuer = "https://i", .audience = audience, .keys = *keys, .now = now});
  }
  static std::string reason(const std::string& token, std::string_view audience = "us",
                            Millis now = kNow) {
    const Result<JwtClaims> verified = verify(token, audience, now);
    return verified ? "" : verified.error().reason;
  }

  static inline Key rsa_;
  static inline Key ec_;
};

constexpr const char* kRs = R"({"alg":"RS256","kid":"r"})";
constexpr const char* kEs = R"({"alg":"ES256","kid":"e"})";

TEST_F(Jwts, GoodOnesSayWhoTheyAre) {
  for (const std::string& token :
       {sign(rsa_.get(), kRs, claims()), sign(ec_.get(), kEs, claims())}) {
    const Result<JwtClaims> good = verify(token);
    ASSERT_TRUE(good.ok()) << good.error().message;
    EXPECT_EQ(good->subject, "repo:a/b");
    EXPECT_EQ(good->expires, Millis{1'800'000'600'000});
    EXPECT_EQ(good->values.at("repository"), std::vector<std::string>{"a/b"});
    EXPECT_EQ(good->values.at("protected"), std::vector<std::string>{"true"});
    EXPECT_EQ(good->values.at("groups"), (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(*claimed_issuer(token), "https://i");
  }
}

TEST_F(Jwts, BadOnesAreRefusedEachForItsReason) {
  EVP_PKEY* rsa = rsa_.get();
  EVP_PKEY* ec = ec_.get();
  const std::string good = sign(rsa, kRs, claims());
  const std::string signature = good.substr(good.rfind('.'));
  const Key other(EVP_EC_gen("P-256"));
  const struct {
    const char* what;
    std::string token;
    const char* reason;
  } rows[] = {
      {"none", base64url(R"({"alg":"none","kid":"r"})") + "." + base64url(claims()) + ".",
       "JWT_ALGORITHM"},
      {"HS256", sign(rsa, R"({"alg":"HS256","kid":"r"})", claims()), "JWT_ALGORITHM"},
      {"secret key of the set", sign(rsa, R"({"alg":"HS256","kid":"secret"})", claims()),
       "JWT_ALGORITHM"},
      {"PS256", sign(rsa, R"({"alg":"PS256","kid":"r"})", claims()), "JWT_ALGORITHM"},
      {"alg is a list", sign(rsa, R"({"alg":["RS256"],"kid":"r"})", claims()), "JWT_ALGORITHM"},
      {"ES256 with the RSA key", sign(ec, R"({"alg":"ES256","kid":"r"})", claims()), "JWT_KEY"},
      {"RS256 with the EC key", sign(rsa, R"({"alg":"RS256","kid":"e"})", claims()), "JWT_KEY"},
      {"a key too small", sign(rsa, R"({"alg":"RS256","kid":"small"})", claims()), "JWT_KEY"},
      {"no kid", sign(rsa, R"({"alg":"RS256"})", claims()), "JWT_KEY"},
      {"kid is a number", sign(rsa, R"({"alg":"RS256","kid":1})", claims()), "JWT_KEY"},
      {"crit", sign(rsa, R"({"alg":"RS256","kid":"r","crit":["x"]})", claims()), "JWT_MALFORMED"},
      {"another signer", sign(other.get(), kEs, claims()), "JWT_SIGNATURE"},
      {"another body", base64url(kRs) + "." + base64url(claims(R"(,"x":1)")) + signature,
       "JWT_SIGNATURE"},
      {"no signature", good.substr(0, good.rfind('.') + 1), "JWT_SIGNATURE"},
      {"zeros", base64url(kEs) + "." + base64url(claims()) + "." + base64url(std::string(64, '\0')),
       "JWT_SIGNATURE"},
      {"short", base64url(kEs) + "." + base64url(claims()) + "." + base64url(std::string(63, 'x')),
       "JWT_SIGNATURE"},
      {"issuer", sign(rsa, kRs, R"({"iss":"https://j","aud":"us","sub":"s","exp":1800000600})"),
       "JWT_ISSUER"},
      {"no end", sign(rsa, kRs, R"({"iss":"https://i","aud":"us","sub":"s"})"), "JWT_MALFORMED"},
      {"negative end", sign(rsa, kRs, R"({"iss":"https://i","aud":"us","sub":"s","exp":-1})"),
       "JWT_MALFORMED"},
      {"end of all time", sign(rsa, kRs, R"({"iss":"https://i","aud":"us","sub":"s","exp":1e300})"),
       "JWT_MALFORMED"},
      {"nbf is text",
       sign(rsa, kRs, R"({"iss":"https://i","aud":"us","sub":"s","exp":1800000600,"nbf":"x"})"),
       "JWT_MALFORMED"},
      {"no subject", sign(rsa, kRs, R"({"iss":"https://i","aud":"us","exp":1800000600})"),
       "JWT_MALFORMED"},
      {"aud is an object",
       sign(rsa, kRs, R"({"iss":"https://i","aud":{"us":1},"sub":"s","exp":1800000600})"),
       "JWT_AUDIENCE"},
      {"two parts", "a.b", "JWT_MALFORMED"},
      {"four parts", "a.b.c.d", "JWT_MALFORMED"},
      {"padding", base64url(kRs) + "=." + base64url(claims()) + ".AA", "JWT_MALFORMED"},
      {"huge", std::string(kJwtBytesMax, 'a') + "..", "JWT_MALFORMED"},
  };
  for (const auto& row : rows) EXPECT_EQ(reason(row.token), row.reason) << row.what;
  EXPECT_EQ(reason(good, "them"), "JWT_AUDIENCE");
  EXPECT_EQ(reason(good, "us", kNow + Millis{631'000}), "JWT_EXPIRED");
  EXPECT_EQ(reason(good, "us", kNow + Millis{629'000}), "") << "clocks differ";
  EXPECT_EQ(reason(good, "us", kNow - Millis{31'000}), "JWT_NOT_YET");
}

TEST_F(Jwts, SetsOfKeysAreReadOrRefusedWhole) {
  EXPECT_EQ(Jwks::parse(jwks())->size(), 2U) << "what cannot be used is left out";
  for (const char* bad : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})",
                          R"({"keys":[{"kty":"oct","kid":"a","k":"AA"}]})",
                          R"({"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"AA","y":"AA"}]})"}) {
    EXPECT_FALSE(Jwks::parse(bad).ok()) << bad;
  }
  // Not on the curve.
  const std::string zeros = base64url(std::string(32, '\0'));
  EXPECT_FALSE(Jwks::parse(R"({"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":")" + zeros +
                           R"(","y":")" + zeros + R"("}]})")
                   .ok());
  const std::string twice = jwks();
  std::string same = twice;
  same.replace(same.find(R"("kid":"e")"), 9, R"("kid":"r")");
  EXPECT_EQ(Jwks::parse(same).error().reason, "JWKS_INVALID");
}

TEST(Base64url, EachValueHasOneText) {
  EXPECT_EQ(*from_base64url("AQAB"), (Bytes{1, 0, 1}));
  EXPECT_EQ(*from_base64url("_-8"), (Bytes{0xff, 0xef}));
  EXPECT_EQ(*from_base64url(""), Bytes{});
  for (const char* bad : {"A", "AQAB=", "A+AB", "A/AB", "AQ AB", "AB", "AAB"}) {
    EXPECT_FALSE(from_base64url(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace covey::access
