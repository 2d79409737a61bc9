// SPDX-License-Identifier: Apache-2.0
// WatchRollout: the newest state, then each change, coalesced: a slow client misses steps, never
// the end. What is written is the feed's message, shared by all who watch the rollout.
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include "gateway/adapters/grpc/services.hpp"
#include "gateway/api/names.hpp"

namespace covey::api {
namespace {

class Watch final : public grpc::ServerWriteReactor<v1::WatchRolloutResponse>,
                    public Feed::Watcher,
                    public std::enable_shared_from_this<Watch> {
 public:
  Watch(SessionPtr session, grpc::CallbackServerContext& context, const access::Rule& rule)
      : session_(std::move(session)),
        context_(context),
        peer_(session_->peer_of(context)),
        caller_(session_->admit(peer_, context, rule)),
        in_flight_(session_, peer_) {}

  void start(const v1::WatchRolloutRequest& request) {
    self_ = shared_from_this();
    if (!caller_) return end(caller_.error());
    Result<RolloutName> name = rollout_name(request.name(), "name");
    if (!name) return end(name.error());
    name_ = *std::move(name);
    seen_ = request.after_revision();
    // Registered under a weak pointer: neither the feed nor the session keeps a dead watch.
    const std::weak_ptr<Watch> weak = self_;
    const uint64_t shutdown = session_->on_shutdown([weak] {
      if (const auto watch = weak.lock()) {
        watch->end(Error{Code::kUnavailable, "SHUTTING_DOWN",
                         "the gateway stops: watch again after the last revision"});
      }
    });
    const uint64_t admitted = session_->access->while_admitted(*caller_, [weak](const Error& why) {
      if (const auto watch = weak.lock()) watch->end(why);
    });
    const uint64_t feed = session_->feed.add(name_, peer_->caller.via, weak);
    bool done = false;
    {
      const std::lock_guard lock(mutex_);
      shutdown_ = shutdown;
      admitted_ = admitted;
      feed_ = feed;
      done = done_;
    }
    if (done) unregister();
    if (feed == 0) {
      end(Error{Code::kResourceExhausted, "TOO_MANY_WATCHES",
                fmt::format("{} calls watch rollouts already: end some, or ask GetRollout now and "
                            "then",
                            kWatchesMax)});
    }
  }

  void tell(const Feed::News& news) override {
    std::optional<Status> over;
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      newest_ = news;
      if (!writing_) over = write();
    }
    if (over) end(*over);
  }

  void OnWriteDone(bool ok) override {
    in_flight_.taken();
    std::optional<Status> over;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok) {
        over = Error{Code::kUnavailable, "CLIENT_GONE", "the client has gone"};
      } else if (!ended_) {
        over = last_ ? Status() : write();
      }
    }
    if (over) end(*over);
  }
  void OnCancel() override { end(Error{static_cast<Code>(1), "CANCELLED", "the client has gone"}); }
  void OnDone() override {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    unregister();
    in_flight_.end();
    self_.reset();
  }

 private:
  // Under the lock, so that nothing is started after Finish. How the call ends, if it does.
  std::optional<Status> write() {
    if (!newest_) return std::nullopt;
    const Feed::News news = *std::exchange(newest_, std::nullopt);
    if (!news.message) {
      return not_found("no rollout " + name_.str() + ": `covey rollout list` shows them");
    }
    if (news.revision == seen_) return news.ended ? std::optional(Status()) : std::nullopt;
    if (Status held = in_flight_.hold(news.message->ByteSizeLong()); !held) return held;
    seen_ = news.revision;
    last_ = news.ended;
    message_ = news.message;
    writing_ = true;
    StartWrite(message_.get());
    return std::nullopt;
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
    uint64_t feed = 0;
    uint64_t shutdown = 0;
    uint64_t admitted = 0;
    {
      const std::lock_guard lock(mutex_);
      admitted = std::exchange(admitted_, 0);
      feed = std::exchange(feed_, 0);
      shutdown = std::exchange(shutdown_, 0);
    }
    session_->feed.remove(feed);
    session_->forget(shutdown);
    session_->access->forget(admitted);
  }

  const SessionPtr session_;
  grpc::CallbackServerContext& context_;
  const PeerPtr peer_;
  const Result<Caller> caller_;
  InFlight in_flight_;
  std::shared_ptr<Watch> self_;
  RolloutName name_;

  std::mutex mutex_;  // guards what follows
  uint64_t feed_ = 0;
  uint64_t shutdown_ = 0;
  uint64_t admitted_ = 0;
  uint64_t seen_ = 0;
  std::optional<Feed::News> newest_;                         // not written yet
  std::shared_ptr<const v1::WatchRolloutResponse> message_;  // being written
  bool last_ = false;
  bool writing_ = false;
  bool ended_ = false;
  bool done_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchRolloutResponse>* watch_rollout(
    const SessionPtr& session, grpc::CallbackServerContext& context,
    const v1::WatchRolloutRequest& request, const access::Rule& rule) {
  const auto watch = std::make_shared<Watch>(session, context, rule);
  watch->start(request);
  return watch.get();
}

}  // namespace covey::api
