// Store::load() from one view of all tables. The writing thread. Errors: those of database.hpp,
// STORE_CORRUPT for rows that contradict each other.
#pragma once

#include "core/result.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store.hpp"

namespace covey::sqlite {

Result<Snapshot> load_snapshot(Database& database, const LoadLimits& limits);

}  // namespace covey::sqlite
