// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/http/server.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <thread>

#include "gateway/adapters/http/replies.hpp"
#include "gateway/adapters/posix/peer_user.hpp"
#include "gateway/adapters/tls/peer_certificate.hpp"
#include "gateway/config/config.hpp"

namespace covey::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using SteadyTime = std::chrono::steady_clock::time_point;
constexpr Millis kReadsWithin{1'000};

struct AtomicCounters {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> refused_full{0};
  std::atomic<uint64_t> evicted{0};
  std::atomic<uint64_t> bad_requests{0};
  std::atomic<uint64_t> handshakes_failed{0};
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> open{0};
};

class Connection;

struct Shared {
  HttpOptions options;
  const Metrics& metrics;
  std::function<std::vector<ReadyCheck>()> ready;
  AtomicCounters counters;
  std::set<Connection*> open;  // all that live; HTTP thread
};

// One connection. Owned by its pending operation; the deadline of each step is the stream's own.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    shared_.counters.open.fetch_add(1);
    shared_.open.insert(this);
  }
  ~Connection() {
    shared_.open.erase(this);
    shared_.counters.open.fetch_sub(1);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    const auto& options = shared_.options;
    error_code failure;
    const auto from = stream_.socket().remote_endpoint(failure).address().to_string();
    if (!options.tls) {
      const int fd = stream_.socket().native_handle();
      caller_ = options.access->plaintext_peer(from, is_over_loopback(fd), user_at_other_end(fd));
      return wait_for_request(options.header_timeout);
    }
    step(true);
    stream_.expires_after(options.header_timeout);
    context_ = options.tls->of(tls::Protocol::kHttp1);
    tls_.emplace(stream_, SSL_new(context_.get()));
    tls_->async_handshake(
        asio::ssl::stream_base::server,
        [self = shared_from_this(), from](error_code failed) { self->on_handshake(failed, from); });
  }

  // Who waits for a request, or for the rest of one, gives way to somebody new, and so does who
  // does not read its answer.
  bool yields(SteadyTime now) const {
    return !closed_ && (waits_ || now - step_since_ > kReadsWithin);
  }
  SteadyTime step_since() const { return step_since_; }
  bool closed() const { return closed_; }
  void evict() {
    shared_.counters.evicted.fetch_add(1);
    close();
  }

 private:
  void on_handshake(error_code failed, const std::string& from) {
    if (failed) {
      ++(failed == beast::error::timeout ? shared_.counters.timeouts
                                         : shared_.counters.handshakes_failed);
      return close();
    }
    const access::Access& access = *shared_.options.access;
    const auto certificate = tls::peer_certificate(tls_->native_handle());
    if (!certificate) {
      caller_ = access.tls_peer(from, certificate.error().message);
    } else if (!*certificate) {
      caller_ = access.tls_peer(from, "");
    } else {
      caller_ = access.certificate_peer(from, (*certificate)->name, (*certificate)->not_after);
    }
    wait_for_request(shared_.options.header_timeout);
  }

  // `use(stream)` with what this connection speaks.
  template <typename Use>
  void with_stream(Use use) {
    if (tls_) {
      use(*tls_);
    } else {
      use(stream_);
    }
  }

  // First some bytes within `patience`, then the whole header within its own time: a client may be
  // idle for long between requests, but not within one.
  void wait_for_request(Millis patience) {
    step(true);
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(shared_.options.header_bytes_max));
    parser_->body_limit(uint64_t{0});
    stream_.expires_after(patience);
    with_stream([this](auto& stream) {
      bhttp::async_read_some(stream, buffer_, *parser_,
                             [self = shared_from_this()](error_code failure, size_t) {
                               self->on_first_bytes(failure);
                             });
    });
  }

  void on_first_bytes(error_code failure) {
    if (failure || parser_->is_done()) {
      on_request(failure);
      return;
    }
    stream_.expires_after(shared_.options.header_timeout);
    with_stream([this](auto& stream) {
      bhttp::async_read(
          stream, buffer_, *parser_,
          [self = shared_from_this()](error_code result, size_t) { self->on_request(result); });
    });
  }

  void on_request(error_code failure) {
    if (failure == bhttp::error::end_of_stream || failure == asio::error::connection_reset ||
        failure == asio::error::operation_aborted ||
        failure == asio::ssl::error::stream_truncated) {
      return close();
    }
    if (failure == beast::error::timeout) {
      shared_.counters.timeouts.fetch_add(1);
      return close();
    }
    if (failure) return refuse(failure);
    shared_.counters.requests.fetch_add(1);
    ++served_;
    const auto& request = parser_->get();
    const bool head = request.method() == bhttp::verb::head;
    const bool last =
        !request.keep_alive() || served_ >= shared_.options.requests_per_connection_max;
    const auto target = request.target();
    Asking asking{.is_read = head || request.method() == bhttp::verb::get,
                  .target = {target.data(), target.size()},
                  .connection = caller_,
                  .authorization = {}};
    const auto [first, end] = request.equal_range(bhttp::field::authorization);
    for (auto field = first; field != end; ++field) {
      asking.authorization.emplace_back(field->value().data(), field->value().size());
    }
    Reply reply = answer(asking, {shared_.metrics, shared_.ready, *shared_.options.access});
    send(std::move(reply), request.version(), head, last);
  }

  void refuse(error_code failure) {
    shared_.counters.bad_requests.fetch_add(1);
    Reply reply;
    reply.status = 400;
    if (failure == bhttp::error::header_limit || failure == bhttp::error::buffer_overflow) {
      reply.status = 431;
    }
    if (failure == bhttp::error::body_limit || failure == bhttp::error::unexpected_body) {
      reply.status = 413;
    }
    reply.body = failure.message() + "\n";
    send(std::move(reply), 11, false, true);
  }

  void send(Reply reply, unsigned version, bool head, bool last) {
    response_.emplace(bhttp::int_to_status(reply.status), version);
    response_->set(bhttp::field::content_type, reply.content_type);
    response_->set(bhttp::field::cache_control, "no-store");
    if (!reply.challenge.empty()) {
      response_->set(bhttp::field::www_authenticate, reply.challenge);
    }
    if (reply.status == 405) response_->set(bhttp::field::allow, "GET, HEAD");
    response_->keep_alive(!last);
    response_->content_length(reply.body.size());
    if (!head) response_->body() = std::move(reply.body);
    step(false);
    stream_.expires_after(shared_.options.reply_timeout);
    with_stream([this, last](auto& stream) {
      bhttp::async_write(stream, *response_,
                         [self = shared_from_this(), last](error_code failure, size_t) {
                           self->on_sent(failure, last);
                         });
    });
  }

  void on_sent(error_code failure, bool last) {
    if (failure == beast::error::timeout) shared_.counters.timeouts.fetch_add(1);
    if (!failure && last && tls_) return say_goodbye();
    if (failure || last) return close();
    wait_for_request(shared_.options.idle_timeout);
  }

  // RFC 8446, section 6.1: without it, the other side cannot know that it has all.
  void say_goodbye() {
    stream_.expires_after(kReadsWithin);
    tls_->async_shutdown([self = shared_from_this()](error_code) { self->close(); });
  }

  void step(bool waits) {
    waits_ = waits;
    step_since_ = std::chrono::steady_clock::now();
  }

  void close() {
    closed_ = true;
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  tls::ContextPtr context_;
  std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;  // on stream_
  access::Caller caller_;                                     // known when it has shaken hands
  beast::flat_buffer buffer_{16'384};  // its most; the parser's limit is lower
  std::optional<bhttp::request_parser<bhttp::empty_body>> parser_;
  std::optional<bhttp::response<bhttp::string_body>> response_;
  uint32_t served_ = 0;
  bool waits_ = true;  // for a request
  bool closed_ = false;
  SteadyTime step_since_ = std::chrono::steady_clock::now();
};

}  // namespace

