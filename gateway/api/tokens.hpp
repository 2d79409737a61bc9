// SPDX-License-Identifier: Apache-2.0
// From a token as the store has it to one that lets somebody in. Pure.
#pragma once

#include "gateway/access/tokens.hpp"
#include "storage/records.hpp"

namespace covey::api {

access::Token token_of(const TokenRecord& record);

// "press-* pump" and its parts.
std::string joined(const std::vector<std::string>& globs);
std::vector<std::string> parted(std::string_view text);

}  // namespace covey::api
