// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/lag.hpp"

#include <algorithm>
#include <vector>

namespace covey::runtime {

void Lag::observe(std::chrono::steady_clock::duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const auto value = static_cast<uint32_t>(std::clamp<int64_t>(us, 0, UINT32_MAX));
  const std::lock_guard lock(mutex_);
  last_[count_ % last_.size()] = value;
  ++count_;
  max_us_ = std::max(max_us_, value);
}

LagFigures Lag::figures() const {
  std::vector<uint32_t> values;
  LagFigures figures;
  {
    const std::lock_guard lock(mutex_);
    const size_t filled = static_cast<size_t>(std::min<uint64_t>(count_, last_.size()));
    values.assign(last_.begin(), last_.begin() + static_cast<std::ptrdiff_t>(filled));
    figures.count = count_;
    figures.max_us = max_us_;
  }
  if (values.empty()) return figures;
  std::sort(values.begin(), values.end());
  figures.p50_us = values[values.size() / 2];
  figures.p99_us = values[values.size() * 99 / 100];
  return figures;
}

}  // namespace covey::runtime
