// SPDX-License-Identifier: Apache-2.0
// The audit log as a file, and whether it is what the gateway wrote: a line of JSON for each entry,
// the oldest first, and a last one with the signed head. Pure; any thread. Errors: BAD_AUDIT_FILE
// (with the line), those of AuditChain, AUDIT_KEY (another key than the one that is trusted
// signed), AUDIT_SIGNATURE (the head is not what was signed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "covey/v1/admin.pb.h"
#include "deploy/signing/keys.hpp"

namespace covey::cli {

inline constexpr size_t kAuditFileBytesMax = size_t{2} << 30U;

struct AuditLog {
  std::vector<v1::AuditEntry> entries;  // the oldest first
  v1::AuditHead head;
};

Result<AuditLog> read_audit_log(std::string_view text);
std::string write_audit_log(const AuditLog& log);

// What an earlier export or `covey admin audit head -o json` vouches for, and whose signature.
struct AuditTrust {
  std::optional<PublicKey> key;
  std::optional<v1::AuditHead> earlier;
};
// The signature of the head, each entry, and that the log has grown out of `trust.earlier`.
Status verify_audit_log(const AuditLog& log, const AuditTrust& trust);

}  // namespace covey::cli
