// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/device_certificates.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "gateway/adapters/tls/openssl_objects.hpp"
#include "gateway/adapters/tls/points.hpp"

namespace covey::tls {
namespace {

using Request = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using RevocationList = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using Time = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Freed<ASN1_INTEGER_free>>;
using Revoked = std::unique_ptr<X509_REVOKED, Freed<X509_REVOKED_free>>;

constexpr Millis kBeforeAnyClock{std::chrono::seconds{1'577'836'800}};  // 2020-01-01
constexpr const char* kNoEnd = "99991231235959Z";                       // RFC 5280, section 4.1.2.5

Error refused(std::string_view why) {
  return invalid("REQUEST_INVALID", fmt::format("certificate_request: {}", why));
}

// The bytes as they are: a NUL or another name inside is not the device's id.
bool names(const X509_NAME* subject, const DeviceId& device) {
  const int entries = X509_NAME_entry_count(subject);
  if (entries == 0) return true;
  const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, 0);
  if (entries != 1 || OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != NID_commonName)
    return false;
  const ASN1_STRING* text = X509_NAME_ENTRY_get_data(entry);
  const std::string_view name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                              static_cast<size_t>(ASN1_STRING_length(text)));
  return name == device.str();
}

Integer integer_of(const Serial& serial) {
  const Number number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  return number ? Integer(BN_to_ASN1_INTEGER(number.get(), nullptr)) : nullptr;
}

Bytes der_of(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  Bytes der(static_cast<size_t>(size));
  unsigned char* at = der.data();
  i2d_X509(certificate, &at);
  return der;
}

}  // namespace

Status check_point(ByteView point) {
  if (key_of_point(point)) return {};
  return invalid("REQUEST_INVALID", "public_key: no uncompressed point of P-256 (65 bytes)");
}

Result<Bytes> key_of_request(ByteView der, const DeviceId& device) {
  if (der.size() > kRequestBytesMax) {
    return refused(fmt::format("{} bytes, at most {}", der.size(), kRequestBytesMax));
  }
  const unsigned char* at = der.data();
  const Request request(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  if (!request || at != der.data() + der.size()) {
    ERR_clear_error();
    return refused("no PKCS#10 request in DER");
  }
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  Bytes point = key == nullptr ? Bytes{} : point_of_key(key);
  if (point.empty()) {
    ERR_clear_error();
    return refused("its key must be one of P-256, uncompressed");
  }
  if (X509_REQ_verify(request.get(), key) != 1) {
    ERR_clear_error();
    return refused("its signature is not by its key");
  }
  if (!names(X509_REQ_get_subject_name(request.get()), device)) {
    return refused("its subject must be the device's id alone (CN), or empty");
  }
  return point;
}

struct DeviceAuthority::Keys {
  Key key;
  Certificate certificate;
};

Result<DeviceAuthority> DeviceAuthority::open(const Credentials& authority) {
  Result<Certificate> certificate = certificate_of(authority.certificate);
  if (!certificate) return certificate.error();
  Result<Key> key = key_of(authority.key);
  if (!key) return key.error();
  return DeviceAuthority(
      std::make_shared<const Keys>(Keys{*std::move(key), *std::move(certificate)}));
}

Result<Bytes> DeviceAuthority::issue(const DeviceCertificate& facts) const {
  const Key key = key_of_point(facts.key);
  const Certificate certificate(X509_new());
  const Integer serial = integer_of(facts.serial);
  X509* const made = certificate.get();
  X509* const issuer = keys_->certificate.get();
  if (!key || made == nullptr || !serial) return failed("a device's certificate");
  const std::string& id = facts.device.str();
  if (X509_set_version(made, X509_VERSION_3) != 1 ||
      X509_set_serialNumber(made, serial.get()) != 1 || X509_set_pubkey(made, key.get()) != 1 ||
      X509_NAME_add_entry_by_NID(X509_get_subject_name(made), NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(id.data()),
                                 static_cast<int>(id.size()), -1, 0) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(made), seconds_of(facts.not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(made), seconds_of(facts.not_after)) == nullptr ||
      X509_set_issuer_name(made, X509_get_subject_name(issuer)) != 1 ||
      !add_extension(made, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(made, issuer, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(made, issuer, NID_ext_key_usage, "clientAuth") ||
      !add_extension(made, issuer, NID_authority_key_identifier, "keyid:always") ||
      X509_sign(made, keys_->key.get(), EVP_sha256()) == 0) {
    return failed("a device's certificate");
  }
  Bytes der = der_of(made);
  if (der.empty()) return failed("a device's certificate");
  return der;
}

Result<std::string> DeviceAuthority::revocation_list(std::span<const Serial> serials,
                                                     uint32_t number) const {
  const RevocationList list(X509_CRL_new());
  const Time since(
      ASN1_TIME_set(nullptr, seconds_of(kBeforeAnyClock + std::chrono::seconds{number})));
  const Time until(ASN1_TIME_new());
  if (!list || !since || !until || ASN1_TIME_set_string(until.get(), kNoEnd) != 1 ||
      X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(keys_->certificate.get())) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), since.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), until.get()) != 1) {
    return failed("the list of revoked certificates");
  }
  for (const Serial& serial : serials) {
    const Integer integer = integer_of(serial);
    Revoked revoked(X509_REVOKED_new());
    if (!integer || !revoked || X509_REVOKED_set_serialNumber(revoked.get(), integer.get()) != 1 ||
        X509_REVOKED_set_revocationDate(revoked.get(), since.get()) != 1 ||
        X509_CRL_add0_revoked(list.get(), revoked.get()) != 1) {
      return failed("the list of revoked certificates");
    }
    (void)revoked.release();  // it is the list's
  }
  if (X509_CRL_sort(list.get()) != 1 ||
      X509_CRL_sign(list.get(), keys_->key.get(), EVP_sha256()) == 0) {
    return failed("the list of revoked certificates");
  }
  return written([&](BIO* to) { return PEM_write_bio_X509_CRL(to, list.get()); });
}

}  // namespace covey::tls
