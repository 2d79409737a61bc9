// SPDX-License-Identifier: Apache-2.0
// CreateRelease: pieces in, then verified on a lane, then one command to the engine.
#include <mutex>

#include "gateway/adapters/grpc/peer.hpp"
#include "gateway/adapters/grpc/services.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/upload_assembly.hpp"

namespace covey::api {
namespace {

class Upload final : public grpc::ServerReadReactor<v1::CreateReleaseRequest>,
                     public std::enable_shared_from_this<Upload> {
 public:
  Upload(SessionPtr session, grpc::CallbackServerContext& context,
         v1::CreateReleaseResponse& response)
      : session_(std::move(session)),
        context_(context),
        response_(response),
        caller_(caller_of(context)),
        in_flight_(session_) {}
  ~Upload() override {
    if (counted_) session_->uploads.fetch_sub(1);
  }

  void start() {
    self_ = shared_from_this();
    counted_ = true;
    if (session_->uploads.fetch_add(1) >= kUploadsMax) {
      return end(Error{Code::kResourceExhausted, "TOO_MANY_UPLOADS",
                       "other releases are being uploaded: try again in a minute"});
    }
    StartRead(&part_);
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      if (Status taken = assembly_.take(part_); !taken) return end(taken);
      // Under the lock: nothing may be started after Finish.
      const std::lock_guard lock(mutex_);
      if (!ended_) StartRead(&part_);
      return;
    }
    if (Status complete = assembly_.complete(); !complete) return end(complete);
    read_trust();
  }
  void OnCancel() override { end(Error{static_cast<Code>(1), "CANCELLED", "the client has gone"}); }
  void OnDone() override {
    in_flight_.end();
    self_.reset();
  }

 private:
  void read_trust() {
    const auto self = shared_from_this();
    const auto trusted = std::make_shared<TrustStore>();
    session_->context->engine.read(
        [trusted](const engine::Engine& engine) { *trusted = engine.state().catalogue.trust; },
        [self, trusted](const Status& looked) {
          if (!looked) return self->end(looked);
          const bool posted =
              self->session_->verifier.post([self, trusted] { self->verify(*trusted); });
          if (!posted) self->end(engine_busy());
        });
  }

  void verify(const TrustStore& trusted) {
    Result<Artifacts> artifacts = assembly_.verify(trusted);
    if (!artifacts) return end(artifacts.error());
    session_->context->engine.submit(
        request_of(caller_, engine::CreateRelease{assembly_.release(), *std::move(artifacts)}),
        [self = shared_from_this()](const Result<engine::CommandReply>& reply) {
          if (!reply) return self->end(reply.error());
          self->show(reply->already_existed);
        });
  }

  void show(bool already_existed) {
    answer_.set_already_existed(already_existed);
    const auto self = shared_from_this();
    session_->context->engine.read(
        [self](const engine::Engine& engine) {
          const auto found = engine.state().catalogue.releases.find(self->assembly_.release());
          if (found == engine.state().catalogue.releases.end()) return;
          fill(*self->answer_.mutable_release(), engine.state(), found->second);
        },
        [self](const Status& looked) { self->end(looked); });
  }

  void end(const Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
    }
    if (status) response_.Swap(&answer_);
    Finish(to_grpc(status, context_));
  }

  const SessionPtr session_;
  grpc::CallbackServerContext& context_;
  v1::CreateReleaseResponse& response_;  // gRPC's; ours until Finish
  const Caller caller_;
  InFlight in_flight_;
  std::shared_ptr<Upload> self_;
  bool counted_ = false;
  v1::CreateReleaseRequest part_;
  UploadAssembly assembly_;
  v1::CreateReleaseResponse answer_;

  std::mutex mutex_;
  bool ended_ = false;  // guarded by mutex_
};

}  // namespace

grpc::ServerReadReactor<v1::CreateReleaseRequest>* create_release(
    const SessionPtr& session, grpc::CallbackServerContext& context,
    v1::CreateReleaseResponse& response) {
  const auto upload = std::make_shared<Upload>(session, context, response);
  upload->start();
  return upload.get();
}

}  // namespace covey::api
