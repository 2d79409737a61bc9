// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/manufacturers.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <map>

#include "core/limits.hpp"
#include "gateway/adapters/tls/certificates.hpp"
#include "gateway/adapters/tls/openssl_objects.hpp"
#include "gateway/adapters/tls/points.hpp"

namespace covey::tls {
namespace {

using TrustedStore = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using Verification = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
using DeviceNames = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using Parameters = X509_VERIFY_PARAM;

Error bad_certificate(std::string_view why) {
  ERR_clear_error();
  return invalid("CERTIFICATE_INVALID", std::string(why));
}

// All of the bytes, and nothing behind them.
Certificate certificate_of_der(ByteView der) {
  const unsigned char* at = der.data();
  Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate && at != der.data() + der.size()) certificate.reset();
  if (!certificate) ERR_clear_error();
  return certificate;
}

Bytes certificate_digest(const X509* certificate) {
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) size = 0;
  digest.resize(size);
  return digest;
}

// The bytes as they are: what has a NUL, a wildcard or a slash inside is no device's id.
std::string raw_text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> device_names_of(X509* certificate) {
  std::vector<std::string> names;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    names.push_back(raw_text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  }
  if (!names.empty()) return names;
  const DeviceNames all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) names.push_back(raw_text_of(name->d.dNSName));
  }
  return names;
}

Status check_device_name(X509* certificate, const DeviceId& device) {
  const std::vector<std::string> names = device_names_of(certificate);
  if (names.size() == 1 && names.front() == device.str()) return {};
  const char* why = names.empty()      ? "it has no name (CN, or a DNS name)"
                    : names.size() > 1 ? "it has several names"
                    : DeviceId::parse(names.front())
                        ? "it is another device's"
                        : "its name has characters that no device's id has";
  return invalid("CERTIFICATE_NAME",
                 fmt::format("the certificate is not {}'s: {}", device.str(), why));
}

}  // namespace

Result<AuthorityCertificate> authority_certificate(std::string_view text) {
  Certificate certificate;
  if (text.starts_with("-----")) {
    Result<Certificate> read = certificate_of(text);
    if (!read) return read.error();
    certificate = *std::move(read);
    if (text.find("-----BEGIN", 1) != std::string_view::npos) {
      return bad_certificate("more than one certificate: give the authority's alone");
    }
  } else {
    certificate = certificate_of_der({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  if (!certificate) return bad_certificate("no certificate in PEM or DER");
  if (X509_check_ca(certificate.get()) != 1) {
    return bad_certificate(
        "it is no authority's: basicConstraints must say CA, and keyUsage keyCertSign");
  }
  if (EVP_PKEY_get_security_bits(X509_get0_pubkey(certificate.get())) < 112) {
    return bad_certificate("its key is too weak: at least RSA with 2,048 bits, or P-256");
  }
  AuthorityCertificate made;
  made.der.resize(static_cast<size_t>(std::max(0, i2d_X509(certificate.get(), nullptr))));
  if (made.der.empty() || made.der.size() > kAuthorityBytesMax) {
    return bad_certificate(
        fmt::format("{} bytes in DER, at most {}", made.der.size(), kAuthorityBytesMax));
  }
  unsigned char* at = made.der.data();
  i2d_X509(certificate.get(), &at);
  made.subject = written([&](BIO* to) {
    return X509_NAME_print_ex(to, X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253) >= 0
               ? 1
               : 0;
  });
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) == 1) {
    made.not_after = std::chrono::seconds{timegm(&parts)};
  }
  return made;
}

struct Manufacturers::Store {
  TrustedStore trust{X509_STORE_new()};
  std::map<Bytes, std::string> names;  // by digest
};

Manufacturers::Manufacturers(const std::vector<Manufacturer>& trusted) {
  auto store = std::make_shared<Store>();
  for (const Manufacturer& one : trusted) {
    const Certificate certificate = certificate_of_der(one.certificate);
    if (!certificate || X509_STORE_add_cert(store->trust.get(), certificate.get()) != 1) continue;
    store->names.emplace(certificate_digest(certificate.get()), one.name);
  }
  store_ = std::move(store);
}

Result<ManufacturedDevice> Manufacturers::device_of(ByteView der, const DeviceId& device,
                                                    Millis now) const {
  if (der.size() > kDeviceCertificateBytesMax) {
    return bad_certificate(fmt::format("manufacturer_certificate: {} bytes, at most {}", der.size(),
                                       kDeviceCertificateBytesMax));
  }
  const Certificate certificate = certificate_of_der(der);
  if (!certificate) return bad_certificate("manufacturer_certificate: no X.509 in DER");
  EVP_PKEY* const key = X509_get0_pubkey(certificate.get());
  ManufacturedDevice made;
  if (key != nullptr) made.key = point_of_key(key);
  if (made.key.empty())
    return bad_certificate("manufacturer_certificate: its key must be one of P-256");
  if (Status name = check_device_name(certificate.get(), device); !name) return name.error();
  made.digest = certificate_digest(certificate.get());
  made.why_not = "no manufacturer is trusted";
  if (!store_ || store_->names.empty()) return made;

  const Verification verification(X509_STORE_CTX_new());
  if (!verification || X509_STORE_CTX_init(verification.get(), store_->trust.get(),
                                           certificate.get(), nullptr) != 1) {
    return failed("a verification");
  }
  Parameters* const parameters = X509_STORE_CTX_get0_param(verification.get());
  // Not strict: that asks for key identifiers, which small certificates leave out.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT);
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);  // 112 bits
  X509_VERIFY_PARAM_set_time(parameters, seconds_of(now));
  if (X509_verify_cert(verification.get()) != 1) {
    made.why_not = X509_verify_cert_error_string(X509_STORE_CTX_get_error(verification.get()));
    ERR_clear_error();
    return made;
  }
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verification.get());
  // One that is trusted itself has issued nothing.
  if (sk_X509_num(chain) > 1) {
    const X509* top = sk_X509_value(chain, sk_X509_num(chain) - 1);
    if (const auto found = store_->names.find(certificate_digest(top));
        found != store_->names.end()) {
      made.authority = found->second;
      made.why_not.clear();
    }
  }
  return made;
}

}  // namespace covey::tls
