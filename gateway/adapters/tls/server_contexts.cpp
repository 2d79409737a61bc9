// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/server_contexts.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <string_view>
#include <utility>

#include "core/freed.hpp"
#include "gateway/adapters/tls/own_files.hpp"
#include "gateway/config/durable_file.hpp"

namespace covey::tls {
namespace {

using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

constexpr std::string_view kHttp2Name("\x02h2", 3);
constexpr std::string_view kHttp1Name("\x08http/1.1", 9);
// Of TLS 1.2: forward secrecy and authenticated encryption only.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr int kChainMax = 4;  // certificates between a caller's and what is trusted

std::string reason_of(unsigned long number) {
  std::array<char, 256> text{};
  const char* reason = ERR_reason_error_string(number);
  if (reason != nullptr) return reason;
  ERR_error_string_n(number, text.data(), text.size());
  return text.data();
}

Error unusable(const std::string& file, std::string_view what) {
  const unsigned long number = ERR_get_error();
  ERR_clear_error();
  return invalid("CERTIFICATE_INVALID",
                 fmt::format("{}: {}{}", file, what, number == 0 ? "" : ": " + reason_of(number)));
}

Bio pem_bio(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}
int nobody_types(char*, int, int, void*) { return -1; }

// RFC 7301: a client that names protocols and not ours hears no_application_protocol.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned int offered_size, void* ours) {
  const auto& name = *static_cast<const std::string_view*>(ours);
  for (unsigned int at = 0; at < offered_size; at += offered[at] + 1U) {
    const unsigned int end = at + 1U + offered[at];
    if (end > offered_size) break;
    const std::string_view one(reinterpret_cast<const char*>(offered) + at, end - at);
    if (one != name) continue;
    *chosen = offered + at + 1;
    *size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Status show(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const KeyPtr key(PEM_read_bio_PrivateKey(pem_bio(pem).get(), nullptr, nobody_types, nullptr));
  if (!key) return unusable(file, "no private key");
  const Bio certificates = pem_bio(pem);
  const X509Ptr first(PEM_read_bio_X509(certificates.get(), nullptr, nobody_types, nullptr));
  if (!first) return unusable(file, "no certificate");
  if (SSL_CTX_use_certificate(context, first.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return unusable(file, "certificate and key do not fit");
  }
  for (;;) {
    X509Ptr above(PEM_read_bio_X509(certificates.get(), nullptr, nobody_types, nullptr));
    if (!above) break;
    if (SSL_CTX_add0_chain_cert(context, above.get()) != 1) return unusable(file, "its chain");
    (void)above.release();  // the context's now
  }
  ERR_clear_error();  // the end of the file is one
  return {};
}

Status ask_for_certificates(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const Bio certificates = pem_bio(pem);
  size_t count = 0;
  for (;; ++count) {
    const X509Ptr one(PEM_read_bio_X509(certificates.get(), nullptr, nobody_types, nullptr));
    if (!one) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get()) != 1 ||
        SSL_CTX_add_client_CA(context, one.get()) != 1) {
      return unusable(file, "not to be used");
    }
  }
  ERR_clear_error();
  if (count == 0) return unusable(file, "no certificate in PEM");
  // Who shows none may still have a token.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_verify_depth(context, kChainMax);
  return {};
}

struct Pem {
  std::string server;
  std::string above;
  std::string client_ca;
};

Result<ContextPtr> make_context(const ServerContexts::Files& files, const Pem& pem,
                                const std::string_view& protocol) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* raw = context.get();
  if (!context || SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(raw, kCiphers) != 1) {
    return unusable(files.server, "TLS cannot be set up");
  }
  // A resumed session would bring a certificate that nobody looks at again.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  // A callback only reads the name, which is a constant.
  SSL_CTX_set_alpn_select_cb(raw, select_protocol, const_cast<std::string_view*>(&protocol));
  if (const Status shown = show(raw, files.server, pem.server + pem.above); !shown)
    return shown.error();
  if (!files.client_ca.empty()) {
    if (const Status asks = ask_for_certificates(raw, files.client_ca, pem.client_ca); !asks) {
      return asks.error();
    }
  }
  return context;
}

}  // namespace

Result<std::shared_ptr<ServerContexts>> ServerContexts::open(Files files) {
  struct Access : ServerContexts {
    explicit Access(Files f) : ServerContexts(std::move(f)) {}
  };
  auto contexts = std::make_shared<Access>(std::move(files));
  if (const Result<bool> made = contexts->reload(); !made) return made.error();
  return std::shared_ptr<ServerContexts>(std::move(contexts));
}

ContextPtr ServerContexts::of(Protocol protocol) const {
  const std::lock_guard lock(mutex_);
  return protocol == Protocol::kHttp2 ? now_.http2 : now_.http1;
}

Result<bool> ServerContexts::reload() {
  Pem pem;
  for (const auto& [path, into] :
       {std::pair{&files_.server, &pem.server}, std::pair{&files_.above, &pem.above},
        std::pair{&files_.client_ca, &pem.client_ca}}) {
    if (path->empty()) continue;
    Result<std::string> text = config::read_file_bounded(*path, 2 * kPemBytesMax);
    if (!text) return invalid("CERTIFICATE_INVALID", text.error().message);
    *into = *std::move(text);
  }
  std::string made_of = pem.server + pem.above + pem.client_ca;
  {
    const std::lock_guard lock(mutex_);
    if (made_of == now_.made_of) return false;
  }
  Contexts made;
  for (const auto& [name, into] :
       {std::pair{&kHttp2Name, &made.http2}, std::pair{&kHttp1Name, &made.http1}}) {
    Result<ContextPtr> context = make_context(files_, pem, *name);
    if (!context) return context.error();
    *into = *std::move(context);
  }
  made.made_of = std::move(made_of);
  const std::lock_guard lock(mutex_);
  now_ = std::move(made);
  return true;
}

std::string handshake_error(ssl_st* connection, unsigned long number) {
  const long verified = SSL_get_verify_result(connection);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  return reason_of(number);
}

}  // namespace covey::tls
