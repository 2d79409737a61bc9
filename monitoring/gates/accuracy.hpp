// SPDX-License-Identifier: Apache-2.0
// The canary's labels against those of concurrent control, as a gate. Thread safety: pure function.
#pragma once

#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/gates/gates.hpp"

namespace covey::monitoring {

// The same verdict as a gate's result, measures per stratum.
GateResult to_gate_result(const AccuracyVerdict& verdict);

}  // namespace covey::monitoring
