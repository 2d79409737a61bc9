// SPDX-License-Identifier: Apache-2.0
// What a reference case may ask for, by the name of its method.
#pragma once

#include <map>
#include <string>

#include "tools/statistics/case.hpp"

namespace covey::cases {

using Method = Found (*)(const Case& c);
using Methods = std::map<std::string, Method>;

Methods histogram_methods();  // drift_methods.cpp
Methods share_methods();      // accuracy_methods.cpp
Methods boundary_methods();   // boundary_methods.cpp
Methods series_methods();     // series_methods.cpp

}  // namespace covey::cases
