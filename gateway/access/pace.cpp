// SPDX-License-Identifier: Apache-2.0
#include "gateway/access/pace.hpp"

#include <algorithm>

namespace covey::access {
namespace {

double refilled(double left, double per_second, double burst, Pace::Time from, Pace::Time to) {
  const double seconds = std::chrono::duration<double>(to - from).count();
  return std::min(burst, left + std::max(0.0, seconds) * per_second);
}

}  // namespace

bool Pace::take(const std::string& name, Time now) {
  const std::lock_guard lock(mutex_);
  Bucket& bucket = filled(name, now);
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

bool Pace::has_room(const std::string& name, Time now) {
  const std::lock_guard lock(mutex_);
  return filled(name, now).left >= 1;
}

// Under the lock.
Pace::Bucket& Pace::filled(const std::string& name, Time now) {
  if (buckets_.size() >= kNamesMax && !buckets_.contains(name)) forget_full(now);
  const auto [found, added] = buckets_.try_emplace(name, Bucket{burst_, now});
  Bucket& bucket = found->second;
  bucket.left = refilled(bucket.left, per_second_, burst_, bucket.at, now);
  bucket.at = now;
  return bucket;
}

// Who is full again is as good as new; where all are busy, they all begin anew.
void Pace::forget_full(Time now) {
  std::erase_if(buckets_, [&](const auto& entry) {
    return refilled(entry.second.left, per_second_, burst_, entry.second.at, now) >= burst_;
  });
  if (buckets_.size() >= kNamesMax) buckets_.clear();
}

}  // namespace covey::access
