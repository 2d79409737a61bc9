// SPDX-License-Identifier: Apache-2.0
// What the engine is told about its site. Durations of devices are what they were configured with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/limits.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "deploy/deployment/device.hpp"
#include "gateway/engine/fleet/budget.hpp"
#include "monitoring/alerts/alert.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/drift/localise.hpp"
#include "storage/records.hpp"

namespace covey::engine {

// The 32 bytes of a secret from how they are kept. Errors: it can't be opened.
using OpenSecret = std::function<Result<Digest>(const SiteSecretRecord&)>;
// Of records that are kept as they are: tests and simulations.
Result<Digest> plain_secret(const SiteSecretRecord& record);

struct EngineConfig {
  OpenSecret open_secret = plain_secret;  // any thread; asked while loading only
  uint64_t start_id = 1;                  // random per start: devices say hello when it changes
  bool auto_accept = false;
  Millis report_interval{60'000};  // of devices
  DeviceSettings settings;         // what their goals say about it, and about samples
  Millis offline_after{150'000};   // without a word
  Millis hello_jitter{2'000};
  Millis ack_interval{1'200};  // devices repeat after 2 s what was not answered
  uint32_t report_credit = 4;
  Millis gate_interval{1'000};
  uint32_t offers_per_s = 2'000;  // new goals that start work, for the whole site
  uint32_t assignments_in_flight_max = 100;
  Millis goal_lease{10min};                       // from the offer until the device begins
  Millis probation_deadline{30min};               // from PROBATION to its proof
  size_t pending_max = 20'000;                    // devices that nobody has accepted yet
  Millis stranger_expiry{30LL * 24 * 3'600'000};  // and that were not heard for this long
  Millis certificate_life{0};                     // of devices; 0: this site issues none
  bool approval_by_another = false;  // who created a rollout does not approve its stages
  Millis rollback_window{24h};  // observed: an ended rollout can be rolled back, no floor rises
  uint64_t bandwidth_bytes_per_s = 8U << 20U;
  Millis window{900'000};
  uint32_t windows_kept = 4;  // closed windows per device in memory: late counts revise them
  Millis retention{30LL * 24 * 3'600'000};  // of windows, reports, samples and labels in the store
  Millis history_retention{1095LL * 24 * 3'600'000};  // of rollouts that are over, and the audit
  bool drift_enabled = true;
  monitoring::DriftOptions drift;
  monitoring::LocaliseOptions localise;
  monitoring::AlertPolicy alert_policy;
  Allowances allowances = default_allowances();  // of each device
};

}  // namespace covey::engine
