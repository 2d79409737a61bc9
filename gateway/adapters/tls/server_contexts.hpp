// SPDX-License-Identifier: Apache-2.0
// How servers of this process speak TLS (1.2 and 1.3, no renegotiation, no resumption): OpenSSL's
// contexts, made of the file that SiteIdentity keeps and of what vouches for callers. When files
// have changed, connections that begin from then on get new ones; those that are there go on.
//
// Thread safety: reload() on one thread, the rest on any. Errors: CERTIFICATE_INVALID, with what is
// wrong and where; the old ones stay.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/result.hpp"

namespace covey::tls {

// Each has a name of its own in ALPN (RFC 7301), and who asks for another is refused.
enum class Protocol : uint8_t { kHttp2, kHttp1 };

using ContextPtr = std::shared_ptr<ssl_ctx_st>;

class ServerContexts {
 public:
  struct Files {
    std::string server;     // key, certificate and those above it, PEM
    std::string above;      // shown with it, so that who pins the authority sees it; empty: none
    std::string client_ca;  // PEM; empty: no certificate is asked for
  };
  static Result<std::shared_ptr<ServerContexts>> open(Files files);

  // For connections that begin now.
  ContextPtr of(Protocol protocol) const;
  // Looks at the files again. True: there is something new.
  Result<bool> reload();

 protected:
  explicit ServerContexts(Files files) : files_(std::move(files)) {}

 private:
  struct Contexts {
    ContextPtr http2;
    ContextPtr http1;
    std::string made_of;  // what the files had
  };

  const Files files_;
  mutable std::mutex mutex_;
  Contexts now_;  // guarded by mutex_
};

// What went wrong in a handshake, as OpenSSL says it, by its error number: "certificate has
// expired", "wrong version number".
std::string handshake_error(ssl_st* connection, unsigned long number);

}  // namespace covey::tls
