// SPDX-License-Identifier: Apache-2.0
// Why input was refused or dropped. Every drop has a reason and a counter; the names are stable:
// they are label values in /metrics.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace covey::engine {

enum class Drop : uint8_t {
  kUnknownDevice,
  kNotAccepted,
  kWrongShard,
  kMacInvalid,
  kDeviceIdMismatch,
  kUnknownManifest,
  kReportQuarantined,
  kReportDuplicate,
  kReportInvalid,
  kStatusStale,
  kFetchSuperseded,
  kFetchBusy,
  kEnrollRefused,
  kEnrollLimit,
  kSampleLimit,
  kVerdictStale,
  kReportMalformed,
  kOverBudget,
  kReportFuture,
  kLabelLimit,
  kClaimRefused,
};
inline constexpr size_t kDrops = 21;
std::string_view to_string(Drop drop);  // "unknown_device", ...

}  // namespace covey::engine
