// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/grpc/feed.hpp"

#include <pthread.h>

#include <utility>

#include "gateway/api/limits.hpp"
#include "gateway/api/messages.hpp"

namespace covey::api {
namespace {

constexpr size_t kLooksPerRead = 256;  // at rollouts of the engine, in one turn of it
constexpr size_t kFilledPerRead = 16;  // of these, those that are written out
constexpr Millis kPause{20};           // between two rounds: a revision is not a message
constexpr Millis kBusy{100};           // until a full engine is asked again

}  // namespace

// Shared with the engine's thread, which may come late or never.
struct Feed::Round {
  struct Question {
    RolloutName rollout;
    News known;
    bool wanted = false;
    bool told = false;  // looked at in this round
  };
  std::vector<Question> questions;
  bool ended = false;   // these are guarded by the bell
  bool failed = false;  // nobody looked: to be asked again

  // True: all are answered.
  bool look(const engine::Engine& engine) {
    size_t looked = 0;
    size_t filled = 0;
    for (Question& question : questions) {
      if (question.told) continue;
      if (looked == kLooksPerRead || filled == kFilledPerRead) return false;
      question.told = true;
      ++looked;
      const auto found = engine.state().rollouts.by_name.find(question.rollout);
      if (found == engine.state().rollouts.by_name.end()) {
        question.known = {};
        continue;
      }
      const auto& progress = found->second.progress;
      if (question.known.message && question.known.revision == progress.revision) continue;
      const auto message = std::make_shared<v1::WatchRolloutResponse>();
      fill(*message->mutable_rollout(), engine.state(), found->second);
      question.known = {message, progress.revision, has_ended(progress.state)};
      ++filled;
    }
    return true;
  }
};

Feed::Feed(runtime::EnginePort& engine) : engine_(engine) {
  changes_ = engine_.watch([bell = bell_](uint64_t) {
    const std::lock_guard lock(bell->mutex);
    bell->changed = true;
    bell->rung.notify_all();
  });
  thread_ = std::thread([this] { run(); });
}

void Feed::stop() {
  {
    const std::lock_guard lock(bell_->mutex);
    if (std::exchange(bell_->stopping, true)) return;
    bell_->rung.notify_all();
  }
  engine_.unwatch(changes_);
  if (thread_.joinable()) thread_.join();
}

uint64_t Feed::add(const RolloutName& rollout, Via via, std::weak_ptr<Watcher> watcher) {
  const std::lock_guard lock(bell_->mutex);
  size_t& count = count_[static_cast<size_t>(via)];
  if (count >= kWatchesMax) return 0;
  ++count;
  entries_.emplace(++next_, Entry{rollout, via, std::move(watcher)});
  Topic& topic = topics_[rollout];
  topic.watchers.push_back(next_);
  topic.wanted = true;
  bell_->wanted = true;
  bell_->rung.notify_all();
  return next_;
}

void Feed::remove(uint64_t id) {
  const std::lock_guard lock(bell_->mutex);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  --count_[static_cast<size_t>(entry->second.via)];
  const auto topic = topics_.find(entry->second.rollout);
  std::erase(topic->second.watchers, id);
  if (topic->second.watchers.empty()) topics_.erase(topic);
  entries_.erase(entry);
}

void Feed::run() {
  pthread_setname_np(pthread_self(), "covey-watches");
  for (;;) {
    const auto round = std::make_shared<Round>();
    if (!collect(*round)) return;
    if (!round->questions.empty()) {
      if (!ask(round)) return;
      tell(*round);
    }
    std::unique_lock lock(bell_->mutex);
    if (bell_->rung.wait_for(lock, kPause, [this] { return bell_->stopping; })) return;
  }
}

// Until all questions are answered; false: it stops.
bool Feed::ask(const std::shared_ptr<Round>& round) {
  const auto end = [round, bell = bell_](const Status& looked) {
    const std::lock_guard lock(bell->mutex);
    round->ended = true;
    round->failed = !looked;
    bell->rung.notify_all();
  };
  for (;;) {
    round->ended = false;
    engine_.walk([round](const engine::Engine& engine) { return round->look(engine); }, end,
                 [bell = bell_] {
                   const std::lock_guard lock(bell->mutex);
                   return !bell->stopping;
                 });
    std::unique_lock lock(bell_->mutex);
    bell_->rung.wait(lock, [&] { return bell_->stopping || round->ended; });
    if (bell_->stopping) return false;
    if (!round->failed) return true;
    if (bell_->rung.wait_for(lock, kBusy, [this] { return bell_->stopping; })) return false;
  }
}

// Waits for something to ask; false: it stops.
bool Feed::collect(Round& round) {
  std::unique_lock lock(bell_->mutex);
  bell_->rung.wait(lock, [this] { return bell_->stopping || bell_->changed || bell_->wanted; });
  const bool all = std::exchange(bell_->changed, false);
  bell_->wanted = false;
  for (auto& [rollout, topic] : topics_) {
    const bool wanted = std::exchange(topic.wanted, false);
    if (all || wanted) round.questions.push_back({rollout, topic.news, wanted});
  }
  return !bell_->stopping;
}

void Feed::tell(const Round& round) {
  std::vector<std::pair<std::shared_ptr<Watcher>, const News*>> all;
  {
    const std::lock_guard lock(bell_->mutex);
    for (const Round::Question& question : round.questions) {
      const auto topic = topics_.find(question.rollout);
      if (topic == topics_.end()) continue;
      News& known = topic->second.news;
      const bool same = known.message && known.message == question.known.message;
      known = question.known;
      if (same && !question.wanted) continue;
      for (const uint64_t id : topic->second.watchers) {
        if (auto watcher = entries_.at(id).watcher.lock()) {
          all.emplace_back(std::move(watcher), &question.known);
        }
      }
    }
  }
  for (const auto& [watcher, news] : all) watcher->tell(*news);
}

}  // namespace covey::api
