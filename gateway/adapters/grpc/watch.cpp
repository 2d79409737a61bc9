// SPDX-License-Identifier: Apache-2.0
// WatchRollout: the newest state, then each change, coalesced: a slow client misses steps, never
// the end. Nothing is buffered but the one message being written.
#include <mutex>

#include "gateway/adapters/grpc/services.hpp"
#include "gateway/api/messages.hpp"
#include "gateway/api/names.hpp"

namespace covey::api {
namespace {

class Watch final : public grpc::ServerWriteReactor<v1::WatchRolloutResponse>,
                    public std::enable_shared_from_this<Watch> {
 public:
  Watch(SessionPtr session, grpc::CallbackServerContext& context)
      : session_(std::move(session)), context_(context), in_flight_(session_) {}

  void start(const v1::WatchRolloutRequest& request) {
    self_ = shared_from_this();
    Result<RolloutName> name = rollout_name(request.name(), "name");
    if (!name) return end(name.error());
    name_ = *std::move(name);
    seen_ = request.after_revision();
    // Registered under a weak pointer: neither the engine nor the session keeps a dead watch.
    const std::weak_ptr<Watch> weak = self_;
    const uint64_t changes = session_->context->engine.watch([weak](uint64_t) {
      if (const auto watch = weak.lock()) watch->look();
    });
    const uint64_t shutdown = session_->on_shutdown([weak] {
      if (const auto watch = weak.lock()) {
        watch->end(Error{Code::kUnavailable, "SHUTTING_DOWN",
                         "the gateway stops: watch again after the last revision"});
      }
    });
    bool ended = false;
    {
      const std::lock_guard lock(mutex_);
      changes_ = changes;
      shutdown_ = shutdown;
      registered_ = true;
      ended = done_;
    }
    if (ended) unregister();
    look();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return end(Error{Code::kUnavailable, "CLIENT_GONE", "the client has gone"});
    if (last_) return end({});
    finish_look();
  }
  void OnCancel() override { end(Error{static_cast<Code>(1), "CANCELLED", "the client has gone"}); }
  void OnDone() override {
    unregister();
    in_flight_.end();
    self_.reset();
  }

 private:
  // Reads the rollout, unless a read or a write is on its way: then once more after it.
  void look() {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      if (busy_) {
        again_ = true;
        return;
      }
      busy_ = true;
    }
    const auto self = shared_from_this();
    const auto status = std::make_shared<Status>();
    session_->context->engine.read(
        [self, status](const engine::Engine& engine) { *status = self->read(engine); },
        [self, status](const Status& looked) { self->write(looked ? *status : looked); });
  }

  Status read(const engine::Engine& engine) {
    const auto found = engine.state().rollouts.by_name.find(name_);
    if (found == engine.state().rollouts.by_name.end()) {
      return not_found("no rollout " + name_.str() + ": `covey rollout list` shows them");
    }
    next_.Clear();
    changed_ = found->second.progress.revision != seen_;
    last_ = has_ended(found->second.progress.state);
    if (changed_) {
      fill(*next_.mutable_rollout(), engine.state(), found->second);
      seen_ = found->second.progress.revision;
    }
    return {};
  }

  void write(const Status& status) {
    if (!status) return end(status);
    if (!changed_) return last_ ? end({}) : finish_look();
    {
      // Under the lock: end() must not finish between the check and the write.
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      StartWrite(&next_);
    }
  }

  void finish_look() {
    bool again = false;
    {
      const std::lock_guard lock(mutex_);
      busy_ = false;
      std::swap(again, again_);
    }
    if (again) look();
  }

  void end(const Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
    }
    Finish(to_grpc(status, context_));
  }

  void unregister() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
      if (!registered_) return;
      registered_ = false;
    }
    session_->context->engine.unwatch(changes_);
    session_->forget(shutdown_);
  }

  const SessionPtr session_;
  grpc::CallbackServerContext& context_;
  InFlight in_flight_;
  std::shared_ptr<Watch> self_;
  RolloutName name_;
  uint64_t changes_ = 0;
  uint64_t shutdown_ = 0;

  // Owned by the look on its way (busy_ orders them).
  uint64_t seen_ = 0;
  bool changed_ = false;
  bool last_ = false;
  v1::WatchRolloutResponse next_;

  std::mutex mutex_;  // guards what follows
  bool busy_ = false;
  bool again_ = false;
  bool ended_ = false;
  bool done_ = false;
  bool registered_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchRolloutResponse>* watch_rollout(
    const SessionPtr& session, grpc::CallbackServerContext& context,
    const v1::WatchRolloutRequest& request) {
  const auto watch = std::make_shared<Watch>(session, context);
  watch->start(request);
  return watch.get();
}

}  // namespace covey::api
