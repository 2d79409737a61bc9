// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/jwt.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/freed.hpp"
#include "gateway/access/base64url.hpp"

namespace covey::access {
namespace {

using nlohmann::json;
using Digesting = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

constexpr size_t kEs256Bytes = 64;  // RFC 7518, section 3.4: r and s, 32 bytes each
constexpr size_t kClaimsMax = 128;
constexpr double kSecondsMax = 253'402'300'799.0;  // the end of the year 9999

Error refused(std::string reason, std::string message) {
  return {Code::kUnauthenticated, std::move(reason), "the JWT is refused: " + std::move(message)};
}
Error malformed(std::string message) { return refused("JWT_MALFORMED", std::move(message)); }

struct Parts {
  std::string_view signed_text;  // header and payload, as they were signed
  json header;
  json payload;
  Bytes signature;
};

std::optional<json> object_of(std::string_view text) {
  const std::optional<Bytes> bytes = from_base64url(text);
  if (!bytes) return std::nullopt;
  json document = json::parse(bytes->begin(), bytes->end(), nullptr, false);
  if (!document.is_object()) return std::nullopt;
  return document;
}

Result<Parts> parts_of(std::string_view token) {
  if (token.size() > kJwtBytesMax) {
    return malformed(fmt::format("{} bytes, at most {}", token.size(), kJwtBytesMax));
  }
  if (!looks_like_jwt(token)) return malformed("not three parts with dots between");
  const size_t first = token.find('.');
  const size_t second = token.rfind('.');
  std::optional<json> header = object_of(token.substr(0, first));
  std::optional<json> payload = object_of(token.substr(first + 1, second - first - 1));
  std::optional<Bytes> signature = from_base64url(token.substr(second + 1));
  if (!header) return malformed("its header is no JSON object in base64url");
  if (!payload) return malformed("its payload is no JSON object in base64url");
  if (!signature) return malformed("its signature is no base64url");
  return Parts{token.substr(0, second), *std::move(header), *std::move(payload),
               *std::move(signature)};
}

std::string text_at(const json& object, const char* name) {
  const auto field = object.find(name);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

// ECDSA's two numbers as OpenSSL wants them.
Bytes der_of(const Bytes& signature) {
  constexpr int kHalf = kEs256Bytes / 2;
  const Signature made(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(signature.data(), kHalf, nullptr);
  BIGNUM* s = BN_bin2bn(signature.data() + kHalf, kHalf, nullptr);
  if (!made || r == nullptr || s == nullptr || ECDSA_SIG_set0(made.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(made.get(), &bytes);
  Bytes der(bytes, bytes + std::max(size, 0));
  OPENSSL_free(bytes);
  return der;
}

bool is_signed_by(const JwtKey& key, const Parts& parts) {
  Bytes signature = parts.signature;
  if (key.algorithm == JwtAlgorithm::kEs256) {
    if (signature.size() != kEs256Bytes) return false;
    signature = der_of(signature);
  }
  const Digesting digesting(EVP_MD_CTX_new());
  const bool good =
      digesting && !signature.empty() &&
      EVP_DigestVerifyInit(digesting.get(), nullptr, EVP_sha256(), nullptr, key.key.get()) == 1 &&
      EVP_DigestVerify(digesting.get(), signature.data(), signature.size(),
                       reinterpret_cast<const unsigned char*>(parts.signed_text.data()),
                       parts.signed_text.size()) == 1;
  ERR_clear_error();
  return good;
}

Status check_signature(const Parts& parts, const Jwks& keys) {
  const std::string algorithm = text_at(parts.header, "alg");
  if (algorithm != "RS256" && algorithm != "ES256") {
    return refused("JWT_ALGORITHM",
                   fmt::format("alg is '{}'; RS256 and ES256 are taken", algorithm.substr(0, 16)));
  }
  // RFC 7515, section 4.1.11: what is not understood must not be passed over.
  if (parts.header.contains("crit")) return malformed("it has critical extensions");
  const std::string id = text_at(parts.header, "kid");
  const JwtKey* key = id.empty() ? nullptr : keys.find(id);
  if (key == nullptr) {
    return refused("JWT_KEY",
                   "its key (kid) is not in the issuer's jwks_file: has the issuer "
                   "changed keys?");
  }
  if ((key->algorithm == JwtAlgorithm::kRs256) != (algorithm == "RS256")) {
    return refused("JWT_KEY", "its key is for another algorithm");
  }
  if (!is_signed_by(*key, parts)) return refused("JWT_SIGNATURE", "its signature is not good");
  return {};
}

// RFC 7519, section 2: seconds since 1970, perhaps with a fraction. None: there is none, or
// nonsense.
std::optional<Millis> time_at(const json& payload, const char* name) {
  const auto field = payload.find(name);
  if (field == payload.end() || !field->is_number()) return std::nullopt;
  const double seconds = field->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kSecondsMax) return std::nullopt;
  return Millis{static_cast<int64_t>(seconds * 1000)};
}

Status check_time(const json& payload, Millis now) {
  const std::optional<Millis> end = time_at(payload, "exp");
  if (!end) return malformed("it has no end (exp)");
  if (now >= *end + kJwtSlack) return refused("JWT_EXPIRED", "it has expired");
  if (payload.contains("nbf")) {
    const std::optional<Millis> begin = time_at(payload, "nbf");
    if (!begin) return malformed("nbf is no time");
    if (now < *begin - kJwtSlack) {
      return refused("JWT_NOT_YET", "its time has not begun (nbf): is this machine's clock right?");
    }
  }
  return {};
}

// What a claim says, as texts.
std::vector<std::string> texts_of(const json& value) {
  std::vector<std::string> texts;
  const auto add = [&](const json& one) {
    if (one.is_string()) texts.push_back(one.get<std::string>());
    if (one.is_boolean() || one.is_number()) texts.push_back(one.dump());
  };
  if (value.is_array()) {
    for (const json& one : value) add(one);
  } else {
    add(value);
  }
  return texts;
}

}  // namespace

bool looks_like_jwt(std::string_view token) {
  return std::count(token.begin(), token.end(), '.') == 2;
}

Result<std::string> claimed_issuer(std::string_view token) {
  const Result<Parts> parts = parts_of(token);
  if (!parts) return parts.error();
  std::string issuer = text_at(parts->payload, "iss");
  if (issuer.empty()) return malformed("it has no issuer (iss)");
  return issuer;
}

Result<JwtClaims> verify_jwt(std::string_view token, const JwtExpected& expected) {
  const Result<Parts> parts = parts_of(token);
  if (!parts) return parts.error();
  if (const Status good = check_signature(*parts, expected.keys); !good) return good.error();
  const json& payload = parts->payload;
  if (text_at(payload, "iss") != expected.issuer) {
    return refused("JWT_ISSUER", "its issuer (iss) is another");
  }
  const auto audience = payload.find("aud");
  const std::vector<std::string> meant =
      audience == payload.end() ? std::vector<std::string>() : texts_of(*audience);
  if (std::find(meant.begin(), meant.end(), expected.audience) == meant.end()) {
    return refused(
        "JWT_AUDIENCE",
        fmt::format("it is not for {} (aud): ask its issuer for one that is", expected.audience));
  }
  if (const Status in_time = check_time(payload, expected.now); !in_time) return in_time.error();
  JwtClaims claims;
  claims.subject = text_at(payload, "sub");
  claims.expires = *time_at(payload, "exp");
  if (claims.subject.empty()) return malformed("it has no subject (sub)");
  if (payload.size() > kClaimsMax) return malformed(fmt::format("over {} claims", kClaimsMax));
  for (const auto& [name, value] : payload.items()) claims.values[name] = texts_of(value);
  return claims;
}

}  // namespace covey::access
