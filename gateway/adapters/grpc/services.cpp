// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/services.hpp"

#include <mutex>

#include "covey/v1/admin.grpc.pb.h"
#include "covey/v1/devices.grpc.pb.h"
#include "covey/v1/models.grpc.pb.h"
#include "covey/v1/monitoring.grpc.pb.h"
#include "covey/v1/rollouts.grpc.pb.h"
#include "gateway/adapters/grpc/peer.hpp"
#include "gateway/api/handlers.hpp"

namespace covey::api {
namespace {

// Keeps itself alive until gRPC is done with it; finishes once, by the handler or by a cancel.
template <typename Req, typename Resp>
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(SessionPtr session, grpc::CallbackServerContext& context, Resp& response)
      : context_(context), response_(response), in_flight_(std::move(session)) {}

  static grpc::ServerUnaryReactor* start(const SessionPtr& session,
                                         grpc::CallbackServerContext* context, const Req* request,
                                         Resp* response,
                                         void (*handler)(const CallPtr<Req, Resp>&)) {
    const auto reactor = std::make_shared<UnaryReactor>(session, *context, *response);
    reactor->self_ = reactor;
    const auto call = std::make_shared<Call<Req, Resp>>();
    call->context = session->context;
    call->request = *request;
    call->caller = caller_of(*context);
    call->finish = [reactor, raw = call.get()](const Status& status) {
      reactor->end(status, &raw->response);
    };
    handler(call);
    return reactor.get();
  }

  void OnCancel() override {
    end(Error{static_cast<Code>(1), "CANCELLED", "the client has gone"}, nullptr);
  }
  void OnDone() override {
    in_flight_.end();
    self_.reset();
  }

 private:
  void end(const Status& status, Resp* response) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
    }
    if (status && response != nullptr) response_.Swap(response);
    Finish(to_grpc(status, context_));
  }

  grpc::CallbackServerContext& context_;
  Resp& response_;
  std::shared_ptr<UnaryReactor> self_;
  std::mutex mutex_;
  bool ended_ = false;  // guarded by mutex_
  InFlight in_flight_;
};

#define COVEY_UNARY(Method, handler, role, effect)                            \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context,      \
                                   const v1::Method##Request* request,        \
                                   v1::Method##Response* response) override { \
    return UnaryReactor<v1::Method##Request, v1::Method##Response>::start(    \
        session_, context, request, response, &(handler));                    \
  }

// Streams are written by hand.
#define COVEY_STREAM(Method, role, effect)

class Devices final : public v1::DeviceService::CallbackService {
 public:
  explicit Devices(SessionPtr session) : session_(std::move(session)) {}
  COVEY_DEVICE_RPCS(COVEY_UNARY, COVEY_STREAM)

 private:
  SessionPtr session_;
};

class Models final : public v1::ModelService::CallbackService {
 public:
  explicit Models(SessionPtr session) : session_(std::move(session)) {}
  COVEY_MODEL_RPCS(COVEY_UNARY, COVEY_STREAM)
  grpc::ServerReadReactor<v1::CreateReleaseRequest>* CreateRelease(
      grpc::CallbackServerContext* context, v1::CreateReleaseResponse* response) override {
    return create_release(session_, *context, *response);
  }

 private:
  SessionPtr session_;
};

class Rollouts final : public v1::RolloutService::CallbackService {
 public:
  explicit Rollouts(SessionPtr session) : session_(std::move(session)) {}
  COVEY_ROLLOUT_RPCS(COVEY_UNARY, COVEY_STREAM)
  grpc::ServerWriteReactor<v1::WatchRolloutResponse>* WatchRollout(
      grpc::CallbackServerContext* context, const v1::WatchRolloutRequest* request) override {
    return watch_rollout(session_, *context, *request);
  }

 private:
  SessionPtr session_;
};

class Monitoring final : public v1::MonitoringService::CallbackService {
 public:
  explicit Monitoring(SessionPtr session) : session_(std::move(session)) {}
  COVEY_MONITORING_RPCS(COVEY_UNARY, COVEY_STREAM)

 private:
  SessionPtr session_;
};

class Admin final : public v1::AdminService::CallbackService {
 public:
  explicit Admin(SessionPtr session) : session_(std::move(session)) {}
  COVEY_ADMIN_RPCS(COVEY_UNARY, COVEY_STREAM)

 private:
  SessionPtr session_;
};

#undef COVEY_STREAM
#undef COVEY_UNARY

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> make_services(const SessionPtr& session) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<Devices>(session));
  services.push_back(std::make_unique<Models>(session));
  services.push_back(std::make_unique<Rollouts>(session));
  services.push_back(std::make_unique<Monitoring>(session));
  services.push_back(std::make_unique<Admin>(session));
  return services;
}

uint64_t Session::on_shutdown(std::function<void()> end) {
  {
    const std::lock_guard lock(mutex_);
    if (!down_) {
      ends_.emplace(next_, std::move(end));
      return next_++;
    }
  }
  end();
  return 0;
}

void Session::forget(uint64_t id) {
  const std::lock_guard lock(mutex_);
  ends_.erase(id);
}

void Session::shut_down() {
  std::map<uint64_t, std::function<void()>> ends;
  {
    const std::lock_guard lock(mutex_);
    down_ = true;
    ends.swap(ends_);
  }
  for (const auto& [id, end] : ends) end();
}

void Session::wait_for_calls(Millis longest) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, longest, [this] { return calls_ == 0; });
}

InFlight::InFlight(std::shared_ptr<Session> session) : session_(std::move(session)) {
  const std::lock_guard lock(session_->mutex_);
  ++session_->calls_;
}

void InFlight::end() {
  const std::shared_ptr<Session> session = std::exchange(session_, nullptr);
  if (!session) return;
  const std::lock_guard lock(session->mutex_);
  if (--session->calls_ == 0) session->ended_.notify_all();
}

grpc::Status to_grpc(const Status& status, grpc::CallbackServerContext& context) {
  if (status) return grpc::Status::OK;
  const Error& error = status.error();
  context.AddTrailingMetadata("covey-reason", error.reason);
  // Messages may quote what was sent, and gRPC's status text must be valid UTF-8.
  std::string message;
  for (const char c : error.message) {
    const bool plain = c == '\n' || c == '\t' || (c >= ' ' && c <= '~');
    message += plain ? c : '?';
  }
  return {static_cast<grpc::StatusCode>(error.code), message};
}

}  // namespace covey::api
