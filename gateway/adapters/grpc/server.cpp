// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/server.hpp"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <sys/resource.h>

#include <algorithm>
#include <future>
#include <thread>

#include "gateway/adapters/grpc/acceptor.hpp"
#include "gateway/adapters/grpc/probe.hpp"
#include "gateway/adapters/grpc/relay.hpp"
#include "gateway/adapters/grpc/services.hpp"
#include "gateway/adapters/grpc/serving.hpp"
#include "gateway/adapters/log/log.hpp"

namespace covey {
namespace {

constexpr size_t kMemoryBytes = 256U << 20U;
constexpr int kThreadsMax = 16;
constexpr Millis kGoodbye{100};                    // for clients to hear that the server goes
constexpr Millis kFlush{500};                      // for its last words to leave
constexpr Millis kHardEnd{3'000};                  // of gRPC, once its connections are closed
constexpr uint64_t kDescriptorsOfOthers = 300;     // store, broker, devices' side, HTTP, files
constexpr uint64_t kDescriptorsPerConnection = 3;  // the client's, and both ends of gRPC's

// Idle HTTP/2 connections would stay for ever by default (docs/design/libraries.md, "gRPC").
void limit(grpc::ServerBuilder& builder, const GrpcOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMax));
  grpc::ResourceQuota quota("covey");
  quota.Resize(kMemoryBytes).SetMaxThreads(kThreadsMax);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 3'600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(options.handshake_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  // Reflection is the only synchronous service.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

// No more places than descriptors are left for: gRPC does not recover from having none.
api::RelayOptions places(const GrpcOptions& options) {
  api::RelayOptions relay{.tcp_max = options.max_connections,
                          .per_address_max = options.max_connections_per_address,
                          .unix_max = options.max_connections,
                          .handshake_timeout = options.handshake_timeout,
                          .tls = options.server_tls};
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return relay;
  const uint64_t free =
      files.rlim_cur - std::min<uint64_t>(files.rlim_cur / 2, kDescriptorsOfOthers);
  const uint64_t most = std::max<uint64_t>(free / kDescriptorsPerConnection, 8);
  if (uint64_t{relay.tcp_max} + relay.unix_max <= most) return relay;
  relay.unix_max = static_cast<uint32_t>(std::min<uint64_t>(relay.unix_max, most / 4));
  relay.tcp_max = static_cast<uint32_t>(std::min<uint64_t>(relay.tcp_max, most - relay.unix_max));
  relay.per_address_max = std::min(relay.per_address_max, relay.tcp_max);
  log::log_event(log::Level::kWarn, "api_connections_cut",
                 {{"max_connections", relay.tcp_max},
                  {"over_unix", relay.unix_max},
                  {"open_files", uint64_t{files.rlim_cur}},
                  {"text", "raise the limit of open files (ulimit -n, LimitNOFILE) for more"}});
  return relay;
}

template <typename Reason, size_t kCount>
GrpcCounters::Reasons by_reason(const std::array<uint64_t, kCount>& counts, size_t first) {
  GrpcCounters::Reasons reasons;
  for (size_t i = first; i < kCount; ++i) {
    reasons.emplace_back(to_string(static_cast<Reason>(i)), counts[i]);
  }
  return reasons;
}

}  // namespace

struct GrpcServer::Impl {
  std::shared_ptr<api::Session> session;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<api::Relay> relay;
  std::unique_ptr<api::Acceptor> acceptor;
  std::unique_ptr<api::Serving> serving;
  std::unique_ptr<api::Probe> probe;
  bool stopped = false;
};

GrpcServer::GrpcServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() { stop(Millis{0}); }

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(runtime::EnginePort& engine,
                                                      const GrpcOptions& options) {
  auto impl = std::make_shared<Impl>();
  const auto access = options.access ? options.access : std::make_shared<access::Access>();
  Result<std::unique_ptr<api::Acceptor>> acceptor = api::Acceptor::listen(
      options.host, options.port, options.unix_path, access, options.server_tls != nullptr);
  if (!acceptor) return acceptor.error();
  impl->acceptor = *std::move(acceptor);
  impl->session = std::make_shared<api::Session>(
      std::make_shared<const api::Context>(api::Context{
          engine, options.site, options.version, options.start_id, std::chrono::steady_clock::now(),
          options.tls, options.audit_key, access, options.make_secret}),
      api::SessionOptions{.upload_piece_timeout = options.upload_piece_timeout,
                          .questions_over_tcp_max = options.questions_over_tcp_max},
      access);
  impl->services = api::make_services(impl->session);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  limit(builder, options);
  for (const auto& service : impl->services) builder.RegisterService(service.get());
  impl->connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());  // whose they are, the relay knows
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) {
    return Error{Code::kInternal, "GRPC_LISTEN", "gRPC refuses to start"};
  }
  impl->serving = std::make_unique<api::Serving>(engine, *impl->server->GetHealthCheckService(),
                                                 options.health_interval);
  impl->relay = std::make_unique<api::Relay>(
      places(options), impl->session->peers, access,
      [connections = impl->connections.get()](int fd) {
        grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
        connection.listener_fd = -1;
        connection.fd = fd;
        connections->HandleNewConnection(&connection);
      });
  impl->relay->start();
  impl->acceptor->start(*impl->relay);
  impl->probe = std::make_unique<api::Probe>(
      options.unix_path.empty() ? api::tcp_target(options.host, impl->acceptor->port())
                                : "unix:" + options.unix_path,
      options.unix_path.empty() && options.server_tls != nullptr, options.probe_interval,
      options.probe_timeout);
  return std::make_unique<GrpcServer>(std::move(impl));
}

std::string GrpcServer::unreachable() const { return impl_->probe->failure(); }

int GrpcServer::port() const { return impl_->acceptor->port(); }

GrpcCounters GrpcServer::counters() const {
  const api::RelayCounters relay = impl_->relay->counters();
  return {.refused = by_reason<api::Refusal>(relay.refused, 0),
          .closed = by_reason<api::Offence>(relay.closed, 1),
          .open_tcp = relay.open_tcp,
          .open_unix = relay.open_unix};
}

void GrpcServer::stop(Millis deadline) {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->probe->stop();
  impl_->serving->stop();
  impl_->acceptor->stop();
  impl_->session->shut_down();
  impl_->session->feed.stop();
  (void)impl_->session->wait_for_calls(deadline);
  // gRPC alone would wait for connections that say nothing, and may hang for ever.
  std::promise<void> down;
  std::future<void> is_down = down.get_future();
  std::thread shutdown([impl = impl_, done = std::move(down)]() mutable {
    impl->server->Shutdown(std::chrono::system_clock::now() + kGoodbye);
    done.set_value();
  });
  const bool in_time = is_down.wait_for(kGoodbye + kFlush) == std::future_status::ready;
  impl_->relay->stop(in_time ? kFlush : Millis{0});
  if (in_time || is_down.wait_for(kHardEnd) == std::future_status::ready) {
    shutdown.join();
  } else {
    log::log_event(log::Level::kError, "grpc_hangs",
                   {{"text", "gRPC does not let go of its calls: left behind"}});
    // Neither ever goes: what gRPC holds may still come back to it.
    using Left = std::pair<std::thread, std::shared_ptr<Impl>>;
    (void)std::make_unique<Left>(std::move(shutdown), impl_).release();
  }
  impl_->session->verifier.stop(Millis{0});
}

}  // namespace covey
