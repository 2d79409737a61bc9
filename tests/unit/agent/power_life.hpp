// SPDX-License-Identifier: Apache-2.0
// The life of a device through downloads, activations, confirms, reverts, fall-backs, roll-backs
// and journal wraps, on flash that loses power or fails where it is told to. Whatever happens
// (docs/design/agent.md, "Power cuts"): a runnable model always, never more than three probation
// starts, no word programmed twice, a rejected model never chosen; and at the end the device gets
// where it was sent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {

// What happens to one device; replays exactly.
struct Accidents {
  covey_host_geometry_t geometry{32U << 10U, 512, 8, 0xff};
  uint32_t chunk_bytes = 512;  // or 128: more than are asked for at once; or 192: across units
  covey_host_tear_t tear = COVEY_HOST_TEAR_ALL;
  uint32_t seed = 1;
  uint64_t cut_at = 0;            // power fails in this flash operation of the life; 0: never
  std::vector<uint64_t> further;  // and again in this operation after each next start
  uint64_t fail_at = 0;           // this operation fails, power stays
};

std::string describe(const Accidents& accidents);

struct LifeStory {
  std::string problem;  // "": everything that must be true was
  uint64_t operations = 0;
  int cuts = 0;
};

LifeStory live(const Accidents& accidents);

// Accidents of every kind in every mixture, from a seed. `operations`: of a life without any.
Accidents random_accidents(uint32_t seed, uint64_t operations);

}  // namespace covey::agent_test
