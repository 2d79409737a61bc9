// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/open_store.hpp"

#include <utility>

#include "storage/sqlite/sqlite_store.hpp"

namespace covey {

Result<std::unique_ptr<Store>> open_store(const config::Config& config, Millis wall) {
  Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(config.data_dir, {});
  if (!store) return store.error();
  if ((*store)->condition().read_only) {
    // May be room enough, e.g. after telemetry.retention was lowered.
    const Millis old = wall - config.telemetry.retention;
    const Status reclaimed = (*store)->reclaim({.windows_before = old, .reports_before = old});
    if (!reclaimed && reclaimed.error().reason != "DISK_FULL") return reclaimed.error();
  }
  return std::unique_ptr<Store>(*std::move(store));
}

}  // namespace covey
