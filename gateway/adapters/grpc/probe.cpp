// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/probe.hpp"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <future>
#include <utility>

namespace covey::api {

std::string tcp_target(const std::string& host, int port) {
  if (host.find(':') != std::string::npos) return fmt::format("ipv6:[{}]:{}", host, port);
  return fmt::format("ipv4:{}:{}", host, port);
}

Probe::Probe(std::string target, bool tls, Millis interval, Millis timeout)
    : target_(std::move(target)),
      tls_(tls),
      interval_(interval),
      timeout_(timeout),
      thread_([this] { run(); }) {}

void Probe::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (asking_ != nullptr) asking_->TryCancel();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string Probe::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Probe::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    std::string failure = ask();
    lock.lock();
    failure_ = std::move(failure);
    wake_.wait_for(lock, interval_, [this] { return stopping_; });
  }
}

namespace {

// Whether we answer is the question, not who we are.
std::shared_ptr<grpc::ChannelCredentials> of_ourselves(bool tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

std::string Probe::ask() {
  grpc::ChannelArguments arguments;
  // A connection of its own each time: whether one can be made is the question.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  grpc::GenericStub stub(grpc::CreateCustomChannel(target_, of_ourselves(tls_), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return "";
    asking_ = &context;
  }
  const grpc::Slice nothing("");  // of the whole server, not of one service
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  {
    const std::lock_guard lock(mutex_);
    asking_ = nullptr;
  }
  if (status.ok()) return "";
  return "GRPC_UNREACHABLE: a call over " + target_ + " is not answered (" +
         status.error_message() +
         "): too many connections (grpc.max_connections) or file descriptors are open";
}

}  // namespace covey::api
