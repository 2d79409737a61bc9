// SPDX-License-Identifier: Apache-2.0
// Who may call by a token. Changed by gateway/engine/access only.
#pragma once

#include <map>
#include <string>

#include "storage/records.hpp"

namespace covey::engine {

struct AccessState {
  std::map<std::string, TokenRecord> tokens;  // by name
};

}  // namespace covey::engine
