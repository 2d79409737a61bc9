// SPDX-License-Identifier: Apache-2.0
// Whom a file obeys: one that a stranger can change is not read as ours. Pure but for the ids of
// this process. Any thread.
#pragma once

#include <sys/stat.h>

#include <string>

#include "core/result.hpp"

namespace covey::config {

Error foreign_file(std::string what);
// EXPOSED_FILE: a secret that everybody can read.
Error exposed_file(const std::string& path);

// Belongs to this user or to root, and nobody else can write it; the group may where it is this
// process's own (Kubernetes' fsGroup). Errors: FOREIGN_FILE.
Status check_owner(const std::string& path, const struct stat& status);

}  // namespace covey::config
