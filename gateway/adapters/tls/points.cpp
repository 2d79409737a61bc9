// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/points.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>

#include "gateway/adapters/tls/device_certificates.hpp"

namespace covey::tls {
namespace {

constexpr uint8_t kUncompressed = 4;  // SEC 1, section 2.3.4

}  // namespace

Key key_of_point(ByteView point) {
  if (point.size() != kPointBytes || point.front() != kUncompressed) return nullptr;
  Bytes copy(point.begin(), point.end());
  std::array<char, 6> group{"P-256"};
  const std::array<OSSL_PARAM, 3> params{
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      OSSL_PARAM_construct_end()};
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(params.data())) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return Key(key);
}

Bytes point_of_key(const EVP_PKEY* key) {
  std::array<char, 32> group{};
  size_t size = 0;
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
      EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1 ||
      std::string_view(group.data(), size) != "prime256v1") {
    ERR_clear_error();
    return {};
  }
  Bytes point(kPointBytes);
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                      &size) != 1 ||
      size != kPointBytes || point.front() != kUncompressed) {
    ERR_clear_error();
    return {};
  }
  return point;
}

}  // namespace covey::tls
