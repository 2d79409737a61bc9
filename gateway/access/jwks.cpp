// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/jwks.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/freed.hpp"
#include "gateway/access/base64url.hpp"

namespace covey::access {
namespace {

using nlohmann::json;
using Key = std::shared_ptr<EVP_PKEY>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using Making = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;

constexpr size_t kModulusBytesMin = 256;
constexpr size_t kModulusBytesMax = 1024;
constexpr size_t kExponentBytesMax = 4;
constexpr size_t kCoordinateBytes = 32;
constexpr size_t kIdBytesMax = 256;

std::string text_in(const json& object, const char* name) {
  const auto field = object.find(name);
  return field != object.end() && field->is_string() ? field->get<std::string>() : std::string();
}

std::optional<Bytes> bytes_in(const json& object, const char* name) {
  const std::string text = text_in(object, name);
  if (text.empty() || text.size() > 2 * kModulusBytesMax) return std::nullopt;
  return from_base64url(text);
}

Key made_of(const char* kind, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const Making making(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !making || EVP_PKEY_fromdata_init(making.get()) != 1 ||
      EVP_PKEY_fromdata(making.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  Key made(key, EVP_PKEY_free);
  const Making checking(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!checking || EVP_PKEY_public_check(checking.get()) != 1) made.reset();
  ERR_clear_error();
  return made;
}

Key rsa_key(const json& object) {
  const std::optional<Bytes> modulus = bytes_in(object, "n");
  const std::optional<Bytes> exponent = bytes_in(object, "e");
  if (!modulus || modulus->size() < kModulusBytesMin || modulus->size() > kModulusBytesMax ||
      modulus->front() == 0 || !exponent || exponent->empty() ||
      exponent->size() > kExponentBytesMax) {
    return nullptr;
  }
  const Number n(BN_bin2bn(modulus->data(), static_cast<int>(modulus->size()), nullptr));
  const Number e(BN_bin2bn(exponent->data(), static_cast<int>(exponent->size()), nullptr));
  // 1 would make every signature its own message.
  if (!n || !e || BN_num_bits(n.get()) < 2048 || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()))
    return nullptr;
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return made_of("RSA", builder.get());
}

Key ec_key(const json& object) {
  const std::optional<Bytes> x = bytes_in(object, "x");
  const std::optional<Bytes> y = bytes_in(object, "y");
  if (text_in(object, "crv") != "P-256" || !x || !y || x->size() != kCoordinateBytes ||
      y->size() != kCoordinateBytes) {
    return nullptr;
  }
  Bytes point{4};  // SEC 1, section 2.3.3: not compressed
  point.insert(point.end(), x->begin(), x->end());
  point.insert(point.end(), y->begin(), y->end());
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return made_of("EC", builder.get());
}

std::optional<JwtKey> key_of(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const std::string id = text_in(object, "kid");
  const std::string use = text_in(object, "use");
  const std::string algorithm = text_in(object, "alg");
  const std::string type = text_in(object, "kty");
  if (id.empty() || id.size() > kIdBytesMax || (!use.empty() && use != "sig")) return std::nullopt;
  JwtKey made{.id = id, .algorithm = JwtAlgorithm::kRs256, .key = nullptr};
  if (type == "RSA" && (algorithm.empty() || algorithm == "RS256")) {
    made.key = rsa_key(object);
  } else if (type == "EC" && (algorithm.empty() || algorithm == "ES256")) {
    made.algorithm = JwtAlgorithm::kEs256;
    made.key = ec_key(object);
  }
  if (!made.key) return std::nullopt;
  return made;
}

}  // namespace

Result<Jwks> Jwks::parse(std::string_view text) {
  const auto bad = [](std::string_view what) {
    return invalid("JWKS_INVALID", fmt::format("no JSON Web Key Set (RFC 7517): {}", what));
  };
  if (text.size() > kBytesMax) return bad(fmt::format("more than {} bytes", kBytesMax));
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return bad("not a JSON object");
  const auto list = document.find("keys");
  if (list == document.end() || !list->is_array()) return bad("`keys` is not a list");
  Jwks set;
  for (const json& object : *list) {
    std::optional<JwtKey> key = key_of(object);
    if (!key) continue;
    if (set.find(key->id) != nullptr) return bad(fmt::format("two keys are called {}", key->id));
    if (set.keys_.size() == kKeysMax) return bad(fmt::format("more than {} keys", kKeysMax));
    set.keys_.push_back(*std::move(key));
  }
  if (set.keys_.empty()) {
    return bad("no key for RS256 (RSA, 2048 bits or more) or ES256 (P-256) with an id");
  }
  return set;
}

const JwtKey* Jwks::find(std::string_view id) const {
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [&](const JwtKey& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace covey::access
