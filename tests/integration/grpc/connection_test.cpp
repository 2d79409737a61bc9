// SPDX-License-Identifier: Apache-2.0
// Connections to the API: who may connect, how many, what happens when one or the server goes away.
#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
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
grpc::Status call(const std::string& target, const std::string& method, grpc::ByteBuffer& answer,
                  const std::string& token = "") {
  grpc::GenericStub stub(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
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

TEST_F(Api, each_method_is_for_its_role_and_those_above) {
  using access::Role;
  constexpr std::array kRoles = {Role::kViewer, Role::kCi, Role::kOperator, Role::kAdmin};
  GrpcOptions options;
  options.access = std::make_shared<access::Access>();
  std::atomic<size_t> denials{0};
  options.access->on_denied([&](const access::Denial& denial) {
    EXPECT_EQ(denial.error.reason, "ROLE_MISSING");
    EXPECT_EQ(denial.caller.known, access::Known::kToken);
    ++denials;
  });
  for (const Role role : kRoles) {
    const std::string word(to_string(role));
    options.access->put_token({word, access::token_hash(word), {role, {}}, Millis{0}});
  }
  Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(server.ok()) << server.error().message;
  const std::string target = "127.0.0.1:" + std::to_string((*server)->port());
  size_t expected = 0;
  for (const api::ServiceRules& rules : api::rpc_rules()) {
    for (const api::RpcRule& rule : rules.rpcs) {
      for (const Role role : kRoles) {
        grpc::ByteBuffer answer;
        const std::string method =
            "/" + std::string(rules.service) + "/" + std::string(rule.method);
        const grpc::Status status = call(target, method, answer, std::string(to_string(role)));
        const bool denied = status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
        EXPECT_EQ(denied, role < rule.role) << method << " by " << to_string(role);
        if (!denied) continue;
        ++expected;
        EXPECT_NE(status.error_message().find(to_string(rule.role)), std::string::npos);
      }
    }
  }
  EXPECT_GT(expected, 30U);
  (*server)->stop(Millis{1000});
  EXPECT_EQ(denials, expected);
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

TEST_F(Api, a_call_whose_time_is_over_is_not_computed) {
  cli::Client hasty(local(), Millis{1'000});
  // It is connected: the late call gets as far as the engine.
  ASSERT_TRUE(hasty.call<v1::GetSiteResponse>(v1::GetSiteRequest()).ok());
  // The server's clock of a call may be some milliseconds behind the client's: then it is computed.
  for (int attempt = 0; attempt < 10 && engine_->abandoned == 0; ++attempt) {
    {
      const auto held = engine_->hold();
      const auto late = hasty.call<v1::ListDevicesResponse>(v1::ListDevicesRequest());
      ASSERT_FALSE(late.ok());
      EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
    }
    ASSERT_TRUE(client_->call<v1::GetSiteResponse>(v1::GetSiteRequest()).ok());
  }
  EXPECT_EQ(engine_->abandoned, 1U);
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

// A call that waits for the rest of its request: its connection is not idle.
// Empty: it was closed before.
Descriptor connect_busily(int port) {
  const sockaddr_in address = loopback(port);
  Descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  // The preface, SETTINGS, and HEADERS of stream 1 without END_STREAM.
  std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  std::string block("\x83\x86", 2);  // POST, http
  for (const auto& [name, value] :
       {std::pair<std::string, std::string>{":path", "/covey.v1.AdminService/GetSite"},
        {":authority", "localhost"},
        {"content-type", "application/grpc"},
        {"te", "trailers"}}) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  }
  hello += std::string({0, 0, static_cast<char>(block.size()), 1, 4, 0, 0, 0, 1}) + block;
  hello += std::string("\0\0\10\6\0\0\0\0\0", 9) + std::string(8, 'p');  // PING
  if (send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0) return Descriptor();
  // Answered: the call has begun.
  std::string said;
  std::array<char, 512> bytes{};
  while (said.find("pppppppp") == std::string::npos) {
    const ssize_t count = recv(fd.get(), bytes.data(), bytes.size(), 0);
    if (count <= 0) return Descriptor();
    said.append(bytes.data(), static_cast<size_t>(count));
  }
  return fd;
}

// coveyd calls itself now and then, and may have the last place for a moment.
void take_place(std::vector<Descriptor>& busy, int port) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    Descriptor fd = connect_busily(port);
    if (fd.get() >= 0) return busy.push_back(std::move(fd));
  }
  ADD_FAILURE() << "no place";
}

uint64_t count_of(const GrpcCounters::Reasons& reasons, std::string_view wanted) {
  for (const auto& [reason, count] : reasons) {
    if (reason == wanted) return count;
  }
  ADD_FAILURE() << "no reason " << wanted;
  return 0;
}

TEST_F(Api, idle_connections_beyond_the_limit_give_way) {
  GrpcOptions options;
  options.max_connections = 4;
  options.probe_interval = 20ms;
  options.probe_timeout = 5'000ms;
  Result<std::unique_ptr<GrpcServer>> started = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(started.ok()) << started.error().message;
  const std::unique_ptr<GrpcServer> server = *std::move(started);
  const sockaddr_in address = loopback(server->port());
  std::vector<Descriptor> silent;
  cli::Client client("127.0.0.1:" + std::to_string(server->port()), Millis{10'000});
  for (int i = 0; i < 100; ++i) {
    silent.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        connect(silent.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
        0);
    if (i % 10 != 0) continue;
    // Its own idle connection may give way at the moment of a call: the next one has a new one.
    bool answered = false;
    for (int attempt = 0; attempt < 5 && !answered; ++attempt) {
      answered = client.call<v1::GetSiteResponse>(v1::GetSiteRequest()).ok();
    }
    EXPECT_TRUE(answered);
  }
  const auto end = std::chrono::steady_clock::now() + 20s;
  const auto evicted = [&] { return count_of(server->counters().closed, "evicted"); };
  while ((evicted() <= 50 || !server->unreachable().empty()) &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server->unreachable(), "");
  EXPECT_GT(evicted(), 50U);
  EXPECT_EQ(count_of(server->counters().refused, "full"), 0U);
}

TEST_F(Api, connections_that_say_nothing_are_closed_in_time) {
  GrpcOptions options;
  options.handshake_timeout = 500ms;
  Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(server.ok()) << server.error().message;
  const sockaddr_in address = loopback((*server)->port());
  const Descriptor silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  char byte = 0;
  EXPECT_EQ(recv(silent.get(), &byte, 1, 0), 0);
  EXPECT_EQ(count_of((*server)->counters().closed, "silent"), 1U);
}

TEST_F(Api, strangers_on_tcp_take_no_place_of_the_sockets_owner) {
  std::vector<Descriptor> busy;
  for (uint32_t i = 0; i < kConnectionsMax; ++i) take_place(busy, server_->port());
  cli::Client client(tcp(), Millis{2'000});
  const auto ask = [&] { return client.call<v1::GetSiteResponse>(v1::GetSiteRequest()); };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool refused = false;
  while (!refused && std::chrono::steady_clock::now() < deadline) {
    cli::Client next(tcp(), Millis{2'000});
    const auto answer = next.call<v1::GetSiteResponse>(v1::GetSiteRequest());
    refused = !answer.ok() && answer.error().code == Code::kUnavailable;
  }
  EXPECT_TRUE(refused);
  EXPECT_GT(count_of(server_->counters().refused, "full"), 0U);
  for (int i = 0; i < 4; ++i) {
    cli::Client owner(local(), Millis{10'000});
    EXPECT_TRUE(owner.call<v1::GetSiteResponse>(v1::GetSiteRequest()).ok());
  }
  EXPECT_EQ(server_->unreachable(), "");
  busy.clear();
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < deadline) served = ask().ok();
  EXPECT_TRUE(served);
}

TEST_F(Api, one_address_does_not_take_all_places) {
  GrpcOptions options;
  options.max_connections = 8;
  options.max_connections_per_address = 2;
  Result<std::unique_ptr<GrpcServer>> server = GrpcServer::start(*engine_, options);
  ASSERT_TRUE(server.ok()) << server.error().message;
  std::vector<Descriptor> busy;
  for (int i = 0; i < 2; ++i) take_place(busy, (*server)->port());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (count_of((*server)->counters().refused, "full_of_address") == 0 &&
         std::chrono::steady_clock::now() < deadline) {
    cli::Client next("127.0.0.1:" + std::to_string((*server)->port()), Millis{500});
    (void)next.call<v1::GetSiteResponse>(v1::GetSiteRequest());
  }
  EXPECT_GT(count_of((*server)->counters().refused, "full_of_address"), 0U);
}

}  // namespace
}  // namespace covey
