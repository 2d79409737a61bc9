// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/link/tls_stream.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/assert.hpp"

namespace covey::simulator {
namespace {

std::string openssl_said() {
  const unsigned long number = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(number);
  return reason == nullptr ? "no reason given" : reason;
}

}  // namespace

Result<std::shared_ptr<const TlsTrust>> TlsTrust::load(const std::string& ca_file,
                                                       std::string name) {
  struct Access : TlsTrust {};
  const auto trust = std::make_shared<Access>();
  trust->name_ = std::move(name);
  trust->context_ = SSL_CTX_new(TLS_client_method());
  COVEY_ASSERT(trust->context_ != nullptr);
  SSL_CTX_set_min_proto_version(trust->context_, TLS1_2_VERSION);
  SSL_CTX_set_verify(trust->context_, SSL_VERIFY_PEER, nullptr);
  // Thousands of connections: a buffer only while something is in it.
  SSL_CTX_set_mode(trust->context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_load_verify_file(trust->context_, ca_file.c_str()) != 1) {
    return invalid("TLS_CA", fmt::format("{}: no certificates in PEM ({}); `covey site ca` prints "
                                         "what the site is known by",
                                         ca_file, openssl_said()));
  }
  return std::shared_ptr<const TlsTrust>(trust);
}

TlsTrust::~TlsTrust() { SSL_CTX_free(context_); }

TlsStream::TlsStream(std::shared_ptr<const TlsTrust> trust, int fd)
    : trust_(std::move(trust)), ssl_(SSL_new(trust_->context_)) {
  COVEY_ASSERT(ssl_ != nullptr);
  SSL_set_fd(ssl_, fd);
  // RFC 9525, sections 6.3 and 6.5: an address is compared as one, and is not told in SNI.
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, trust_->name_.c_str()) != 1) {
    SSL_set1_host(ssl_, trust_->name_.c_str());
    SSL_set_tlsext_host_name(ssl_, trust_->name_.c_str());
  }
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

TlsStream::Outcome TlsStream::outcome(int result) {
  if (result > 0) return Outcome::kDone;
  const int number = errno;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kClosed;
    case SSL_ERROR_SYSCALL:
      failure_ = number == 0 ? "closed by the broker" : std::strerror(number);
      return Outcome::kFailed;
    default:
      break;
  }
  const long verified = SSL_get_verify_result(ssl_);
  failure_ = fmt::format("TLS: {}", openssl_said());
  if (verified != X509_V_OK) {
    failure_ +=
        fmt::format(" ({}; it must be {})", X509_verify_cert_error_string(verified), trust_->name_);
  }
  return Outcome::kFailed;
}

bool TlsStream::identify(std::span<const uint8_t> certificate, evp_pkey_st* key) {
  if (SSL_use_certificate_ASN1(ssl_, certificate.data(), static_cast<int>(certificate.size())) ==
          1 &&
      SSL_use_PrivateKey(ssl_, key) == 1) {
    return true;
  }
  failure_ = fmt::format("the device's certificate: {}", openssl_said());
  return false;
}

TlsStream::Outcome TlsStream::handshake() {
  ERR_clear_error();
  return outcome(SSL_connect(ssl_));
}

TlsStream::Outcome TlsStream::read(std::span<uint8_t> to, size_t& size) {
  ERR_clear_error();
  return outcome(SSL_read_ex(ssl_, to.data(), to.size(), &size));
}

TlsStream::Outcome TlsStream::write(std::span<const uint8_t> from, size_t& size) {
  ERR_clear_error();
  return outcome(SSL_write_ex(ssl_, from.data(), from.size(), &size));
}

}  // namespace covey::simulator
