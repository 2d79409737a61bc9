// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/server.hpp"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <array>

#include "gateway/adapters/grpc/acceptor.hpp"
#include "gateway/adapters/grpc/peer.hpp"
#include "gateway/adapters/grpc/probe.hpp"
#include "gateway/adapters/grpc/services.hpp"
#include "gateway/adapters/grpc/serving.hpp"

namespace covey {
namespace {

constexpr size_t kMemoryBytes = 256U << 20U;
constexpr int kThreadsMax = 16;
constexpr Millis kGoodbye{100};  // for clients to hear that the server goes

// Idle HTTP/2 connections would stay for ever by default (docs/design/libraries.md, "gRPC").
void limit(grpc::ServerBuilder& builder, const GrpcOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMax));
  grpc::ResourceQuota quota("covey");
  quota.Resize(kMemoryBytes).SetMaxThreads(kThreadsMax);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 64);
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

}  // namespace

struct GrpcServer::Impl {
  std::shared_ptr<api::Session> session;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<api::Acceptor> acceptor;
  // By Peer.
  std::array<std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>, api::kPeers>
      connections;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<api::Serving> serving;
  std::unique_ptr<api::Probe> probe;
  bool stopped = false;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() { stop(Millis{0}); }

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(runtime::EnginePort& engine,
                                                      const GrpcOptions& options) {
  auto impl = std::make_unique<Impl>();
  Result<std::unique_ptr<api::Acceptor>> acceptor =
      api::Acceptor::listen(options.host, options.port, options.unix_path, options.max_connections);
  if (!acceptor) return acceptor.error();
  impl->acceptor = *std::move(acceptor);
  impl->session = std::make_shared<api::Session>(std::make_shared<const api::Context>(api::Context{
      engine, options.site, options.version, options.start_id, std::chrono::steady_clock::now()}));
  impl->services = api::make_services(impl->session);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  limit(builder, options);
  for (const auto& service : impl->services) builder.RegisterService(service.get());
  for (size_t peer = 0; peer < api::kPeers; ++peer) {
    impl->connections[peer] = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        api::credentials_of(static_cast<api::Peer>(peer)));
  }
  impl->server = builder.BuildAndStart();
  if (impl->server == nullptr) {
    return Error{Code::kInternal, "GRPC_LISTEN", "gRPC refuses to start"};
  }
  impl->serving = std::make_unique<api::Serving>(engine, *impl->server->GetHealthCheckService(),
                                                 options.health_interval);
  impl->acceptor->start([all = &impl->connections](api::Peer peer, int listener, int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listener;
    connection.fd = fd;
    (*all)[static_cast<size_t>(peer)]->HandleNewConnection(&connection);
  });
  impl->probe = std::make_unique<api::Probe>(options.host, impl->acceptor->port(),
                                             options.probe_interval, options.probe_timeout);
  return std::make_unique<GrpcServer>(std::move(impl));
}

std::string GrpcServer::unreachable() const { return impl_->probe->failure(); }

int GrpcServer::port() const { return impl_->acceptor->port(); }

void GrpcServer::stop(Millis deadline) {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->probe->stop();
  impl_->serving->stop();
  impl_->acceptor->stop();
  impl_->session->shut_down();
  // gRPC alone would give connections that say nothing the whole deadline.
  const auto end = std::chrono::system_clock::now() + deadline;
  impl_->session->wait_for_calls(deadline);
  impl_->server->Shutdown(std::min(end, std::chrono::system_clock::now() + kGoodbye));
  impl_->session->verifier.stop(Millis{0});
}

}  // namespace covey
