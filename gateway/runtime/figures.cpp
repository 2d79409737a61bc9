// SPDX-License-Identifier: Apache-2.0
// What the runtime tells of itself: health, endpoints, counters.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/runtime/runtime.hpp"

namespace covey::runtime {

std::vector<HealthCheck> Runtime::health() const {
  std::vector<HealthCheck> checks;
  // A tick that does not come counts as one that came late: the engine may stand still.
  const auto late =
      std::max(last_late_.load(), std::chrono::steady_clock::now() - tick_due_shown_.load());
  const bool behind = late > options_.lag_max;
  const auto late_ms = std::chrono::duration_cast<Millis>(late).count();
  std::string lag =
      fmt::format("ENGINE_LAG: the engine is {} ms behind: too much load, or a slow disk", late_ms);
  checks.push_back({"engine", !behind && knows_session(),
                    behind            ? std::move(lag)
                    : knows_session() ? ""
                                      : "ENGINE_SESSION: the engine has not heard yet that the "
                                        "connection to the broker is another one"});
  std::string store = store_problem();
  checks.push_back({"store", store.empty(), std::move(store)});
  if (edges_.health) {
    for (HealthCheck& check : edges_.health()) checks.push_back(std::move(check));
  }
  return checks;
}

bool Runtime::knows_session() const {
  return options_.read_only || session_heard_ == broker_session_ ||
         std::chrono::steady_clock::now() - broker_session_since_.load() < options_.lag_max;
}

std::string Runtime::store_problem() const {
  if (options_.read_only) {
    return fmt::format("{}: {}", options_.read_only->reason, options_.read_only->message);
  }
  const SteadyTime since = commit_since_;
  const auto took = std::chrono::steady_clock::now() - since;
  if (since == SteadyTime{} || took < options_.commit_max) return {};
  return fmt::format(
      "STORE_SLOW: the disk has not finished a commit for {} s: devices wait for their answers; "
      "look at the disk of the data directory",
      std::chrono::duration_cast<std::chrono::seconds>(took).count());
}

std::map<std::string, std::string> Runtime::endpoints() const {
  return edges_.endpoints ? edges_.endpoints() : std::map<std::string, std::string>{};
}

RuntimeCounters Runtime::counters() const {
  return {.queue_full = inbox_.refused(),
          .queued = inbox_.queued(),
          .lifecycle_drops = inbox_.lifecycle_drops(),
          .commits = commits_,
          .writes = writes_count_,
          .outbox_full = router_.dropped(),
          .callers_gone = callers_gone_,
          .revision_durable = durable_shown_,
          .slice = slice_.figures(),
          .walk = walk_.figures(),
          .tick_cpu = tick_cpu_.figures(),
          .events_cpu = events_cpu_.figures(),
          .lag = lag_.figures(),
          .commit = commit_lag_.figures()};
}

engine::Counters Runtime::engine_counters() const {
  const std::lock_guard lock(counters_mutex_);
  return engine_counters_;
}

}  // namespace covey::runtime
