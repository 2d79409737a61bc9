// SPDX-License-Identifier: Apache-2.0
// What one device may cost the site: an allowance for each kind of thing that a device can cause,
// the same for every device, so that one that floods pays with its own messages and with nobody
// else's. Over it: refused early, counted (drop reason over_budget, `covey device get`), never
// acknowledged as stored; the worst get the alert OVER_BUDGET (docs/adr/0026).
//
// Another kind of message: a value of Spend, its word in to_string(), its setting in limit_of(),
// its allowance in allowances_of(); then, where the message comes in,
//
//   if (!affords(turn, number, Spend::kHellos)) return;  // before anything that costs: the mac
//   ...                                                  // it is the device's own word
//   pay(turn, number, Spend::kHellos);
//
// or spend() where both are one step. Nothing is charged before a mac was found good: where the
// broker's rights are not coveyd's, a stranger could use up a device's allowance.
// Soft state, by device number: a number that another device gets begins with BudgetState::reset().
// Values; engine thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.hpp"

namespace covey::engine {

enum class Spend : uint8_t {
  kReports,
  kReportBytes,
  kRawBytes,  // of reports that say nothing the gateway can read: kept for people to look at
  kNotices,   // log lines and episodes of alerts
  kHellos,
  kStatuses,
  kFetches,
};
inline constexpr size_t kSpends = 7;
std::string_view to_string(Spend kind);  // "reports", "report bytes", ...

// `units` in each `per`, and `burst` at once after a time of silence.
struct Allowance {
  uint64_t units = 1;
  Millis per{60'000};
  uint64_t burst = 1;

  bool operator==(const Allowance&) const = default;
};
// "at most 120 reports in 1m, 960 at once after a silence: limits.device_reports"
std::string limit_of(Spend kind, const Allowance& allowance);
using Allowances = std::array<Allowance, kSpends>;

// Of the limits in the configuration, per minute, where devices report once a minute or less often;
// in proportion where they report more often.
Allowances allowances_of(uint64_t reports, uint64_t report_bytes, Millis report_interval);
Allowances default_allowances();

// When each allowance is whole again, in nanoseconds of the monotonic clock ("virtual scheduling"
// of ITU-T I.371, 5.4): a number per kind, and no timer.
using Paid = std::array<int64_t, kSpends>;
bool affords(const Paid& paid, Spend kind, uint64_t units, const Allowance& allowance, Millis now);
void pay(Paid& paid, Spend kind, uint64_t units, const Allowance& allowance, Millis now);

struct Refusals {
  std::array<uint64_t, kSpends> refused{};  // messages, since coveyd started
  uint64_t lately = 0;                      // since budgets were looked at last
  Spend last = Spend::kReports;
  Millis last_mono{0};
  Millis last_wall{0};
};

// Of a device while coveyd runs: dense, so that what goes with a device can stand in a vector.
using DeviceNumber = uint32_t;

struct BudgetState {
  std::vector<Paid> paid;                               // by number
  std::unordered_map<DeviceNumber, Refusals> refusals;  // of those that were refused something
  std::vector<DeviceNumber> lately;                     // whose `lately` is not 0

  void reset(DeviceNumber number);
  const Refusals* refusals_of(DeviceNumber number) const;  // nullptr: none
};

}  // namespace covey::engine
