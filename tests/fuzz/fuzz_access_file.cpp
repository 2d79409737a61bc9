// SPDX-License-Identifier: Apache-2.0
// access.file is written by people and templates: any bytes give rules or faults, and what is taken
// gives nobody a role that has no word.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/assert.hpp"
#include "gateway/access/rules.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace covey;
  using namespace covey::access;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Result<Rules> rules =
      parse_rules(text, [&](const std::string&) { return Result<std::string>(text); });
  if (!rules) return 0;
  for (const auto& [name, grant] : rules->certificates) {
    COVEY_ASSERT(!name.empty() && grant.role > Role::kNone && grant.role <= Role::kAdmin);
    for (const std::string& glob : grant.models) COVEY_ASSERT(is_model_glob(glob));
  }
  for (const Issuer& issuer : rules->issuers) COVEY_ASSERT(issuer.keys != nullptr);
  return 0;
}
