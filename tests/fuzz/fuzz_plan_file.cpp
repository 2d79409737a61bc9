// SPDX-License-Identifier: Apache-2.0
// A plan file of any bytes is either a plan that means something or a list of problems to show.
#include <cstdint>
#include <string>

#include "cli/files/plan_file.hpp"
#include "core/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string yaml(reinterpret_cast<const char*>(data), size);
  const covey::cli::PlanFile file = covey::cli::read_plan_file(yaml);
  if (file.problems.empty()) {
    COVEY_ASSERT(covey::parse_plan(file.document).ok());
  } else {
    COVEY_ASSERT(!covey::cli::to_error(file.problems, "plan.yaml").message.empty());
  }
  return 0;
}
