// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/fleet/budget.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/duration.hpp"
#include "core/limits.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"

namespace covey::engine {
namespace {

constexpr int64_t kNanos = 1'000'000;  // of a millisecond

int64_t price(const Allowance& allowance, uint64_t units) {
  const auto nanos = static_cast<uint64_t>(allowance.per.count()) * uint64_t{kNanos};
  // The configuration's largest numbers keep the product far below 2^63.
  return static_cast<int64_t>(nanos / std::max<uint64_t>(1, allowance.units) * units);
}

size_t at(Spend kind) { return static_cast<size_t>(kind); }

void note_refusal(Turn& turn, DeviceNumber number, Spend kind) {
  turn.drop(Drop::kOverBudget);
  BudgetState& budgets = own_fleet(turn).budgets;
  Refusals& refusals = budgets.refusals[number];
  ++refusals.refused[at(kind)];
  refusals.last = kind;
  refusals.last_mono = turn.now.mono;
  refusals.last_wall = turn.now.wall;
  if (refusals.lately++ == 0) budgets.lately.push_back(number);
}

}  // namespace

std::string_view to_string(Spend kind) {
  switch (kind) {
    case Spend::kReports:
      return "reports";
    case Spend::kReportBytes:
      return "report bytes";
    case Spend::kRawBytes:
      return "raw bytes";
    case Spend::kNotices:
      return "notices";
    case Spend::kHellos:
      return "hellos";
    case Spend::kStatuses:
      return "statuses";
    case Spend::kFetches:
      return "fetches";
  }
  return "reports";
}

std::string limit_of(Spend kind, const Allowance& allowance) {
  const auto setting = [&]() -> std::string_view {
    switch (kind) {
      case Spend::kReports:
        return ": limits.device_reports raises it";
      case Spend::kReportBytes:
        return ": limits.device_report_bytes raises it";
      case Spend::kRawBytes:
        return "; they were counted, and not kept";
      case Spend::kNotices:
        return "; its log lines and alerts were left out";
      case Spend::kHellos:
      case Spend::kStatuses:
      case Spend::kFetches:
        return "; a device repeats what was not answered";
    }
    return "";
  };
  return fmt::format("at most {} {} in {}, {} at once after a silence{}", allowance.units,
                     to_string(kind), covey::to_string(allowance.per), allowance.burst, setting());
}

Allowances allowances_of(uint64_t reports, uint64_t report_bytes, Millis report_interval) {
  const Millis per = std::clamp<Millis>(report_interval, 1s, 1min);
  Allowances allowances;
  allowances[at(Spend::kReports)] = {reports, per, kBudgetBurst * reports};
  allowances[at(Spend::kReportBytes)] = {report_bytes, per, kBudgetBurst * report_bytes};
  allowances[at(Spend::kRawBytes)] = {kRawBytesPerHour, 1h, kRawBytesPerHour};
  allowances[at(Spend::kNotices)] = {kNoticesPerHour, 1h, kNoticesPerHour};
  allowances[at(Spend::kHellos)] = {kHellosPerMinute, 1min, kHellosPerMinute};
  allowances[at(Spend::kStatuses)] = {kStatusesPerMinute, 1min, kStatusesPerMinute};
  allowances[at(Spend::kFetches)] = {kFetchesPerMinute, 1min, kFetchesPerMinute};
  return allowances;
}

Allowances default_allowances() {
  return allowances_of(kReportsPerMinute, kReportBytesPerMinute, 1min);
}

bool affords(const Paid& paid, Spend kind, uint64_t units, const Allowance& allowance, Millis now) {
  const int64_t at_now = now.count() * kNanos;
  const int64_t ahead = std::max<int64_t>(0, paid[at(kind)] - at_now);
  return units <= allowance.burst &&
         ahead + price(allowance, units) <= price(allowance, allowance.burst);
}

void pay(Paid& paid, Spend kind, uint64_t units, const Allowance& allowance, Millis now) {
  int64_t& until = paid[at(kind)];
  until = std::max(until, now.count() * kNanos) + price(allowance, units);
}

void BudgetState::reset(DeviceNumber number) {
  if (paid.size() <= number) paid.resize(size_t{number} + 1);
  paid[number] = {};
  refusals.erase(number);
}

const Refusals* BudgetState::refusals_of(DeviceNumber number) const {
  const auto found = refusals.find(number);
  return found == refusals.end() ? nullptr : &found->second;
}

bool affords(Turn& turn, DeviceNumber number, Spend kind, uint64_t units) {
  const Allowance& allowance = turn.config.allowances[at(kind)];
  if (affords(turn.state.fleet.budgets.paid[number], kind, units, allowance, turn.now.mono)) {
    return true;
  }
  note_refusal(turn, number, kind);
  return false;
}

void pay(Turn& turn, DeviceNumber number, Spend kind, uint64_t units) {
  pay(own_fleet(turn).budgets.paid[number], kind, units, turn.config.allowances[at(kind)],
      turn.now.mono);
}

bool spend(Turn& turn, DeviceNumber number, Spend kind, uint64_t units) {
  if (!affords(turn, number, kind, units)) return false;
  pay(turn, number, kind, units);
  return true;
}

void judge_budgets(Turn& turn) {
  BudgetState& budgets = own_fleet(turn).budgets;
  std::vector<OverBudget> worst;
  for (const DeviceNumber number : budgets.lately) {
    const auto found = budgets.refusals.find(number);
    if (found == budgets.refusals.end()) continue;
    const uint64_t refused = std::exchange(found->second.lately, 0);
    if (refused >= kOverBudgetAlertFrom) worst.push_back({number, refused, found->second.last});
  }
  budgets.lately.clear();
  const auto end =
      worst.begin() + static_cast<std::ptrdiff_t>(std::min(worst.size(), kOverBudgetAlertsMax));
  std::partial_sort(worst.begin(), end, worst.end(),
                    [](const OverBudget& a, const OverBudget& b) { return a.refused > b.refused; });
  worst.erase(end, worst.end());
  alert_over_budget(turn, worst);
}

}  // namespace covey::engine
