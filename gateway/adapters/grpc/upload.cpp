// SPDX-License-Identifier: Apache-2.0
// CreateRelease: the header first, whose signatures are looked at before an image is waited for and
// which earns one of the few places; pieces in, each within its time; then verified on a lane, then
// one command to the engine.
#include <fmt/format.h>
#include <grpcpp/alarm.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "gateway/adapters/grpc/services.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/upload_assembly.hpp"
#include "gateway/engine/queries/questions.hpp"

namespace covey::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kLooks = 4;  // at an upload that may stand still, in the time of one piece

class Upload final : public grpc::ServerReadReactor<v1::CreateReleaseRequest>,
                     public std::enable_shared_from_this<Upload> {
 public:
  Upload(SessionPtr session, grpc::CallbackServerContext& context,
         v1::CreateReleaseResponse& response, const access::Rule& rule)
      : session_(std::move(session)),
        context_(context),
        response_(response),
        peer_(session_->peer_of(context)),
        rule_(rule),
        caller_(session_->admit(peer_, context, rule)),
        in_flight_(session_, peer_) {}
  ~Upload() override { give_place_back(); }

  void start() {
    self_ = shared_from_this();
    if (!caller_) return end(caller_.error());
    {
      const std::lock_guard lock(mutex_);
      look_later();
    }
    admitted_ =
        session_->access->while_admitted(*caller_, [weak = weak_from_this()](const Error& why) {
          if (const auto upload = weak.lock()) upload->end(why);
        });
    read_on();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      if (Status complete = assembly_.complete(); !complete) return end(complete);
      note_progress(true);
      return with_trust([this](const TrustStore& trusted) { verify(trusted); });
    }
    const bool first = !assembly_.has_header();
    if (Status taken = assembly_.take(part_); !taken) return end(taken);
    note_progress(false);
    if (!first) return read_on();
    const ModelName& model = assembly_.release().model;
    if (Status may = session_->access->admit_model(*caller_, model.str(), rule_); !may) {
      return end(may);
    }
    if (!take_place()) {
      return end(Error{Code::kResourceExhausted, "TOO_MANY_UPLOADS",
                       fmt::format("{} releases are being uploaded ({} of them over TCP at most): "
                                   "try again in a minute",
                                   kUploadsMax, kUploadsOverTcpMax)});
    }
    with_trust([this](const TrustStore& trusted) {
      if (Status signed_by = assembly_.check_signatures(trusted); !signed_by) return end(signed_by);
      read_on();
    });
  }
  void OnCancel() override {
    interest_->lose();
    end(Error{static_cast<Code>(1), "CANCELLED", "the client has gone"});
  }
  void OnDone() override {
    session_->access->forget(admitted_);
    in_flight_.end();
    self_.reset();
  }

 private:
  void read_on() {
    // Under the lock: nothing may be started after Finish.
    const std::lock_guard lock(mutex_);
    if (!ended_) StartRead(&part_);
  }

  // On the lane.
  template <typename Then>
  void with_trust(const Then& then) {
    const auto self = shared_from_this();
    const auto trusted = std::make_shared<TrustStore>();
    session_->context->engine.read(
        [trusted](const engine::Engine& engine) { *trusted = engine.state().catalogue.trust; },
        [self, trusted, then](const Status& looked) {
          if (!looked) return self->end(looked);
          const bool posted =
              self->session_->verifier.post([self, trusted, then] { then(*trusted); });
          if (!posted) self->end(engine_busy());
        },
        wanted_by(interest_));
  }

  void verify(const TrustStore& trusted) {
    Result<Artifacts> artifacts = assembly_.verify(trusted);
    if (!artifacts) return end(artifacts.error());
    session_->context->engine.submit(
        request_of(*caller_, engine::CreateRelease{assembly_.release(), *std::move(artifacts),
                                                   assembly_.source()}),
        [self = shared_from_this()](const Result<engine::CommandReply>& reply) {
          if (!reply) return self->end(reply.error());
          self->show(reply->already_existed);
        });
  }

  void show(bool already_existed) {
    answer_.set_already_existed(already_existed);
    const auto self = shared_from_this();
    session_->context->engine.walk(
        [self, use = engine::UseQuestion(self->assembly_.release().model)](
            const engine::Engine& engine) mutable {
          if (!use.look(engine.state())) return false;
          const auto found = engine.state().catalogue.releases.find(self->assembly_.release());
          if (found == engine.state().catalogue.releases.end()) return true;
          fill(*self->answer_.mutable_release(), found->second);
          self->answer_.mutable_release()->set_devices_confirmed(use.devices(found->first));
          return true;
        },
        [self](const Status& looked) { self->end(looked); }, wanted_by(interest_));
  }

  // ---- Its time: the header and each piece have theirs, and all together, so that one who sends a
  // byte now and then does not hold a place.

  void note_progress(bool complete) {
    const std::lock_guard lock(mutex_);
    heard_ = SteadyClock::now();
    complete_ = complete;
    const Millis rest{1000 * assembly_.bytes() / kUploadBytesPerSecond};
    whole_ = kUploadFirst + rest;
  }

  // Under the lock.
  void look_later() {
    const auto next =
        std::chrono::system_clock::now() + session_->options.upload_piece_timeout / kLooks;
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(next, [weak = weak_from_this()](bool ok) {
      const auto upload = weak.lock();
      if (ok && upload) upload->look();
    });
  }

  void look() {
    const Millis piece = session_->options.upload_piece_timeout;
    std::string silence;
    {
      const std::lock_guard lock(mutex_);
      if (ended_ || complete_) return;
      const auto now = SteadyClock::now();
      if (now - heard_ > piece) {
        silence = fmt::format("nothing came for {} ms", piece.count());
      } else if (now - since_ > whole_) {
        silence = fmt::format("it was not complete after {} ms", whole_.count());
      }
      if (silence.empty()) return look_later();
    }
    end(Error{
        Code::kDeadlineExceeded, "UPLOAD_STALLED",
        fmt::format("the upload stands still: {}; push again over a better connection", silence)});
  }

  bool take_place() {
    const std::lock_guard lock(mutex_);
    has_place_ = !ended_ && session_->begin_upload(peer_->caller.via);
    return has_place_;
  }
  void give_place_back() {
    bool had = false;
    {
      const std::lock_guard lock(mutex_);
      had = std::exchange(has_place_, false);
    }
    if (had) session_->end_upload(peer_->caller.via);
  }

  void end(const Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
    }
    give_place_back();
    if (status) response_.Swap(&answer_);
    Finish(to_grpc(status, context_));
  }

  const SessionPtr session_;
  grpc::CallbackServerContext& context_;
  v1::CreateReleaseResponse& response_;  // gRPC's; ours until Finish
  const PeerPtr peer_;
  const access::Rule rule_;
  const Result<Caller> caller_;
  InFlight in_flight_;
  const InterestPtr interest_ = std::make_shared<Interest>();
  std::shared_ptr<Upload> self_;
  v1::CreateReleaseRequest part_;
  UploadAssembly assembly_;
  v1::CreateReleaseResponse answer_;
  uint64_t admitted_ = 0;
  const SteadyClock::time_point since_ = SteadyClock::now();

  std::mutex mutex_;  // guards what follows
  SteadyClock::time_point heard_ = since_;
  Millis whole_ = kUploadFirst;
  bool complete_ = false;  // nothing more is waited for
  bool has_place_ = false;
  bool ended_ = false;

  std::unique_ptr<grpc::Alarm> alarm_;  // last: it looks at the others
};

}  // namespace

grpc::ServerReadReactor<v1::CreateReleaseRequest>* create_release(
    const SessionPtr& session, grpc::CallbackServerContext& context,
    v1::CreateReleaseResponse& response, const access::Rule& rule) {
  const auto upload = std::make_shared<Upload>(session, context, response, rule);
  upload->start();
  return upload.get();
}

}  // namespace covey::api
