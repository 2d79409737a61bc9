// SPDX-License-Identifier: Apache-2.0
#include "cli/connect/client.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "cli/connect/tls_explained.hpp"
#include "core/duration.hpp"
#include "covey/v1/models.grpc.pb.h"
#include "covey/v1/rollouts.grpc.pb.h"

namespace covey::cli {
namespace {

using Clock = std::chrono::system_clock;
constexpr size_t kPieceBytes = 32U << 10U;
constexpr Millis kRetryPause{100};
constexpr Millis kConnectSlice{1000};  // of waiting for a coveyd that is gone
constexpr Millis kUploadFactor{10};    // an upload may take this many time-outs

std::string target_of(const std::string& address) {
  if (!address.empty() && address.front() == '/') return "unix:" + address;
  return address;
}

std::string method_of(const google::protobuf::Message& request) {
  const google::protobuf::FileDescriptor* file = request.GetDescriptor()->file();
  for (int s = 0; s < file->service_count(); ++s) {
    for (int m = 0; m < file->service(s)->method_count(); ++m) {
      const google::protobuf::MethodDescriptor* method = file->service(s)->method(m);
      if (method->input_type() == request.GetDescriptor()) {
        return "/" + file->service(s)->full_name() + "/" + method->name();
      }
    }
  }
  return "";
}

}  // namespace

struct Client::Connection {
  std::string address;
  Millis timeout;
  Credentials credentials;
  std::shared_ptr<grpc::Channel> channel;

  bool over_tls() const {
    return credentials.tls && !address.starts_with("unix:") && !address.starts_with("/");
  }
  Status authorize(grpc::ClientContext& context) const {
    if (credentials.token.empty()) return {};
    if (!over_tls() && !is_local(address)) {
      return precondition("TOKEN_IN_CLEAR",
                          fmt::format("the token is not sent to {} without TLS, where others could "
                                      "read it: --ca FILE, or `covey login`",
                                      address));
    }
    context.AddMetadata("authorization", "Bearer " + credentials.token);
    return {};
  }

  // `waited`: how long the answer was waited for.
  Error error_of(const grpc::Status& status, const grpc::ClientContext& context,
                 Millis waited) const {
    Error error{static_cast<Code>(status.error_code()), "", status.error_message()};
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto reason = trailers.find("covey-reason");
    if (reason != trailers.end()) {
      error.reason.assign(reason->second.data(), reason->second.size());
    } else if (const std::optional<Error> why = error.code == Code::kUnavailable
                                                    ? explain_tls(address, credentials)
                                                    : std::nullopt) {
      error = *why;
    } else if (error.code == Code::kUnavailable) {
      error.reason = "UNREACHABLE";
      error.message = fmt::format(
          "cannot reach coveyd at {} ({}): is it running? `coveyd --data DIR` starts it; --data, "
          "--address or `covey context use` choose another site",
          address, status.error_message());
    } else if (error.code == Code::kDeadlineExceeded) {
      error.reason = "TIMED_OUT";
      error.message = fmt::format("no answer from {} within {}: --timeout allows more", address,
                                  to_string(waited));
    } else {
      error.reason = std::string(to_string(error.code));
    }
    return error;
  }
};

Client::Client(const std::string& address, Millis timeout, const Credentials& credentials)
    : connection_(std::make_unique<Connection>()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Despite its name: how long one attempt to connect may take. A busy site needs its time.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  connection_->address = address;
  connection_->timeout = timeout;
  connection_->credentials = credentials;
  std::shared_ptr<grpc::ChannelCredentials> channel = grpc::InsecureChannelCredentials();
  if (connection_->over_tls()) {
    channel = grpc::SslCredentials({.pem_root_certs = credentials.ca,
                                    .pem_private_key = credentials.key,
                                    .pem_cert_chain = credentials.certificate});
  }
  connection_->channel = grpc::CreateCustomChannel(target_of(address), channel, arguments);
}
Client::~Client() = default;

Status Client::call(const google::protobuf::Message& request, google::protobuf::Message& response) {
  using Message = google::protobuf::Message;
  grpc::ClientContext context;
  context.set_deadline(Clock::now() + connection_->timeout);
  if (Status may = connection_->authorize(context); !may) return may;
  grpc::TemplatedGenericStub<Message, Message> stub(connection_->channel);
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method_of(request), grpc::StubOptions(), &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  if (status.ok()) return {};
  return connection_->error_of(status, context, connection_->timeout);
}

Status Client::watch_rollout(const std::string& name, Millis longest,
                             const std::function<bool(const v1::Rollout&)>& seen,
                             const std::function<void(bool up)>& connection) {
  const auto stub = v1::RolloutService::NewStub(connection_->channel);
  const Clock::time_point end =
      longest.count() > 0 ? Clock::now() + longest : Clock::time_point::max();
  v1::WatchRolloutRequest request;
  request.set_name(name);
  bool connected = false;
  bool up = true;
  for (;;) {
    grpc::ClientContext context;
    if (longest.count() > 0) context.set_deadline(end);
    if (Status may = connection_->authorize(context); !may) return may;
    const auto stream = stub->WatchRollout(&context, request);
    v1::WatchRolloutResponse response;
    while (stream->Read(&response)) {
      connected = true;
      if (!std::exchange(up, true)) connection(true);
      request.set_after_revision(response.rollout().revision());
      if (seen(response.rollout())) continue;
      context.TryCancel();
      (void)stream->Finish();
      return {};
    }
    const grpc::Status status = stream->Finish();
    if (status.ok()) return {};
    // A server that ends its last streams sometimes resets them before their status is out.
    const bool gone = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::CANCELLED;
    if (!gone || !connected) {
      return connection_->error_of(status, context, longest);
    }
    // coveyd restarts: wait for it, then resume after the last revision seen.
    if (std::exchange(up, false)) connection(false);
    std::this_thread::sleep_for(kRetryPause);  // one that is stopping may still take calls
    while (!connection_->channel->WaitForConnected(std::min(end, Clock::now() + kConnectSlice))) {
      if (Clock::now() < end) continue;
      return Error{Code::kDeadlineExceeded, "TIMED_OUT",
                   connection_->error_of(status, context, longest).message};
    }
  }
}

Result<v1::CreateReleaseResponse> Client::create_release(
    const v1::ReleaseHeader& header, const std::vector<Bytes>& images,
    const std::function<void(uint64_t sent, uint64_t total)>& progress) {
  const auto stub = v1::ModelService::NewStub(connection_->channel);
  grpc::ClientContext context;
  context.set_deadline(Clock::now() + connection_->timeout * kUploadFactor.count());
  if (Status may = connection_->authorize(context); !may) return may.error();
  v1::CreateReleaseResponse response;
  const auto stream = stub->CreateRelease(&context, &response);
  uint64_t total = 0;
  for (const Bytes& image : images) total += image.size();
  uint64_t sent = 0;
  v1::CreateReleaseRequest part;
  *part.mutable_header() = header;
  bool open = stream->Write(part);
  for (size_t i = 0; open && i < images.size(); ++i) {
    for (size_t at = 0; open && at < images[i].size(); at += kPieceBytes) {
      const size_t size = std::min(kPieceBytes, images[i].size() - at);
      part.mutable_piece()->set_artifact(static_cast<uint32_t>(i));
      part.mutable_piece()->set_data(images[i].data() + at, size);
      open = stream->Write(part);
      sent += size;
      progress(sent, total);
    }
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  if (status.ok()) return response;
  return connection_->error_of(status, context, connection_->timeout * kUploadFactor.count());
}

}  // namespace covey::cli
