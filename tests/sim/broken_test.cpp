// SPDX-License-Identifier: Apache-2.0
// Linked with one deliberately broken agent after the other, into sim_broken_NAME_test each: the
// checkers must find it.
#include <errno.h>
#include <gtest/gtest.h>

#include "tests/sim/world.hpp"

namespace covey::sim {
namespace {

TEST(BrokenAgent, IsFound) {
  constexpr uint64_t kSeeds = 40;  // a run or two per agent as a rule; some faults need luck
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const WorldResult result = World({.seed = seed}).run();
    if (result.violation) {
      RecordProperty("seed", static_cast<int>(seed));
      std::printf("%s: found with seed %llu: %s\n", program_invocation_short_name,
                  static_cast<unsigned long long>(seed), result.violation->c_str());
      return;
    }
  }
  FAIL() << kSeeds << " seeds did not find the agent broken by " << program_invocation_short_name;
}

}  // namespace
}  // namespace covey::sim
