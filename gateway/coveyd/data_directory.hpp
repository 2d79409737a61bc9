// SPDX-License-Identifier: Apache-2.0
// Whose data directory it is, and whether a site was there before. Nothing is made or changed.
// Threading: plain functions, before the store is opened.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace covey {

// All that is wrong with it, and with what coveyd would obey in it: it belongs to this user or to
// root, and nobody else may write there. A directory that is missing is in order.
// Errors: FOREIGN_FILE, naming the file, its owner and mode, and what to do.
std::vector<Error> check_owners(const std::string& data_dir);

// What an earlier site left beside its database, e.g. "enroll.token"; empty: nothing.
std::string trace_of_a_site(const std::string& data_dir);
// Its database has no bytes, or isn't there.
bool has_no_database(const std::string& data_dir);
// Errors: SITE_LOST, with what to do.
Error site_lost(const std::string& data_dir, const std::string& trace);

}  // namespace covey
