// SPDX-License-Identifier: Apache-2.0
// The key that signs the head of the audit log: DATA/audit.key (PEM, 0600), apart from the
// database, so that who changes that can't vouch for it. Made where there is none.
#pragma once

#include <memory>
#include <string>

#include "core/result.hpp"
#include "deploy/signing/keys.hpp"

namespace covey {

// Errors: those of read_file_bounded() and write_file_durably(); BAD_KEY, with what to do.
Result<std::shared_ptr<const PrivateKey>> open_audit_key(const std::string& data_dir);

}  // namespace covey
