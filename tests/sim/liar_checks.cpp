// SPDX-License-Identifier: Apache-2.0
// What holds of a device that lies, and of the others beside it.
#include <algorithm>

#include "core/limits.hpp"
#include "tests/sim/world.hpp"

namespace covey::sim {
namespace {

// Steps of 2^20 from goal to goal; there are not more than a million of them.
constexpr uint64_t kCounterMax = 1ULL << 40U;

}  // namespace

// What it says is about itself, and costs no more than a device may: the store's rows tell.
void World::check_liar() {
  const engine::State& state = gateway_->engine().state();
  if (state.fleet.enrolled >= 2) {
    if (epoch_.value_or(state.site.site_epoch) != state.site.site_epoch) {
      fail("one device's word changed the epoch of the site");
    }
    epoch_ = state.site.site_epoch;
  }
  for (const auto& device : devices_) {
    const std::optional<engine::DeviceNumber> number = state.fleet.number_of(device->id());
    if (number && state.fleet.budgets.refusals_of(*number) != nullptr) {
      fail(device->id().str() + " pays for what another one sends");
    }
    if (state.fleet.ahead.contains(device->id())) {
      fail(device->id().str() + " is believed to be ahead of its site");
    }
  }
  const int64_t newest = gateway_->now().wall / gateway_->engine().config().window;
  for (const auto& [id, window] : state.telemetry.windows) {
    if (id.second > newest) fail("a window of a time that has not been is open");
  }
  const auto known = state.fleet.devices.find(liar_->id());
  if (known == state.fleet.devices.end()) return;
  if (known->second.goal_counter > kCounterMax) fail("the liar's counter runs away");
  if (known->second.models.size() > kModelsPerDeviceMax) fail("the liar has too many models");
  gateway_->store().look([&](const memory::Tables& tables) { check_rows_of_liar(tables); });
}

void World::check_rows_of_liar(const memory::Tables& tables) {
  const auto of_liar = [&](const auto& row) { return row.device == liar_->id(); };
  const auto rows_of_liar = [&](const auto& rows) {
    return static_cast<size_t>(
        std::ranges::count_if(rows, [&](const auto& row) { return of_liar(row.second); }));
  };
  // A start begins with whole budgets.
  const uint64_t bursts = gateway_->crashes + 1;
  const auto intervals = static_cast<uint64_t>(schedule_.now() / kReportInterval);
  const uint64_t reports_max = (intervals + kBudgetBurst * bursts) * kReportsPerInterval;
  if (static_cast<uint64_t>(std::ranges::count_if(tables.reports, of_liar)) > reports_max) {
    fail("the liar has more reports in the store than a device may send");
  }
  constexpr size_t kStreamsMax = kBootsPerDeviceMax * kStreamsPerBootMax + kForgottenBootsMax;
  constexpr size_t kTotalsMax = kTotalsPerDeviceMax + kUnknownTotalsMax;
  if (rows_of_liar(tables.streams) > kStreamsMax || rows_of_liar(tables.totals) > kTotalsMax) {
    fail("the liar has more streams or totals than a device may have");
  }
}

}  // namespace covey::sim
