// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/denial_log.hpp"

#include "core/time.hpp"
#include "gateway/adapters/log/log.hpp"

namespace covey {

void DenialLog::note(const access::Denial& denial) {
  constexpr Millis kInterval{10'000};
  uint64_t times = 0;
  {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    Row& row = rows_[denial.error.reason];
    times = ++row.times;
    if (times > 1 && now - row.said < kInterval) return;
    row.said = now;
  }
  log::log_event(log::Level::kWarn, "call_denied",
                 {{"reason", denial.error.reason},
                  {"call", denial.call},
                  {"caller", access::audit_name(denial.caller)},
                  {"from", denial.caller.from},
                  {"request", denial.caller.request_id},
                  {"times_so_far", times}});
}

}  // namespace covey
