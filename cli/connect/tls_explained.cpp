// SPDX-License-Identifier: Apache-2.0
#include "cli/connect/tls_explained.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>

#include "core/freed.hpp"

namespace covey::cli {
namespace {

using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Freed<SSL_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Addresses = std::unique_ptr<addrinfo, Freed<freeaddrinfo>>;

constexpr timeval kPatience{3, 0};  // for each step
constexpr timeval kForAlert{0, 500'000};
constexpr unsigned char kHttp2[] = {2, 'h', '2'};

class Socket {
 public:
  Socket() = default;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool connect(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return false;
    const Addresses addresses(found);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      if (fd_ >= 0) ::close(fd_);
      fd_ = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd_ < 0) continue;
      wait_at_most(kPatience);
      if (::connect(fd_, one->ai_addr, one->ai_addrlen) == 0) return true;
    }
    return false;
  }
  void wait_at_most(const timeval& time) {
    (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    (void)::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// OpenSSL writes to sockets that may have been closed. While it lives, for the whole process.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    (void)::sigaction(SIGPIPE, &ignore, &before_);
  }
  ~NoPipeSignal() { (void)::sigaction(SIGPIPE, &before_, nullptr); }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  struct sigaction before_ {};
};

struct HostPort {
  std::string host;
  std::string port;
};
std::optional<HostPort> host_port_of(const std::string& address) {
  if (address.starts_with("/") || address.starts_with("unix:")) return std::nullopt;
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostPort parts{address.substr(0, colon), address.substr(colon + 1)};
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  return parts;
}

bool is_ip(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

void trust(SSL_CTX* context, const std::string& ca) {
  if (ca.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return;
  }
  const Memory pem(BIO_new_mem_buf(ca.data(), static_cast<int>(ca.size())));
  for (;;) {
    const Certificate one(PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get());
  }
}

void show(SSL_CTX* context, const Credentials& credentials) {
  if (credentials.certificate.empty()) return;
  const Memory pem(BIO_new_mem_buf(credentials.certificate.data(),
                                   static_cast<int>(credentials.certificate.size())));
  const Certificate one(PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr));
  const Memory key_pem(
      BIO_new_mem_buf(credentials.key.data(), static_cast<int>(credentials.key.size())));
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(
      PEM_read_bio_PrivateKey(key_pem.get(), nullptr, nullptr, nullptr));
  if (one) SSL_CTX_use_certificate(context, one.get());
  if (key) SSL_CTX_use_PrivateKey(context, key.get());
}

// One handshake and what came of it.
struct Handshake {
  NoPipeSignal no_signal;
  Socket socket;
  Context context{SSL_CTX_new(TLS_client_method())};
  Connection connection;
  bool connected = false;
  bool done = false;
  std::string reason;  // OpenSSL's, where it is not done
  bool alert = false;  // the site refused
  bool not_tls = false;

  void run(const HostPort& at) {
    connected = socket.connect(at.host, at.port);
    if (!connected || !context) return;
    connection.reset(SSL_new(context.get()));
    if (!connection) return;
    SSL_set_alpn_protos(connection.get(), kHttp2, sizeof kHttp2);
    if (is_ip(at.host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection.get()), at.host.c_str());
    } else {
      SSL_set_tlsext_host_name(connection.get(), at.host.c_str());
      SSL_set1_host(connection.get(), at.host.c_str());
    }
    SSL_set_fd(connection.get(), socket.fd());
    ERR_clear_error();
    done = SSL_connect(connection.get()) == 1;
    note_error();
    if (!done) return;
    // With TLS 1.3 a refused certificate is told after the handshake.
    socket.wait_at_most(kForAlert);
    char byte = 0;
    ERR_clear_error();
    if (SSL_peek(connection.get(), &byte, 1) <= 0) note_error();
  }

