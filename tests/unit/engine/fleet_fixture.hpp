// SPDX-License-Identifier: Apache-2.0
// A site with devices that run a release already: what tests of rollouts, telemetry and labels
// start from.
#pragma once

#include <gtest/gtest.h>

#include "tests/unit/engine/site.hpp"

namespace covey::test {

class FleetTest : public testing::Test {
 protected:
  // d0 .. d(n-1), all on 1.0.0, which was not rolled out by this site; 1.1.0 is there, too.
  void make(int devices) {
    site.push({1, 0, 0});
    site.push({1, 1, 0});
    site.join_many("d", devices);
    for (int i = 0; i < devices; ++i) site.run("d" + std::to_string(i), {1, 0, 0});
  }
  Site site;
};

}  // namespace covey::test
