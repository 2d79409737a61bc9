// SPDX-License-Identifier: Apache-2.0
// One device's TCP connection, for sending what was made beforehand: a raw socket, with TLS or
// without, and as much of MQTT 3.1.1 as is needed to take the answers apart. Errors: false, and
// why() says it. Not thread-safe.
#pragma once

#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/freed.hpp"
#include "core/result.hpp"

namespace covey::bench {

using TlsContext = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
// What trusts the authority in a file (PEM). Errors: TLS.
Result<TlsContext> trusting(const std::string& ca_file);

class LoadConnection {
 public:
  LoadConnection() = default;
  ~LoadConnection();
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  // Begins to connect; epoll tells `tag` when it can be written. `tls`: null: without.
  bool open(int epoll, uint64_t tag, const std::string& host, uint16_t port, SSL_CTX* tls);
  // Only when nothing is held: what the socket does not take now is held, as a view of the caller's
  // bytes, until it is writable.
  bool send(ByteView bytes);
  bool on_writable();
  bool holds() const { return !held_.empty(); }

  // Reads what is there: every packet, PUBLISH with its topic and payload, the others with their
  // body in `payload`.
  using OnPacket = std::function<bool(uint8_t type, std::string_view topic, ByteView payload)>;
  bool read(const OnPacket& on_packet);

  const std::string& why() const { return why_; }

 private:
  bool fail(std::string why);
  bool flush();
  bool take_packets(const OnPacket& on_packet);
  bool watch(uint32_t events);
  // Bytes that went through; 0: not now, and `wanted_` is what has to happen; -1: failed.
  ssize_t write_some(ByteView bytes);
  ssize_t read_some(std::span<uint8_t> buffer);
  ssize_t tls_result(int result);
  bool read_once(const OnPacket& on_packet);

  int epoll_ = -1;
  int socket_ = -1;
  uint64_t tag_ = 0;
  std::unique_ptr<SSL, Freed<SSL_free>> tls_;  // null: without
  uint32_t wanted_ = 0;                        // events
  ByteView held_;
  Bytes incoming_;
  std::string why_;
};

}  // namespace covey::bench
