// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/keys/manufacturer.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <cstdio>

#include "device_agent/simulator/keys/openssl_objects.hpp"

namespace covey::simulator {
namespace {

constexpr long kTenYears = 3650L * 24 * 3600;

Error no_manufacturer(std::string_view why) {
  return Error{Code::kUnavailable, "MANUFACTURER", std::string(why)};
}

}  // namespace

Result<std::unique_ptr<Manufacturer>> Manufacturer::load(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"));
  auto maker = std::make_unique<Manufacturer>();
  if (file) maker->key_ = PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr);
  if (file) std::rewind(file.get());
  if (file) maker->certificate_ = PEM_read_X509(file.get(), nullptr, nullptr, nullptr);
  if (maker->key_ != nullptr && maker->certificate_ != nullptr) return maker;
  return no_manufacturer(
      fmt::format("{}: must be a file with private key and certificate in PEM", path));
}

Manufacturer::~Manufacturer() {
  EVP_PKEY_free(key_);
  X509_free(certificate_);
}

Result<std::vector<uint8_t>> Manufacturer::certify(const std::string& id, evp_pkey_st* key) const {
  const Certificate made(X509_new());
  X509* const certificate = made.get();
  unsigned char serial = 0;
  if (certificate == nullptr || RAND_bytes(&serial, 1) != 1 ||
      X509_set_version(certificate, X509_VERSION_3) != 1 ||
      ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial + 1) != 1 ||
      X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(id.data()),
                                 static_cast<int>(id.size()), -1, 0) != 1 ||
      X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(certificate), kTenYears) == nullptr ||
      X509_set_issuer_name(certificate, X509_get_subject_name(certificate_)) != 1 ||
      X509_set_pubkey(certificate, key) != 1 || X509_sign(certificate, key_, EVP_sha256()) == 0) {
    return no_manufacturer(fmt::format("no certificate for {} could be made", id));
  }
  std::vector<uint8_t> der(static_cast<size_t>(i2d_X509(certificate, nullptr)));
  unsigned char* at = der.data();
  i2d_X509(certificate, &at);
  return der;
}

}  // namespace covey::simulator
