// SPDX-License-Identifier: Apache-2.0
// TLS of one device's connection, over a socket that does not block. What a client trusts is shared
// by all devices; a server that cannot prove that it is `name` is refused. TLS 1.2 or 1.3.
//
// Owner thread: the io_context's only one. Errors: by value; text of OpenSSL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/result.hpp"

struct ssl_ctx_st;  // OpenSSL's
struct ssl_st;
struct evp_pkey_st;

namespace covey::simulator {

class TlsTrust {
 public:
  // `ca_file`: PEM. `name`: of DNS or an IP address, what the server's certificate must have.
  // Errors: TLS_CA (the file, and why).
  static Result<std::shared_ptr<const TlsTrust>> load(const std::string& ca_file, std::string name);
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  TlsTrust& operator=(const TlsTrust&) = delete;

 private:
  friend class TlsStream;
  TlsTrust() = default;
  ssl_ctx_st* context_ = nullptr;
  std::string name_;
};

class TlsStream {
 public:
  enum class Outcome : uint8_t { kDone, kWantRead, kWantWrite, kClosed, kFailed };

  // Over the socket `fd`, which outlives it.
  TlsStream(std::shared_ptr<const TlsTrust> trust, int fd);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Before the handshake: the client's certificate (DER) and its key, which outlives this. False:
  // they are none, see failure().
  bool identify(std::span<const uint8_t> certificate, evp_pkey_st* key);
  Outcome handshake();
  // `size`: how much of it, with kDone.
  Outcome read(std::span<uint8_t> to, size_t& size);
  Outcome write(std::span<const uint8_t> from, size_t& size);
  // Of the last kFailed.
  const std::string& failure() const { return failure_; }

 private:
  Outcome outcome(int result);

  const std::shared_ptr<const TlsTrust> trust_;
  ssl_st* ssl_ = nullptr;
  std::string failure_;
};

}  // namespace covey::simulator
