// SPDX-License-Identifier: Apache-2.0
// The keys that say what this site is called. Pure. Private to schema.cpp.
#pragma once

#include "gateway/config/schema.hpp"

namespace covey::config {

Key site_name_key();
Key site_names_key();

}  // namespace covey::config
