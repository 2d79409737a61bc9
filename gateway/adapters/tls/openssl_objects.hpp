// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects with their owners, and what it says about a failure. Inside of this folder.
#pragma once

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "core/freed.hpp"
#include "core/result.hpp"
#include "core/time.hpp"

namespace covey::tls {

using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

inline std::string openssl_said() {
  const unsigned long number = ERR_get_error();
  ERR_clear_error();
  if (number == 0) return "no reason given";
  std::array<char, 256> text{};
  ERR_error_string_n(number, text.data(), text.size());
  return text.data();
}

inline Error failed(const char* what) {
  return {Code::kInternal, "CERTIFICATE_INVALID",
          fmt::format("cannot make {}: {}", what, openssl_said())};
}

inline Memory reading(std::string_view text) {
  return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

template <typename Write>
std::string written(Write write) {
  const Memory memory(BIO_new(BIO_s_mem()));
  char* bytes = nullptr;
  if (!memory || write(memory.get()) != 1) return {};
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

inline time_t seconds_of(Millis time) {
  return static_cast<time_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

inline bool add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_nconf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Of PEM. Errors: KEY_INVALID, CERTIFICATE_INVALID.
Result<Key> key_of(std::string_view pem);
Result<Certificate> certificate_of(std::string_view pem);

}  // namespace covey::tls
