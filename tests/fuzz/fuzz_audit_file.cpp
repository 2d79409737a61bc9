// SPDX-License-Identifier: Apache-2.0
// An audit file of any bytes is a log or is refused, and one that is good stays good when it is
// written again.
#include <cstdint>

#include "cli/files/audit_file.hpp"
#include "core/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace covey::cli;
  const auto log = read_audit_log({reinterpret_cast<const char*>(data), size});
  if (!log) {
    COVEY_ASSERT(log.error().reason == "BAD_AUDIT_FILE" && !log.error().message.empty());
    return 0;
  }
  const covey::Status good = verify_audit_log(*log, {});
  COVEY_ASSERT(good || !good.error().message.empty());
  const auto again = read_audit_log(write_audit_log(*log));
  COVEY_ASSERT(again && again->entries.size() == log->entries.size());
  COVEY_ASSERT(verify_audit_log(*again, {}).ok() == good.ok());
  return 0;
}
