// SPDX-License-Identifier: Apache-2.0
// The operations port over real sockets, with clients that misbehave.
#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include "gateway/adapters/http/server.hpp"

namespace covey::http {
namespace {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;

class Peer {
 public:
  explicit Peer(uint16_t port) : socket_(io_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    // A server that fails to close must fail the test, not hang it.
    const timeval patience{20, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  bool send(std::string_view text) {
    boost::system::error_code failure;
    asio::write(socket_, asio::buffer(text.data(), text.size()), failure);
    return !failure;
  }
  // Everything until the server closes.
  std::string rest() {
    std::string text;
    boost::system::error_code failure;
    asio::read(socket_, asio::dynamic_buffer(text), failure);
    closed_ = failure == asio::error::eof || failure == asio::error::connection_reset;
    return text;
  }
  bool closed() const { return closed_; }
  bhttp::response<bhttp::string_body> ask(bhttp::verb verb, std::string_view target) {
    bhttp::request<bhttp::empty_body> request{verb, {target.data(), target.size()}, 11};
    request.set(bhttp::field::host, "127.0.0.1");
    bhttp::write(socket_, request);
    bhttp::response_parser<bhttp::string_body> parser;
    parser.skip(verb == bhttp::verb::head);
    bhttp::read(socket_, buffer_, parser);
    return parser.release();
  }

 private:
  asio::io_context io_;
  tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  bool closed_ = false;
};

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return condition();
}

class Http : public ::testing::Test {
 protected:
  void run(HttpOptions options = {}) {
    server_.emplace(options, metrics_, [this] {
      const std::lock_guard lock(mutex_);
      return checks_;
    });
    const Result<uint16_t> port = server_->start();
    ASSERT_TRUE(port.ok()) << port.error().message;
    port_ = *port;
  }
  void set_checks(std::vector<ReadyCheck> checks) {
    const std::lock_guard lock(mutex_);
    checks_ = std::move(checks);
  }
  Metrics metrics_;
  std::mutex mutex_;
  std::vector<ReadyCheck> checks_;
  std::optional<HttpServer> server_;
  uint16_t port_ = 0;
};

TEST_F(Http, AnswersOnOneConnection) {
  metrics_.add([](MetricSheet& sheet) { sheet.gauge("covey_devices", "Devices", 60); });
  run();
  Peer peer(port_);
  const auto health = peer.ask(bhttp::verb::get, "/healthz");
  EXPECT_EQ(health.result_int(), 200u);
  EXPECT_EQ(health.body(), "ok\n");
  const auto metrics = peer.ask(bhttp::verb::get, "/metrics?x=1");
  EXPECT_EQ(metrics[bhttp::field::content_type], "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(metrics.body().find("covey_devices 60\n"), std::string::npos);
  const auto head = peer.ask(bhttp::verb::head, "/healthz");
  EXPECT_EQ(head.result_int(), 200u);
  EXPECT_EQ(head[bhttp::field::content_length], "3");
  EXPECT_EQ(peer.ask(bhttp::verb::get, "/etc/passwd").result_int(), 404u);
  EXPECT_EQ(peer.ask(bhttp::verb::delete_, "/metrics").result_int(), 405u);
  EXPECT_EQ(server_->counters().requests, 5u);
  EXPECT_EQ(server_->counters().accepted, 1u);
}

TEST_F(Http, ReadyzNamesTheReason) {
  run();
  Peer peer(port_);
  const auto nothing = peer.ask(bhttp::verb::get, "/readyz");
  EXPECT_EQ(nothing.result_int(), 503u);
  EXPECT_EQ(nothing.body(), "{\"ready\":false,\"checks\":[]}\n");
  set_checks({{"store", true, ""}, {"broker", false, "it said: \"\xff\""}});
  const auto broken = peer.ask(bhttp::verb::get, "/readyz");
  EXPECT_EQ(broken.result_int(), 503u);
  EXPECT_EQ(broken.body(),
            "{\"ready\":false,\"checks\":[{\"name\":\"store\",\"ok\":true},{\"name\":\"broker\","
            "\"ok\":false,\"reason\":\"it said: \\\"\xef\xbf\xbd\\\"\"}]}\n");
  set_checks({{"store", true, ""}});
  EXPECT_EQ(peer.ask(bhttp::verb::get, "/readyz").result_int(), 200u);
}

TEST_F(Http, RefusesWhatIsTooLargeOrNotHttp) {
  HttpOptions options;
  options.header_bytes_max = 1024;
  run(options);
  const auto status = [&](const std::string& bytes) {
    Peer peer(port_);
    peer.send(bytes);
    return peer.rest().substr(0, 12);
  };
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n"), "HTTP/1.1 431");
  EXPECT_EQ(status("GET /" + std::string(2000, 'x')), "HTTP/1.1 431");
  EXPECT_EQ(status("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), "HTTP/1.1 413");
  EXPECT_EQ(status("\x16\x03\x01 not http\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(server_->counters().bad_requests, 4u);
}

TEST_F(Http, SlowClientsAreClosed) {
  HttpOptions options;
  options.header_timeout = 150ms;
  options.idle_timeout = 150ms;
  run(options);
  Peer silent(port_);
  EXPECT_EQ(silent.rest(), "");
  EXPECT_TRUE(silent.closed());
  // One byte at a time keeps each read busy, but not the request's deadline.
  Peer loris(port_);
  const auto start = std::chrono::steady_clock::now();
  size_t sent = 0;
  const std::string request = "GET /healthz HTTP/1.1\r\nX: " + std::string(4000, 'x');
  while (sent < request.size() && loris.send(request.substr(sent, 1)) &&
         server_->counters().timeouts < 2) {
    ++sent;
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_LT(sent, request.size());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
  // A good client that then says nothing more.
  Peer idle(port_);
  EXPECT_EQ(idle.ask(bhttp::verb::get, "/healthz").result_int(), 200u);
  idle.rest();
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(eventually([&] { return server_->counters().open == 0; }));
  EXPECT_EQ(server_->counters().timeouts, 3u);
}

TEST_F(Http, AClientThatDoesNotReadIsClosed) {
  metrics_.add([](MetricSheet& sheet) {
    sheet.gauge("covey_big", "", 1, {{"text", std::string(20'000'000, 'x')}});
  });
  HttpOptions options;
  options.reply_timeout = 150ms;
  run(options);
  Peer deaf(port_);
  ASSERT_TRUE(deaf.send("GET /metrics HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(eventually([&] { return server_->counters().timeouts == 1; }));
}

TEST_F(Http, WhoLetsUsWaitLongestGivesWay) {
  HttpOptions options;
  options.connections_max = 2;
  run(options);
  {
    Peer first(port_);
    ASSERT_EQ(first.ask(bhttp::verb::get, "/healthz").result_int(), 200u);
    Peer second(port_);
    ASSERT_TRUE(second.send("GET /healthz HTTP/1.1\r\nX: "));
    ASSERT_TRUE(eventually([&] { return server_->counters().accepted == 2; }));
    Peer third(port_);
    EXPECT_EQ(third.ask(bhttp::verb::get, "/healthz").result_int(), 200u);
    first.rest();
    EXPECT_TRUE(first.closed());
    EXPECT_EQ(server_->counters().evicted, 1u);
    Peer fourth(port_);
    EXPECT_EQ(fourth.ask(bhttp::verb::get, "/healthz").result_int(), 200u);
    second.rest();
    EXPECT_TRUE(second.closed());
    EXPECT_EQ(server_->counters().refused_full, 0u);
  }
  ASSERT_TRUE(eventually([&] { return server_->counters().open == 0; }));
}

TEST_F(Http, ProbesAreAnsweredBehindManyWhoDripTheirHeader) {
  HttpOptions options;
  options.connections_max = 8;
  run(options);
  std::vector<std::unique_ptr<Peer>> dripping;
  for (int i = 0; i < 64; ++i) {
    dripping.push_back(std::make_unique<Peer>(port_));
    (void)dripping.back()->send("GET /healthz HTTP/1.1\r\nX: ");
    if (i % 8 != 0) continue;
    Peer probe(port_);
    EXPECT_EQ(probe.ask(bhttp::verb::get, "/healthz").result_int(), 200u);
  }
  EXPECT_LE(server_->counters().open, 9u);
  EXPECT_GT(server_->counters().evicted, 0u);
}

TEST_F(Http, PipelinedRequestsAndTheLimitPerConnection) {
  HttpOptions options;
  options.requests_per_connection_max = 2;
  run(options);
  Peer peer(port_);
  const std::string one = "GET /healthz HTTP/1.1\r\n\r\n";
  ASSERT_TRUE(peer.send(one + one + one));
  const std::string text = peer.rest();
  EXPECT_TRUE(peer.closed());
  size_t answers = 0;
  for (size_t at = text.find("HTTP/1.1 200"); at != std::string::npos;
       at = text.find("HTTP/1.1 200", at + 1)) {
    ++answers;
  }
  EXPECT_EQ(answers, 2u);
}

TEST_F(Http, StopsWithOpenConnections) {
  run();
  Peer idle(port_);
  EXPECT_EQ(idle.ask(bhttp::verb::get, "/healthz").result_int(), 200u);
  server_.reset();
  idle.rest();
  EXPECT_TRUE(idle.closed());
}

TEST_F(Http, ErrorsSayWhatToDo) {
  run();
  HttpOptions taken;
  taken.port = port_;
  EXPECT_EQ(HttpServer(taken, metrics_, {}).start().error().reason, "ADDRESS_IN_USE");
}

}  // namespace
}  // namespace covey::http
