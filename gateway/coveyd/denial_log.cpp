// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/denial_log.hpp"

#include "core/limits.hpp"
#include "gateway/adapters/log/log.hpp"

namespace covey {

uint64_t DenialLog::count(const std::string& reason, SteadyTime now) {
  constexpr std::chrono::seconds kInterval{10};
  const std::lock_guard lock(mutex_);
  Row& row = rows_[reason];
  ++row.times;
  if (row.times > 1 && now - row.said < kInterval) return 0;
  row.said = now;
  return row.times;
}

// More would take places in the queue of those who may call.
bool DenialLog::has_room(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (audited_ == 0 || now - minute_began_ >= std::chrono::minutes{1}) {
    minute_began_ = now;
    audited_ = 0;
  }
  return ++audited_ <= kRefusalsNotedPerMinute;
}

void DenialLog::note(const access::Denial& denial) {
  const auto now = std::chrono::steady_clock::now();
  const access::Caller& caller = denial.caller;
  if (const uint64_t times = count(denial.error.reason, now); times > 0) {
    log::log_event(log::Level::kWarn, "call_denied",
                   {{"reason", denial.error.reason},
                    {"call", denial.call},
                    {"caller", access::audit_name(caller)},
                    {"from", caller.from},
                    {"request", caller.request_id},
                    {"times_so_far", times}});
  }
  if (!has_room(now)) return;
  engine_.submit(
      {.command = engine::NoteDenial{denial.call, denial.error.reason, denial.error.message},
       .actor = access::audit_name(caller),
       .etag = "",
       .origin = {.known = std::string(to_string(caller.known)),
                  .from = caller.from,
                  .request_id = caller.request_id}},
      [](const Result<engine::CommandReply>&) {});
}

}  // namespace covey
