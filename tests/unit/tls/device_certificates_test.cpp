// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/device_certificates.hpp"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <functional>

#include "core/freed.hpp"
#include "tests/unit/tls/times.hpp"

namespace covey::tls {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Request = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using List = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;

const DeviceId kDevice("press-07");

Bytes der_of(X509_REQ* request) {
  Bytes der(static_cast<size_t>(i2d_X509_REQ(request, nullptr)));
  unsigned char* at = der.data();
  i2d_X509_REQ(request, &at);
  return der;
}

void add_name(X509_REQ* request, int kind, std::string_view name) {
  X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), kind, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
}

// What somebody's tool would make; `change` before it is signed.
Bytes request_of(EVP_PKEY* key, std::string_view name,
                 const std::function<void(X509_REQ*)>& change = {}) {
  const Request request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), key);
  if (!name.empty()) add_name(request.get(), NID_commonName, name);
  if (change) change(request.get());
  X509_REQ_sign(request.get(), key, EVP_sha256());
  return der_of(request.get());
}

void ask_for(X509_REQ* request, int kind, const char* value) {
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, kind, value));
  X509_REQ_add_extensions(request, extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

struct Case {
  const char* what;
  Bytes der;
  bool good;
};

TEST(DeviceRequests, OnlyTheKeyCountsAndOnlyOneOfP256) {
  const Key key(EVP_EC_gen("P-256"));
  const Key other(EVP_EC_gen("P-256"));
  const Key large(EVP_EC_gen("P-384"));
  const Key rsa1024(EVP_RSA_gen(1024));
  const Key rsa2048(EVP_RSA_gen(2048));
  const Key edwards(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Bytes good = request_of(key.get(), "press-07");
  Bytes tampered = good;
  tampered[40] ^= 1U;
  Bytes longer = good;
  longer.push_back(0);
  const auto authority = [](X509_REQ* r) { ask_for(r, NID_basic_constraints, "critical,CA:TRUE"); };
  const auto another_host = [](X509_REQ* r) { ask_for(r, NID_subject_alt_name, "DNS:press-08"); };
  const auto large_one = [](X509_REQ* r) {
    ask_for(r, NID_netscape_comment, std::string(2000, 'x').c_str());
  };
  const Bytes by_another = [&] {
    const Request request(X509_REQ_new());
    X509_REQ_set_pubkey(request.get(), key.get());
    X509_REQ_sign(request.get(), other.get(), EVP_sha256());
    return der_of(request.get());
  }();
  const Case cases[] = {
      {"named as the device", good, true},
      {"no name", request_of(key.get(), ""), true},
      {"asks to be an authority", request_of(key.get(), "press-07", authority), true},
      {"asks for another host's name", request_of(key.get(), "press-07", another_host), true},
      {"named as another device", request_of(key.get(), "press-08"), false},
      {"named as a service", request_of(key.get(), "svc-gateway"), false},
      {"with a NUL", request_of(key.get(), std::string_view("press-07\0x", 10)), false},
      {"with a slash", request_of(key.get(), "press-07/x"), false},
      {"a plus", request_of(key.get(), "+"), false},
      {"a hash", request_of(key.get(), "#"), false},
      {"a wildcard", request_of(key.get(), "*"), false},
      {"two names",
       request_of(key.get(), "press-07",
                  [](X509_REQ* r) { add_name(r, NID_commonName, "press-08"); }),
       false},
      {"another kind of name",
       request_of(key.get(), "",
                  [](X509_REQ* r) { add_name(r, NID_organizationName, "press-07"); }),
       false},
      {"too long a name", request_of(key.get(), std::string(64, 'a')), false},
      {"P-384", request_of(large.get(), "press-07"), false},
      {"RSA of 1,024 bits", request_of(rsa1024.get(), "press-07"), false},
      {"RSA of 2,048 bits", request_of(rsa2048.get(), "press-07"), false},
      {"signed by another key", by_another, false},
      {"changed on the way", tampered, false},
      {"a byte more", longer, false},
      {"cut off", Bytes(good.begin(), good.end() - 1), false},
      {"empty", {}, false},
      {"2 kB", request_of(key.get(), "press-07", large_one), false},
      {"100 kB", Bytes(100'000, 0x30), false},
      {"Ed25519",
       [&] {
         const Request request(X509_REQ_new());
         X509_REQ_set_pubkey(request.get(), edwards.get());
         X509_REQ_sign(request.get(), edwards.get(), nullptr);
         return der_of(request.get());
       }(),
       false},
  };
  for (const Case& one : cases) {
    const Result<Bytes> point = key_of_request(one.der, kDevice);
    EXPECT_EQ(point.ok(), one.good) << one.what;
    if (point) {
      EXPECT_EQ(point->size(), kPointBytes) << one.what;
      EXPECT_TRUE(check_point(*point)) << one.what;
    } else {
      EXPECT_EQ(point.error().reason, "REQUEST_INVALID") << one.what;
    }
  }
}

class Issuing : public testing::Test {
 protected:
  Issuing()
      : credentials_(*make_authority("plant-7")), authority_(*DeviceAuthority::open(credentials_)) {
    const Key key(EVP_EC_gen("P-256"));
    facts_ = {.device = kDevice,
              .key = *key_of_request(request_of(key.get(), "press-07"), kDevice),
              .serial = {0x41, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
              .not_before = kNow - kDay,
              .not_after = kNow + 365 * kDay};
  }
  Certificate parse(const Bytes& der) const {
    const unsigned char* at = der.data();
    return Certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  }

  const Credentials credentials_;
  const DeviceAuthority authority_;
  DeviceCertificate facts_;
};

TEST_F(Issuing, ACertificateSaysTheDevicesIdAndIsForClients) {
  const Result<Bytes> der = authority_.issue(facts_);
  ASSERT_TRUE(der) << der.error().message;
  const Certificate certificate = parse(*der);
  ASSERT_TRUE(certificate);
  std::array<char, 80> name{};
  EXPECT_EQ(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                      name.data(), name.size()),
            8);
  EXPECT_STREQ(name.data(), "press-07");
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_EQ(X509_get_extended_key_usage(certificate.get()), static_cast<uint32_t>(XKU_SSL_CLIENT));
  EXPECT_EQ(X509_get_key_usage(certificate.get()), static_cast<uint32_t>(KU_DIGITAL_SIGNATURE));
  // What the agent looks at (device_agent/src/session/certificate.c).
  EXPECT_EQ((*der)[13], 0x02);
  EXPECT_EQ((*der)[14], 16);
  EXPECT_TRUE(std::equal(facts_.serial.begin(), facts_.serial.end(), der->begin() + 15));
}

TEST_F(Issuing, TheLargestOneFitsTheDevicesLimit) {
  const Result<DeviceAuthority> authority =
      DeviceAuthority::open(*make_authority(std::string(100, 's')));
  ASSERT_TRUE(authority);
  facts_.device = DeviceId(std::string(63, 'd'));
  facts_.not_after = Millis{200'000 * kDay};  // beyond 2049 times are longer
  for (int i = 0; i < 20; ++i) {              // signatures differ in length
    const Result<Bytes> der = authority->issue(facts_);
    ASSERT_TRUE(der);
    EXPECT_LE(der->size(), 640U);
  }
}

TEST_F(Issuing, AListNamesWhatWasRevokedAndTheNewerOneCounts) {
  const Result<std::string> empty = authority_.revocation_list({}, 1);
  ASSERT_TRUE(empty) << empty.error().message;
  const std::vector<Serial> serials{facts_.serial};
  const Result<std::string> one = authority_.revocation_list(serials, 2);
  ASSERT_TRUE(one);
  const auto list_of = [](const std::string& pem) {
    const Memory memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return List(PEM_read_bio_X509_CRL(memory.get(), nullptr, nullptr, nullptr));
  };
  const List before = list_of(*empty);
  const List after = list_of(*one);
  ASSERT_TRUE(before && after);
  const Certificate certificate = parse(*authority_.issue(facts_));
  X509_REVOKED* found = nullptr;
  EXPECT_EQ(X509_CRL_get0_by_cert(before.get(), &found, certificate.get()), 0);
  EXPECT_EQ(X509_CRL_get0_by_cert(after.get(), &found, certificate.get()), 1);
  int days = 0;
  int seconds = 0;
  ASN1_TIME_diff(&days, &seconds, X509_CRL_get0_lastUpdate(before.get()),
                 X509_CRL_get0_lastUpdate(after.get()));
  EXPECT_EQ(days, 0);
  EXPECT_EQ(seconds, 1);
}

}  // namespace
}  // namespace covey::tls
