/* SPDX-License-Identifier: Apache-2.0 */
/* The operators that this build knows (reference_config.h), as the table that the rest looks in. */
#include "operator.h"
#include "reference_config.h"

#define COVEY_DECLARE(name) extern const covey_operator_t covey_op_##name;
COVEY_REFERENCE_OPERATORS(COVEY_DECLARE)
#undef COVEY_DECLARE

#define COVEY_ROW(name) &covey_op_##name,
const covey_operator_t* const covey_operators[] = {COVEY_REFERENCE_OPERATORS(COVEY_ROW)};
#undef COVEY_ROW

const uint32_t covey_operators_count = sizeof covey_operators / sizeof covey_operators[0];

int32_t covey_operator_find(int32_t builtin) {
  for (uint32_t i = 0; i < covey_operators_count; i++) {
    if (covey_operators[i]->builtin == builtin) {
      return (int32_t)i;
    }
  }
  return -1;
}
