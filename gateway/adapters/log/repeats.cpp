// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/log/repeats.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace covey::log {
namespace {

constexpr std::string_view kOthers = "others";

}  // namespace

Repeats::Kind& Repeats::kind_of(std::string_view name, Millis now) {
  auto found = kinds_.find(name);
  if (found == kinds_.end() && kinds_.size() >= kLogKindsMax) found = kinds_.find(kOthers);
  if (found == kinds_.end()) {
    const bool last = kinds_.size() + 1 >= kLogKindsMax;
    found = kinds_.emplace(std::string(last ? kOthers : name), Kind{}).first;
    found->second = {.tokens = kLogLinesAtOnce, .filled = now};
  }
  return found->second;
}

bool Repeats::pass(std::string_view name, Millis now) {
  Kind& kind = kind_of(name, now);
  const auto passed = static_cast<double>(std::max<int64_t>((now - kind.filled).count(), 0));
  kind.filled = now;
  kind.tokens = std::min(kLogLinesAtOnce, kind.tokens + passed * kLogLinesPerSecond / 1000);
  if (kind.tokens >= 1) {
    kind.tokens -= 1;
    return true;
  }
  if (kind.left_out++ == 0) {
    kind.since = now;
    ++waiting_;
  }
  ++total_;
  return false;
}

Repeats::LeftOut Repeats::take(Millis now, bool all) {
  LeftOut taken;
  if (waiting_ == 0) return taken;
  for (auto& [name, kind] : kinds_) {
    if (kind.left_out == 0 || (!all && now - kind.since < kLogRepeatsSaidEvery)) continue;
    taken.emplace_back(name, kind.left_out);
    kind.left_out = 0;
    --waiting_;
  }
  return taken;
}

}  // namespace covey::log
