// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/certificates.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include "core/freed.hpp"
#include "gateway/adapters/tls/openssl_objects.hpp"

namespace covey::tls {
namespace {

using AlternativeNames = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

constexpr int kSerialBits = 127;  // RFC 5280, section 4.1.2.2: positive, at most 20 octets
constexpr Millis kDay{24h};

// An encrypted key is refused: nobody is there to type.
int no_password(char*, int, int, void*) { return -1; }

Millis millis_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Millis{0};
  return std::chrono::seconds{timegm(&parts)};
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, name.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), ignored.data()) == 1;
}

// "DNS:gateway.plant,IP:10.0.0.5".
std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", is_address(name) ? "IP" : "DNS", name);
  }
  return text;
}

// A new key and a certificate of it, with random serial number and name, not signed yet.
struct Begun {
  Key key;
  Certificate certificate;
};
Result<Begun> new_certificate(std::string_view common_name) {
  Begun begun{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  const Number serial(BN_new());
  if (!begun.key || !begun.certificate || !serial) return failed("a key");
  if (BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1) {
    return Error{Code::kInternal, "NO_RANDOMNESS", "the system's random source does not answer"};
  }
  X509* certificate = begun.certificate.get();
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  if (X509_set_version(certificate, X509_VERSION_3) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) == nullptr ||
      X509_set_pubkey(certificate, begun.key.get()) != 1 ||
      X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text,
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    return failed("a certificate");
  }
  return begun;
}

Result<Credentials> finish(const Begun& begun, EVP_PKEY* issuer) {
  if (X509_sign(begun.certificate.get(), issuer, EVP_sha256()) == 0) return failed("a signature");
  Credentials made;
  made.key = written([&](BIO* to) {
    return PEM_write_bio_PKCS8PrivateKey(to, begun.key.get(), nullptr, nullptr, 0, nullptr,
                                         nullptr);
  });
  made.certificate =
      written([&](BIO* to) { return PEM_write_bio_X509(to, begun.certificate.get()); });
  if (made.key.empty() || made.certificate.empty()) return failed("PEM");
  return made;
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const AlternativeNames all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) {
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      if (inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text.data(), text.size())) {
        names.emplace_back(text.data());
      }
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<Key> key_of(std::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(reading(pem).get(), nullptr, no_password, nullptr));
  if (key) return key;
  return invalid("KEY_INVALID",
                 fmt::format("no private key in PEM without a password: {}", openssl_said()));
}

Result<Certificate> certificate_of(std::string_view pem) {
  Certificate certificate(PEM_read_bio_X509(reading(pem).get(), nullptr, no_password, nullptr));
  if (certificate) return certificate;
  return invalid("CERTIFICATE_INVALID", fmt::format("no certificate in PEM: {}", openssl_said()));
}

Result<Credentials> make_authority(std::string_view site) {
  Result<Begun> begun = new_certificate(fmt::format("Covey site {}", site.substr(0, 48)));
  if (!begun) return begun.error();
  X509* certificate = begun->certificate.get();
  // Whatever this machine's clock says at its first start.
  if (ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20200101000000Z") != 1 ||
      ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") != 1 ||
      X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
      !add_extension(certificate, certificate, NID_basic_constraints,
                     "critical,CA:TRUE,pathlen:0") ||
      !add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(certificate, certificate, NID_subject_key_identifier, "hash")) {
    return failed("the site's authority");
  }
  return finish(*begun, begun->key.get());
}

Result<Credentials> issue_server(const Credentials& authority,
                                 const std::vector<std::string>& names, Millis now,
                                 Millis lifetime) {
  const Result<Certificate> issuer = certificate_of(authority.certificate);
  if (!issuer) return issuer.error();
  const Result<Key> issuer_key = key_of(authority.key);
  if (!issuer_key) return issuer_key.error();
  if (names.empty()) return invalid("CERTIFICATE_INVALID", "a server has a name or an address");
  Result<Begun> begun =
      new_certificate("Covey gateway");  // what a client compares are the names below
  if (!begun) return begun.error();
  X509* certificate = begun->certificate.get();
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), seconds_of(now - kDay)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate), seconds_of(now + lifetime)) == nullptr ||
      X509_set_issuer_name(certificate, X509_get_subject_name(issuer->get())) != 1 ||
      !add_extension(certificate, issuer->get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(certificate, issuer->get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(certificate, issuer->get(), NID_ext_key_usage, "serverAuth") ||
      !add_extension(certificate, issuer->get(), NID_subject_key_identifier, "hash") ||
      !add_extension(certificate, issuer->get(), NID_authority_key_identifier, "keyid:always") ||
      !add_extension(certificate, issuer->get(), NID_subject_alt_name,
                     alternative_names(names).c_str())) {
    return failed("the server's certificate");
  }
  return finish(*begun, issuer_key->get());
}

Result<CertificateFacts> facts_of(std::string_view pem) {
  const Result<Certificate> certificate = certificate_of(pem);
  if (!certificate) return certificate.error();
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate->get(), EVP_sha256(), digest.data(), &size) != 1) {
    return failed("a digest");
  }
  CertificateFacts facts;
  for (unsigned int i = 0; i < size; ++i) {
    facts.fingerprint += fmt::format("{}{:02X}", i == 0 ? "" : ":", digest[i]);
  }
  facts.not_before = millis_of(X509_get0_notBefore(certificate->get()));
  facts.not_after = millis_of(X509_get0_notAfter(certificate->get()));
  facts.names = names_of(certificate->get());
  facts.authority = X509_check_ca(certificate->get()) == 1;
  return facts;
}

Status check_pair(const Credentials& credentials) {
  const Result<Certificate> certificate = certificate_of(credentials.certificate);
  if (!certificate) return certificate.error();
  const Result<Key> key = key_of(credentials.key);
  if (!key) return key.error();
  if (X509_check_private_key(certificate->get(), key->get()) == 1) return {};
  ERR_clear_error();
  return invalid("KEY_MISMATCH", "the key is not the certificate's");
}

bool issued_by(const Credentials& authority, std::string_view pem) {
  const Result<Certificate> issuer = certificate_of(authority.certificate);
  const Result<Certificate> certificate = certificate_of(pem);
  if (!issuer || !certificate) return false;
  const bool good = X509_verify(certificate->get(), X509_get0_pubkey(issuer->get())) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace covey::tls
