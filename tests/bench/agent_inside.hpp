// SPDX-License-Identifier: Apache-2.0
// The agent's own functions for reports, seals and the wire: the only ones that speak as a device.
#pragma once

// C has functions with the name of a struct.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "device_agent/src/flash/flash.h"
#include "device_agent/src/link/link.h"
#include "device_agent/src/telemetry/telemetry.h"
#include "device_agent/src/wire/wire.h"
// Parts of a room are for its own C files: they say nothing of C++.
extern "C" {
#include "device_agent/src/telemetry/parts.h"
}
#pragma GCC diagnostic pop
