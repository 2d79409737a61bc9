// SPDX-License-Identifier: Apache-2.0
// Stands in for the agent: the calls that a port made, as text, in order.
#pragma once

#include <string>
#include <vector>

namespace covey::porting_test {

// Of the test that runs; cleared by it.
std::vector<std::string>& agent_calls();

}  // namespace covey::porting_test
