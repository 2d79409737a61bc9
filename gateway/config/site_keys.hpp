// SPDX-License-Identifier: Apache-2.0
// The keys that say what this site is called, and what its secrets are encrypted with. Pure.
// Private to schema.cpp.
#pragma once

#include "gateway/config/schema.hpp"

namespace covey::config {

// A name as clients say it, for comparison with a certificate's: of DNS in small letters, or an
// address as inet_ntop writes it. Empty: neither.
std::string canonical_name(std::string_view text);

Key site_name_key();
Key site_names_key();
std::vector<Key> site_secret_keys();

}  // namespace covey::config
