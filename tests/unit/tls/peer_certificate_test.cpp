// SPDX-License-Identifier: Apache-2.0
// Which names of certificates are taken, and which could be mistaken for another's.
#include "gateway/adapters/tls/peer_certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>
#include <vector>

#include "core/freed.hpp"

namespace covey::tls {
namespace {

using namespace std::string_view_literals;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

// As no tool writes it: bytes as they are.
Certificate certificate(const std::vector<std::string_view>& common_names,
                        const std::vector<std::string_view>& uris = {}, int type = GEN_URI) {
  Certificate made(X509_new());
  X509_NAME* subject = X509_get_subject_name(made.get());
  for (const std::string_view name : common_names) {
    EXPECT_EQ(X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                         reinterpret_cast<const unsigned char*>(name.data()),
                                         static_cast<int>(name.size()), -1, 0),
              1);
  }
  const Names all(GENERAL_NAMES_new());
  for (const std::string_view uri : uris) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, uri.data(), static_cast<int>(uri.size()));
    GENERAL_NAME_set0_value(name, type, text);
    sk_GENERAL_NAME_push(all.get(), name);
  }
  if (!uris.empty()) X509_add1_ext_i2d(made.get(), NID_subject_alt_name, all.get(), 0, 0);
  ASN1_TIME_set_string(X509_getm_notAfter(made.get()), "20300101000000Z");
  return made;
}

TEST(PeerCertificates, AUriGoesBeforeTheCommonName) {
  const auto plain = name_of_certificate(certificate({"alice.b-c_d@plant"}).get());
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain->name, "alice.b-c_d@plant");
  EXPECT_EQ(plain->not_after, Millis{1'893'456'000'000});
  EXPECT_EQ(name_of_certificate(certificate({"x"}, {"spiffe://plant/ci"}).get())->name,
            "spiffe://plant/ci");
  EXPECT_EQ(name_of_certificate(certificate({"x"}, {"host.plant"}, GEN_DNS).get())->name, "x")
      << "names of hosts say nothing about callers";
}

TEST(PeerCertificates, WhatCouldBeAnothersNameIsNone) {
  const std::string long_name(129, 'a');
  const std::vector<std::string_view> names = {"",
                                               "alice\0.evil"sv,
                                               "\0"sv,
                                               "*",
                                               "al*ce",
                                               "alice/bob",
                                               "alice+",
                                               "#",
                                               "a#b",
                                               "al ice",
                                               " alice",
                                               "alice\n",
                                               "alice\r\nx-role: admin",
                                               "\xd0\xb0lice",
                                               "alice\x7f",
                                               "\x1b[31m",
                                               "a\\b",
                                               "alice:bob",
                                               "token,admin",
                                               "$(id)",
                                               "'; --",
                                               "<b>",
                                               "a=b",
                                               long_name};
  for (const std::string_view name : names) {
    const auto named = name_of_certificate(certificate({name}).get());
    ASSERT_FALSE(named.ok()) << name;
    EXPECT_EQ(named.error().reason, "CERTIFICATE_NAME");
    EXPECT_EQ(named.error().message.find('\0'), std::string::npos);
  }
  for (const std::string_view uri :
       {"spiffe://plant/*"sv, "spiffe://plant/ci#admin"sv, "spiffe://plant/ci\0/evil"sv,
        "spiffe://plant/ci?x=1"sv, "spiffe://plant/%61"sv, ""sv}) {
    EXPECT_FALSE(name_of_certificate(certificate({"alice"}, {uri}).get()).ok()) << uri;
  }
  EXPECT_FALSE(name_of_certificate(certificate({}).get()).ok());
  EXPECT_FALSE(name_of_certificate(certificate({"bob", "alice"}).get()).ok());
  EXPECT_FALSE(name_of_certificate(certificate({"x"}, {"a://b", "c://d"}).get()).ok());
}

}  // namespace
}  // namespace covey::tls
