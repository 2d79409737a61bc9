// SPDX-License-Identifier: Apache-2.0
// Runs an opened artifact as a device would, in the reference runtime: its .tflite is inspected,
// its arena measured, its self-test vectors run. Pure but slow (up to seconds): never on the engine
// thread. Errors: those of inspect_tflite(), the runtime's own (RUNTIME_...), and
//   RUNTIME_MISMATCH        not a .tflite artifact
//   OPERATOR_SET_MISMATCH   the manifest names another operator set than the model uses
//   TENSOR_SIZE_MISMATCH    the manifest or the vectors have other tensor sizes than the model
//   ARENA_TOO_SMALL         the manifest promises less memory than the model needs
//   SELFTEST_TOO_LONG       more arithmetic than an upload may cost
//   SELFTEST_MISMATCH       an output differs by more than the tolerance
#pragma once

#include <cstdint>

#include "core/result.hpp"
#include "deploy/artifact/artifact.hpp"

namespace covey {

// Multiply-accumulates of all vectors together: some seconds.
inline constexpr uint64_t kSelftestWorkMax = 4'000'000'000;

Status run_self_test(const Artifact& artifact);

}  // namespace covey
