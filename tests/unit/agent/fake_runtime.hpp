// SPDX-License-Identifier: Apache-2.0
// A runtime whose models say how they behave: good, not loadable, wrong, failing, crashing. A crash
// is an exception that unwinds out of the agent, as if the processor had reset there.
#pragma once

#include "covey/runtime.h"
#include "tests/unit/agent/artifacts.hpp"

namespace covey::agent_test {

struct Crash {};  // thrown by invoke of a kCrashes model, and by load when `crash_in_load`

struct FakeRuntime {
  const uint8_t* model = nullptr;
  size_t size = 0;
  uint64_t invocations = 0;
  bool crash_in_load = false;
  bool invoke_fails = false;  // of every model
  covey_runtime_t adapter();
};

Bytes fake_model(const ReleaseOptions& options);
Bytes fake_selftest(const ReleaseOptions& options);
// What a good model with this seed answers.
void fake_output(uint8_t seed, const int8_t* input, int8_t* output);

}  // namespace covey::agent_test
