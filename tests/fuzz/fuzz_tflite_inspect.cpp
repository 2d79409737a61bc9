// SPDX-License-Identifier: Apache-2.0
// Inspects hostile .tflite bytes: a summary that holds together, or an error with a reason.
#include <cstdint>

#include "core/assert.hpp"
#include "deploy/artifact/tflite_inspect.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const covey::Result<covey::TfliteSummary> summary = covey::inspect_tflite({data, size});
  if (!summary) {
    COVEY_ASSERT(!summary.error().reason.empty() && !summary.error().message.empty());
    return 0;
  }
  COVEY_ASSERT(summary->size_bytes == size && !summary->operators.empty());
  COVEY_ASSERT(summary->operator_set_hash == covey::operator_set_hash(summary->operators));
  const covey::SupportedOperator known[] = {{9, 12}, {25, 2}};
  (void)covey::check_operators(*summary, known).ok();
  return 0;
}
