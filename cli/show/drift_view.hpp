// SPDX-License-Identifier: Apache-2.0
// Drift on paper, within the columns of the terminal. What could not be judged has no numbers.
// Pure text.
#pragma once

#include <string>

#include "cli/show/output.hpp"
#include "core/result.hpp"
#include "covey/v1/monitoring.pb.h"

namespace covey::cli {

std::string drift_page(const v1::GetDriftResponse& drift, const Style& style);
// Leaves out all other features; "" keeps all. Errors: NO_FEATURE, with the nearest name.
Status keep_feature(v1::GetDriftResponse& drift, const std::string& feature);

}  // namespace covey::cli
