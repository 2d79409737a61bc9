// SPDX-License-Identifier: Apache-2.0
// Alerts on paper: a plain sentence first (what changed, where, since when, what to look at), then
// the numbers behind it. Pure text.
#pragma once

#include <string>

#include "cli/show/output.hpp"
#include "covey/v1/monitoring.pb.h"

namespace covey::cli {

// `all`: resolved ones are among them.
std::string alerts_page(const v1::ListAlertsResponse& alerts, bool all, const Style& style);

}  // namespace covey::cli
