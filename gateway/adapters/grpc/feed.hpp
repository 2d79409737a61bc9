// SPDX-License-Identifier: Apache-2.0
// The newest state of each rollout that somebody watches. However many watch, the engine is asked
// once for each revision and each rollout, from a thread of its own; what is full is asked again.
// Thread safety: every method from any thread, but stop() from one.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/id.hpp"
#include "covey/v1/rollouts.pb.h"
#include "gateway/access/caller.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey::api {

using access::Via;

class Feed {
 public:
  struct News {
    std::shared_ptr<const v1::WatchRolloutResponse> message;  // null: there is no such rollout
    uint64_t revision = 0;
    bool ended = false;
  };
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // The feed's thread; must not block. The newest; perhaps one that was told before.
    virtual void tell(const News& news) = 0;
  };

  explicit Feed(runtime::EnginePort& engine);
  ~Feed() { stop(); }
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  // Tells nobody anything any more; the engine may go.
  void stop();

  // What `watcher` is told from now on, the newest at once. 0: too many watch already.
  [[nodiscard]] uint64_t add(const RolloutName& rollout, Via via, std::weak_ptr<Watcher> watcher);
  void remove(uint64_t id);

 private:
  struct Entry {
    RolloutName rollout;
    Via via = Via::kTcp;
    std::weak_ptr<Watcher> watcher;
  };
  struct Topic {
    std::vector<uint64_t> watchers;
    News news;           // the newest that was read
    bool wanted = true;  // by somebody who has come since
  };
  struct Round;  // one look at the engine
  // What the engine's thread touches, perhaps when this has gone.
  struct Bell {
    std::mutex mutex;
    std::condition_variable rung;
    bool stopping = false;  // these are guarded by mutex
    bool changed = false;   // a new revision
    bool wanted = false;    // by a new watcher
  };

  void run();
  bool collect(Round& round);
  bool ask(const std::shared_ptr<Round>& round);
  void tell(const Round& round);

  runtime::EnginePort& engine_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  uint64_t changes_ = 0;  // our watch of the engine

  // Guarded by bell_->mutex.
  uint64_t next_ = 0;
  std::map<uint64_t, Entry> entries_;
  std::array<size_t, 2> count_{};  // of entries, by Via
  std::map<RolloutName, Topic> topics_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace covey::api
