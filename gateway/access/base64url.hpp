// SPDX-License-Identifier: Apache-2.0
// Base64 as JWTs have it (RFC 4648, section 5, without padding). Pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/digest.hpp"

namespace covey::access {

// None for any other character, a length that cannot be, or bits behind the last byte: each value
// has one text.
std::optional<Bytes> from_base64url(std::string_view text);

}  // namespace covey::access
