// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/peer_certificate.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/freed.hpp"

namespace covey::tls {
namespace {

using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

constexpr size_t kNameBytesMax = 128;

std::string text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

std::vector<std::string> uris_of(X509* certificate) {
  std::vector<std::string> uris;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) uris.push_back(text_of(name->d.uniformResourceIdentifier));
  }
  return uris;
}

std::vector<std::string> common_names_of(X509* certificate) {
  std::vector<std::string> found;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    unsigned char* utf8 = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    found.emplace_back(reinterpret_cast<const char*>(utf8), static_cast<size_t>(size));
    OPENSSL_free(utf8);
  }
  return found;
}

bool is_plain(std::string_view name, bool uri) {
  constexpr std::string_view kBeside = "._-@";
  constexpr std::string_view kOfUri = ":/";
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
           return letter || (c >= '0' && c <= '9') || kBeside.find(c) != std::string_view::npos ||
                  (uri && kOfUri.find(c) != std::string_view::npos);
         });
}

Error bad_name(std::string_view why) {
  return {
      Code::kUnauthenticated, "CERTIFICATE_NAME",
      fmt::format("the certificate's name is not taken: {}; it must have one URI as alternative "
                  "name, or one common name of letters, digits and . _ - @, {} at most",
                  why, kNameBytesMax)};
}

Millis end_of(const X509* certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return Millis{0};
  return std::chrono::seconds{timegm(&parts)};
}

}  // namespace

Result<PeerCertificate> name_of_certificate(x509_st* certificate) {
  std::vector<std::string> names = uris_of(certificate);
  const bool uri = !names.empty();
  if (!uri) names = common_names_of(certificate);
  if (names.empty()) return bad_name("it has none");
  if (names.size() > 1) return bad_name("it has several");
  if (!is_plain(names.front(), uri)) return bad_name("it has other characters, or too many");
  return PeerCertificate{std::move(names.front()), end_of(certificate)};
}

Result<std::optional<PeerCertificate>> peer_certificate(ssl_st* connection) {
  const X509Ptr certificate(SSL_get1_peer_certificate(connection));
  if (!certificate) return std::optional<PeerCertificate>();
  Result<PeerCertificate> named = name_of_certificate(certificate.get());
  if (!named) return named.error();
  return std::optional(*std::move(named));
}

}  // namespace covey::tls
