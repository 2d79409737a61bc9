// SPDX-License-Identifier: Apache-2.0
// Calls that were not let in: in the log a line for each reason in ten seconds, with how many there
// were; in the audit log as many in a minute as it takes of refusals. Any thread; blocks nobody.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "gateway/access/access.hpp"
#include "gateway/runtime/engine_port.hpp"

namespace covey {

class DenialLog {
 public:
  explicit DenialLog(runtime::EnginePort& engine) : engine_(engine) {}

  void note(const access::Denial& denial);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Row {
    uint64_t times = 0;
    SteadyTime said{};
  };
  // How often its reason was seen, if a line is due; else 0.
  uint64_t count(const std::string& reason, SteadyTime now);
  bool has_room(SteadyTime now);

  runtime::EnginePort& engine_;
  std::mutex mutex_;
  std::map<std::string, Row> rows_;  // by reason, of which there are few; guarded by mutex_
  SteadyTime minute_began_{};        // guarded by mutex_
  uint32_t audited_ = 0;             // in that minute; guarded by mutex_
};

}  // namespace covey