class HttpServer::Acceptor {
 public:
  Acceptor(HttpOptions options, const Metrics& metrics,
           std::function<std::vector<ReadyCheck>()> ready)
      : shared_{std::move(options), metrics, std::move(ready), {}, {}},
        acceptor_(io_),
        retry_(io_) {
    if (!shared_.options.access) shared_.options.access = std::make_shared<access::Access>();
  }

  Result<uint16_t> start() {
    const HttpOptions& options = shared_.options;
    error_code failure;
    const auto address = asio::ip::make_address(config::ip_literal(options.host), failure);
    const tcp::endpoint endpoint(address, options.port);
    if (!failure) acceptor_.open(endpoint.protocol(), failure);
    if (!failure) acceptor_.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure) acceptor_.bind(endpoint, failure);
    if (!failure) acceptor_.listen(128, failure);
    if (failure) {
      const bool taken = failure == asio::error::address_in_use;
      return Error{
          Code::kUnavailable, taken ? "ADDRESS_IN_USE" : "HTTP_LISTEN",
          fmt::format("http.listen: cannot listen on {}:{}: {}{}", options.host, options.port,
                      failure.message(), taken ? "; choose another port, or 0 for any" : "")};
    }
    const uint16_t port = acceptor_.local_endpoint(failure).port();
    accept();
    thread_ = std::thread([this] { io_.run(); });
    return port;
  }

  void stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    error_code ignored;
    acceptor_.close(ignored);
  }

  HttpCounters counters() const {
    const AtomicCounters& now = shared_.counters;
    return {.accepted = now.accepted,
            .requests = now.requests,
            .refused_full = now.refused_full,
            .evicted = now.evicted,
            .bad_requests = now.bad_requests,
            .handshakes_failed = now.handshakes_failed,
            .timeouts = now.timeouts,
            .open = now.open};
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code failure, tcp::socket socket) {
      if (failure == asio::error::operation_aborted) return;
      if (failure) {
        // Most likely out of descriptors: asking again at once would only burn a core.
        retry_.expires_after(100ms);
        retry_.async_wait([this](error_code aborted) {
          if (!aborted) accept();
        });
        return;
      }
      if (!has_place()) {
        shared_.counters.refused_full.fetch_add(1);
      } else {
        shared_.counters.accepted.fetch_add(1);
        std::make_shared<Connection>(std::move(socket), shared_)->start();
      }
      accept();
    });
  }

  // A silent or dripping client takes a place for some seconds: whoever has waited longest goes, so
  // that a probe is always answered.
  bool has_place() {
    const SteadyTime now = std::chrono::steady_clock::now();
    size_t open = 0;
    Connection* oldest = nullptr;
    for (Connection* connection : shared_.open) {
      if (connection->closed()) continue;
      ++open;
      if (connection->yields(now) &&
          (oldest == nullptr || connection->step_since() < oldest->step_since())) {
        oldest = connection;
      }
    }
    if (open < shared_.options.connections_max) return true;
    if (oldest == nullptr) return false;
    oldest->evict();
    return true;
  }

  Shared shared_;  // before io_: connections that io_ still holds use it when they go
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::thread thread_;
};

HttpServer::HttpServer(HttpOptions options, const Metrics& metrics,
                       std::function<std::vector<ReadyCheck>()> ready)
    : acceptor_(std::make_unique<Acceptor>(std::move(options), metrics, std::move(ready))) {}
HttpServer::~HttpServer() { acceptor_->stop(); }

Result<uint16_t> HttpServer::start() { return acceptor_->start(); }
void HttpServer::stop() { acceptor_->stop(); }
HttpCounters HttpServer::counters() const { return acceptor_->counters(); }

}  // namespace covey::http
