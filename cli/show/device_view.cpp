// SPDX-License-Identifier: Apache-2.0
#include "cli/show/device_view.hpp"

#include <fmt/format.h>

#include "cli/show/output.hpp"

namespace covey::cli {

std::string device_total(const v1::InferenceTotal& total) {
  std::string out = total.release() + "\n";
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("  {:<12}{}\n", name, value);
  };
  const auto count = [&](const char* name, uint64_t value, const char* what) {
    if (value > 0) line(name, grouped(value) + what);
  };
  line("inferences", grouped(total.inferences()));
  line("errors", grouped(total.errors()));
  if (total.energy_inferences() > 0) {
    const double mean =
        static_cast<double>(total.energy_sum_uj()) / static_cast<double>(total.energy_inferences());
    line("energy", fmt::format("{:.1f} uJ per inference, mean of {} measured", mean,
                               grouped(total.energy_inferences())));
  }
  if (total.has_heap_free_min_bytes()) {
    line("heap", fmt::format("{} bytes free at least", grouped(total.heap_free_min_bytes())));
  }
  if (total.has_arena_used_max_bytes()) {
    line("arena", fmt::format("{} bytes used at most", grouped(total.arena_used_max_bytes())));
  }
  if (total.has_stack_used_max_bytes()) {
    line("stack", fmt::format("{} bytes used at most", grouped(total.stack_used_max_bytes())));
  }
  count("drops", total.drops(), " inferences not made or not counted");
  count("rejects", total.rejects(), " inputs refused");
  count("resets", total.watchdog_resets(), " by the watchdog");
  count("saturated", total.saturated(), " counts that had no room left");
  return out;
}

std::string device_refusal(const v1::Refusal& refusal) {
  return fmt::format("Refused       {} messages over the budget of {}, last {}\n              {}\n",
                     grouped(refusal.count()), refusal.budget(), age(refusal.last_ms()),
                     refusal.reason());
}

}  // namespace covey::cli
