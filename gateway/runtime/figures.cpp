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
  checks.push_back({"engine", !behind, behind ? std::move(lag) : ""});
  const std::optional<Error>& read_only = options_.read_only;
  checks.push_back({"store", !read_only,
                    read_only ? fmt::format("{}: {}", read_only->reason, read_only->message) : ""});
  if (edges_.health) {
    for (HealthCheck& check : edges_.health()) checks.push_back(std::move(check));
  }
  return checks;
}

std::map<std::string, std::string> Runtime::endpoints() const {
  return edges_.endpoints ? edges_.endpoints() : std::map<std::string, std::string>{};
}

RuntimeCounters Runtime::counters() const {
  return {.queue_full = inbox_.refused(),
          .queued = inbox_.queued(),
          .commits = commits_,
          .writes = writes_count_,
          .outbox_full = router_.dropped(),
          .revision_durable = durable_shown_,
          .slice = slice_.figures(),
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
