// SPDX-License-Identifier: Apache-2.0
// Connections to the API: who may connect, how many, what happens when one or the server goes away.
#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <deque>
#include <fstream>
#include <future>
#include <thread>

#include "gateway/adapters/grpc/acceptor.hpp"
#include "gateway/api/rpcs.hpp"
#include "tests/integration/grpc/api_fixture.hpp"

namespace covey {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

TEST_F(Api, serves_tcp_and_a_socket_for_its_owner_only) {
  struct stat entry {};
  ASSERT_EQ(stat((folder_ / "covey.sock").c_str(), &entry), 0);
  EXPECT_EQ(entry.st_mode & 0777U, 0600U);
  cli::Client over_tcp(tcp(), Millis{10'000});
  for (cli::Client* client : {client_.get(), &over_tcp}) {
    const auto site = client->call<v1::GetSiteResponse>(v1::GetSiteRequest());
    ASSERT_TRUE(site.ok()) << site.error().message;
    EXPECT_EQ(site->devices().at("ACCEPTED"), 3U);
    EXPECT_EQ(site->version(), "0.1.0");
    EXPECT_EQ(site->engine_lag_us_p99(), 1234U);
    EXPECT_TRUE(site->checks(0).ok());
  }
}

// As grpc.health.v1 says it: the answer's one field is 1 for SERVING, 2 for NOT_SERVING.
enum class Health : char { kNoAnswer = 0, kServing = 1, kNotServing = 2 };

// An empty request to any method.
grpc::Status call(const std::string& target, const std::string& method, grpc::ByteBuffer& answer) {
  grpc::GenericStub stub(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const grpc::Slice nothing("");
  const grpc::ByteBuffer request(&nothing, 1);
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &answer,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

Health ask_health(const std::string& target) {
  grpc::ByteBuffer answer;
  grpc::Slice body;
  // Of the whole server, not of one service.
  if (!call(target, "/grpc.health.v1.Health/Check", answer).ok() ||
      !answer.DumpToSingleSlice(&body).ok()) {
    return Health::kNoAnswer;
  }
  return body.size() == 2 ? static_cast<Health>(body.begin()[1]) : Health::kNoAnswer;
}

TEST_F(Api, health_is_that_of_the_gateway) {
  EXPECT_EQ(ask_health(local()), Health::kServing);
  server_->stop(Millis{1000});
  engine_->ready = false;  // as one that found its disk full
  start_server();
  EXPECT_EQ(ask_health(local()), Health::kNotServing);
  engine_->ready = true;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  Health health = Health::kNoAnswer;
  while (health != Health::kServing && std::chrono::steady_clock::now() < deadline) {
    health = ask_health(local());
  }
  EXPECT_EQ(health, Health::kServing);
}

TEST_F(Api, serves_each_method_of_the_table) {
  for (const api::ServiceRules& rules : api::rpc_rules()) {
    for (const api::RpcRule& rule : rules.rpcs) {
      grpc::ByteBuffer answer;
      const grpc::Status status =
          call(local(), "/" + std::string(rules.service) + "/" + std::string(rule.method), answer);
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << rule.method;
    }
  }
}

TEST_F(Api, refuses_to_serve_the_world_without_tls) {
  GrpcOptions options;
  options.host = "0.0.0.0";
  const Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().reason, "TLS_REQUIRED");
}

TEST_F(Api, a_socket_left_over_is_replaced_and_a_live_one_is_not) {
  GrpcOptions options;
  options.unix_path = folder_ / "covey.sock";
  EXPECT_EQ(GrpcServer::start(*engine_, options).error().reason, "GRPC_LISTEN");
  server_->stop(Millis{1000});
  { std::ofstream(options.unix_path) << "not a socket"; }
  EXPECT_EQ(GrpcServer::start(*engine_, options).error().reason, "GRPC_LISTEN");
  std::filesystem::remove(options.unix_path);
  EXPECT_TRUE(GrpcServer::start(*engine_, options).ok());
}

TEST_F(Api, stops_in_time_with_a_watch_open_and_an_engine_that_does_not_answer) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  std::promise<void> watching;
  auto watch = std::async(std::launch::async, [&] {
    cli::Client other(tcp(), Millis{10'000});
    bool first = true;
    return other.watch_rollout("rollouts/first", Millis{2'000}, [&](const v1::Rollout&) {
      if (std::exchange(first, false)) watching.set_value();
      return true;
    });
  });
  watching.get_future().wait();
  std::future<Status> stuck;
  {
    const auto held = engine_->hold();
    stuck = std::async(std::launch::async, [&] {
      v1::GetSiteResponse response;
      return client_->call(v1::GetSiteRequest(), response);
    });
    const auto start = std::chrono::steady_clock::now();
    server_->stop(Millis{300});
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
  EXPECT_FALSE(stuck.get().ok());
  EXPECT_FALSE(watch.get().ok());
}

TEST_F(Api, connections_that_say_nothing_do_not_delay_the_stop) {
  const sockaddr_in address = loopback(server_->port());
  const Descriptor silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor half(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (const Descriptor* each : {&silent, &half}) {
    ASSERT_EQ(connect(each->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  // A client that is there and then never answers a ping.
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  ASSERT_EQ(send(half.get(), hello.data(), hello.size(), 0), 33);
  ASSERT_TRUE(client_->call<v1::GetSiteResponse>(v1::GetSiteRequest()).ok());
  const auto start = std::chrono::steady_clock::now();
  server_->stop(Millis{60'000});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(Api, a_watch_outlives_its_server_and_misses_nothing) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  std::promise<void> watching;
  std::promise<void> lost;
  std::vector<bool> connection;
  std::vector<v1::RolloutState> seen;
  auto watch = std::async(std::launch::async, [&] {
    cli::Client other(local(), Millis{10'000});
    return other.watch_rollout(
        "rollouts/first", Millis{0},
        [&](const v1::Rollout& rollout) {
          seen.push_back(rollout.state());
          if (seen.size() == 1) watching.set_value();
          return true;
        },
        [&](bool up) {
          connection.push_back(up);
          if (connection.size() == 1) lost.set_value();
        });
  });
  watching.get_future().wait();
  server_->stop(Millis{1000});
  lost.get_future().wait();
  server_.reset();
  start_server();
  v1::AbortRolloutRequest abort;
  abort.set_name("rollouts/first");
  cli::Client after(local(), Millis{10'000});
  ASSERT_TRUE(after.call<v1::AbortRolloutResponse>(abort).ok());
  const Status watched = watch.get();
  EXPECT_TRUE(watched.ok()) << watched.error().message;
  EXPECT_EQ(connection, (std::vector<bool>{false, true}));
  EXPECT_EQ(seen.back(), v1::ROLLOUT_STATE_ABORTED);
}

TEST_F(Api, a_watch_waits_for_a_server_no_longer_than_asked) {
  push_release();
  ASSERT_TRUE(client_->call<v1::CreateRolloutResponse>(rollout_request()).ok());
  cli::Client other(local(), Millis{10'000});
  const Status watched =
      other.watch_rollout("rollouts/first", Millis{1'000}, [&](const v1::Rollout&) {
        server_->stop(Millis{0});
        return true;
      });
  ASSERT_FALSE(watched.ok());
  EXPECT_EQ(watched.error().code, Code::kDeadlineExceeded);
}

TEST_F(Api, idle_connections_beyond_the_limit_fail_the_probe_and_then_go) {
  GrpcOptions options;
  options.max_connections = 4;
  options.handshake_timeout = 3s;
  options.probe_interval = 20ms;
  options.probe_timeout = 500ms;
  Result<std::unique_ptr<GrpcServer>> started = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(started.ok()) << started.error().message;
  const std::unique_ptr<GrpcServer> server = *std::move(started);
  const sockaddr_in address = loopback(server->port());
  std::deque<Descriptor> silent;  // the newest 200: those that the server closed are replaced
  const auto connect_silently = [&] {
    silent.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    (void)connect(silent.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (silent.size() > 200) silent.pop_front();
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto until = [&](const auto& done) {
    while (!done() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return done();
  };
  EXPECT_TRUE(until([&] {
    connect_silently();
    return !server->unreachable().empty();
  }));
  // Nobody closes them but the server.
  EXPECT_TRUE(until([&] { return server->unreachable().empty(); })) << server->unreachable();
  cli::Client client("127.0.0.1:" + std::to_string(server->port()), Millis{10'000});
  const auto site = client.call<v1::GetSiteResponse>(v1::GetSiteRequest());
  EXPECT_TRUE(site.ok()) << site.error().message;
}

TEST_F(Api, has_a_limit_of_connections_and_recovers) {
  std::vector<Descriptor> silent;
  const sockaddr_in address = loopback(server_->port());
  for (uint32_t i = 0; i < kConnectionsMax; ++i) {
    silent.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        connect(silent.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
        0);
  }
  cli::Client client(tcp(), Millis{2'000});
  const auto ask = [&] { return client.call<v1::GetSiteResponse>(v1::GetSiteRequest()); };
  const auto refused = ask();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  silent.clear();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < deadline) served = ask().ok();
  EXPECT_TRUE(served);
}

}  // namespace
}  // namespace covey
