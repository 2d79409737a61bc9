// SPDX-License-Identifier: Apache-2.0
// What a device said about a release that it runs or ran, for people. Pure text.
#pragma once

#include <string>

#include "covey/v1/devices.pb.h"
#include "covey/v1/monitoring.pb.h"

namespace covey::cli {

// One block; without what the device never told.
std::string device_total(const v1::InferenceTotal& total);
// What was refused of it, in two lines.
std::string device_refusal(const v1::Refusal& refusal);

}  // namespace covey::cli
