// SPDX-License-Identifier: Apache-2.0
// Why the reference runtime on this host refuses a model, for the person who made it: the operator
// or tensor with name and type, limits with their numbers, everything unknown at once, and the way
// out where there is one. Pure; any thread.
#pragma once

#include "core/digest.hpp"
#include "core/result.hpp"
#include "device_agent/runtimes/reference/reference_runtime.h"

namespace covey {

// `error` and `fault`: what the runtime said of this model. The reason is the runtime's
// (RUNTIME_...: covey/runtime.h).
Error refusal_of(ByteView model, int error, const covey_reference_fault_t& fault);

}  // namespace covey
