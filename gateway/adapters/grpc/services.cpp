// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/services.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "covey/v1/admin.grpc.pb.h"
#include "covey/v1/devices.grpc.pb.h"
#include "covey/v1/models.grpc.pb.h"
#include "covey/v1/monitoring.grpc.pb.h"
#include "covey/v1/rollouts.grpc.pb.h"
#include "gateway/api/handlers.hpp"
#include "gateway/api/scope.hpp"

namespace covey::api {
namespace {

Interest::Deadline deadline_of(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) {
    return Interest::Deadline::max();
  }
  const auto left = std::min<std::chrono::system_clock::duration>(
      deadline - std::chrono::system_clock::now(), std::chrono::hours(24));
  return std::chrono::steady_clock::now() + left;
}

// Keeps itself alive until gRPC is done with it; finishes once, by the handler or by a cancel.
template <typename Req, typename Resp>
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(SessionPtr session, grpc::CallbackServerContext& context, Resp& response)
      : context_(context),
        response_(response),
        interest_(std::make_shared<Interest>(deadline_of(context))),
        peer_(session->peer_of(context)),
        in_flight_(std::move(session), peer_) {}

  template <Role kLeast>
  static grpc::ServerUnaryReactor* start(const SessionPtr& session,
                                         grpc::CallbackServerContext* context, const Req* request,
                                         Resp* response, const access::Rule& rule,
                                         void (*handler)(const CallPtr<Req, Resp>&)) {
    static_assert(kLeast != Role::kCi || Scoped<Req>, "gateway/api/scope.hpp lacks this request");
    const auto reactor = std::make_shared<UnaryReactor>(session, *context, *response);
    reactor->self_ = reactor;
    Result<Caller> caller = session->admit(reactor->peer_, *context, rule);
    if (!caller) {
      reactor->end(caller.error(), nullptr);
      return reactor.get();
    }
    if constexpr (Scoped<Req>) {
      const ModelScope model = scope_of(*request);
      const Status in_scope =
          model ? session->access->admit_model(*caller, *model, rule) : Status();
      if (!in_scope) {
        reactor->end(in_scope, nullptr);
        return reactor.get();
      }
    }
    // Nothing is computed for who does not read what there is.
    if (const Status room = reactor->in_flight_.hold(1); !room) {
      reactor->end(room, nullptr);
      return reactor.get();
    }
    reactor->in_flight_.taken();
    const auto place = Session::begin_question(session, reactor->peer_->caller.via);
    if (!place) {
      reactor->end(engine_busy(), nullptr);
      return reactor.get();
    }
    const auto call = std::make_shared<Call<Req, Resp>>();
    call->context = session->context;
    call->request = *request;
    call->caller = *std::move(caller);
    call->interest = reactor->interest_;
    call->finish = [reactor, place, raw = call.get()](const Status& status) {
      reactor->end(status, &raw->response);
    };
    handler(call);
    return reactor.get();
  }

  void OnCancel() override {
    interest_->lose();
    end(Error{static_cast<Code>(1), "CANCELLED", "the client has gone"}, nullptr);
  }
  void OnDone() override {
    in_flight_.end();
    self_.reset();
  }

 private:
  void end(Status status, Resp* response) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
    }
    in_flight_.taken();
    if (status && response != nullptr) {
      status = in_flight_.hold(response->ByteSizeLong());
      if (status) response_.Swap(response);
    }
    // gRPC may write the response later: a reactor that ends before it was returned is bound first.
    Finish(to_grpc(status, context_));
  }

  grpc::CallbackServerContext& context_;
  Resp& response_;
  const InterestPtr interest_;
  const PeerPtr peer_;
  std::shared_ptr<UnaryReactor> self_;
  std::mutex mutex_;
  bool ended_ = false;  // guarded by mutex_
  InFlight in_flight_;
};

#define COVEY_UNARY(Method, handler, role, effect)                                     \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context,               \
                                   const v1::Method##Request* request,                 \
                                   v1::Method##Response* response) override {          \
    return UnaryReactor<v1::Method##Request, v1::Method##Response>::start<Role::role>( \
        session_, context, request, response, {#Method, Role::role}, &(handler));      \
  }

// Streams are written by hand, with their row.
#define COVEY_STREAM(Method, role, effect) \
  static constexpr access::Rule rule_of_##Method{#Method, Role::role};

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
    return create_release(session_, *context, *response, rule_of_CreateRelease);
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
    return watch_rollout(session_, *context, *request, rule_of_WatchRollout);
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

}  // namespace covey::api