 private:
  void note_error() {
    const unsigned long number = ERR_get_error();
    ERR_clear_error();
    if (number == 0) return;
    const int code = ERR_GET_REASON(number);
    const char* text = ERR_reason_error_string(number);
    reason = text == nullptr ? "" : text;
    alert = code >= SSL_AD_REASON_OFFSET && code < SSL_AD_REASON_OFFSET + 256;
    not_tls = code == SSL_R_WRONG_VERSION_NUMBER || code == SSL_R_PACKET_LENGTH_TOO_LONG ||
              code == SSL_R_HTTP_REQUEST || code == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  }
};

std::string names_of(X509* certificate) {
  using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
  const Names all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()) && text.size() < 400; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    std::array<char, INET6_ADDRSTRLEN> address{};
    std::string one;
    if (name->type == GEN_DNS) {
      one.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                 static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      const auto* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
      if (inet_ntop(family, bytes, address.data(), address.size()) != nullptr) one = address.data();
    }
    if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

Error unreachable(std::string reason, std::string message) {
  return {Code::kUnavailable, std::move(reason), std::move(message)};
}

Error explain_verification(const std::string& address, const Handshake& handshake, long result) {
  const Certificate shown(SSL_get1_peer_certificate(handshake.connection.get()));
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return unreachable("TLS_EXPIRED",
                         fmt::format("the certificate of {} has expired: its gateway renews it by "
                                     "itself unless it is the operator's own; is this machine's "
                                     "clock right?",
                                     address));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return unreachable("TLS_NOT_YET",
                         fmt::format("the time of the certificate of {} has not begun: is this "
                                     "machine's clock right?",
                                     address));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return unreachable("TLS_WRONG_NAME",
                         fmt::format("the certificate that {} shows is for {}: use one of these, "
                                     "or add the name to site.names of the gateway",
                                     address, shown ? names_of(shown.get()) : "nobody"));
    default:
      return unreachable(
          "TLS_WRONG_CA",
          fmt::format("the certificate of {} is not issued by the authority that you trust ({}): "
                      "compare it with `covey site fingerprint` on the gateway, then `covey login "
                      "NAME --address {} --fingerprint ...`",
                      address, X509_verify_cert_error_string(result), address));
  }
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += fmt::format("{}{:02X}", i == 0 ? "" : ":", digest[i]);
  }
  return text;
}

Error not_spoken(const std::string& address) {
  return unreachable("TLS_NOT_SPOKEN",
                     fmt::format("{} speaks no TLS: leave out --ca (or COVEY_CA_FILE, or the "
                                 "context's `ca`) if that is right there, or use the port of TLS",
                                 address));
}

}  // namespace

std::optional<Error> explain_tls(const std::string& address, const Credentials& credentials) {
  const std::optional<HostPort> at = host_port_of(address);
  if (!at) return std::nullopt;
  Handshake handshake;
  if (!handshake.context) return std::nullopt;
  trust(handshake.context.get(), credentials.ca);
  show(handshake.context.get(), credentials);
  // Verified by hand, so that there is something to explain.
  SSL_CTX_set_verify(handshake.context.get(), SSL_VERIFY_NONE, nullptr);
  handshake.run(*at);
  if (!handshake.connected || !handshake.connection) return std::nullopt;
  if (!credentials.tls) {
    if (!handshake.done && !handshake.alert) return std::nullopt;
    return unreachable("TLS_REQUIRED",
                       fmt::format("{} speaks TLS, and it was spoken to in plaintext: --ca FILE "
                                   "with what `covey site ca` prints on the gateway, or `covey "
                                   "login NAME --address {} --fingerprint ...`",
                                   address, address));
  }
  if (!handshake.done && handshake.not_tls) return not_spoken(address);
  const long verified = SSL_get_verify_result(handshake.connection.get());
  if (handshake.done && verified != X509_V_OK) {
    return explain_verification(address, handshake, verified);
  }
  if (handshake.alert) {
    return unreachable("TLS_CLIENT_CERTIFICATE",
                       fmt::format("{} refuses the handshake ({}): is --client-certificate issued "
                                   "by what tls.client_ca_file of the gateway names, and in its "
                                   "time?",
                                   address, handshake.reason));
  }
  if (!handshake.done) {
    return unreachable("TLS_HANDSHAKE",
                       fmt::format("no TLS handshake with {}: {}", address, handshake.reason));
  }
  return std::nullopt;
}

Result<std::vector<SeenCertificate>> certificates_at(const std::string& address) {
  const std::optional<HostPort> at = host_port_of(address);
  if (!at) return invalid("BAD_ADDRESS", fmt::format("{} is not HOST:PORT", address));
  Handshake handshake;
  if (handshake.context) SSL_CTX_set_verify(handshake.context.get(), SSL_VERIFY_NONE, nullptr);
  handshake.run(*at);
  if (!handshake.connected) {
    return unreachable("UNREACHABLE", fmt::format("cannot connect to {}: is coveyd running there, "
                                                  "and grpc.listen an address of the network?",
                                                  address));
  }
  if (!handshake.done) return not_spoken(address);
  std::vector<SeenCertificate> seen;
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(handshake.connection.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const Memory pem(BIO_new(BIO_s_mem()));
    X509* one = sk_X509_value(chain, i);
    char* bytes = nullptr;
    if (!pem || PEM_write_bio_X509(pem.get(), one) != 1) continue;
    const long size = BIO_get_mem_data(pem.get(), &bytes);
    seen.push_back({std::string(bytes, static_cast<size_t>(size)), fingerprint_of(one)});
  }
  return seen;
}

}  // namespace covey::cli
