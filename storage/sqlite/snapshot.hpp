// SPDX-License-Identifier: Apache-2.0
// Store::load() from one view of all tables. The writing thread. Errors: those of database.hpp,
// STORE_CORRUPT for rows that contradict each other.
#pragma once

#include "core/result.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store.hpp"

namespace covey::sqlite {

Result<Snapshot> load_snapshot(Database& database, const LoadLimits& limits);
// Store::replay(), a thousand at a time.
Status replay_reports(Database& database, uint64_t position,
                      const std::function<Status(const ReportRecord&)>& each);

}  // namespace covey::sqlite
