/* SPDX-License-Identifier: Apache-2.0 */
/* Two operands of which either may be repeated along some dimensions, as NumPy does it: what ADD
 * and MUL share. */
#ifndef COVEY_REFERENCE_BROADCAST_H
#define COVEY_REFERENCE_BROADCAST_H

#include "operator.h"

/* Dimensions after those that are repeated alike have been joined. */
enum { COVEY_BROADCAST_RANK = 4 };

/* The beginning of these operators' records. */
typedef struct covey_broadcast {
  covey_ref_t operands[2];
  covey_ref_t output;
  int32_t zero_points[2]; /* of the operands */
  covey_target_t target;
  uint32_t dims[COVEY_BROADCAST_RANK]; /* the last one runs fastest */
  /* From one element to the next along a dimension; 0: repeated. */
  uint32_t steps[2][COVEY_BROADCAST_RANK];
} covey_broadcast_t;

/* Reads both operands and the output and fills `broadcast`. The only options these operators know
 * are a fused activation, field 0 of `options_type`. */
int covey_prepare_broadcast(covey_prepare_t* p, uint8_t options_type, covey_broadcast_t* broadcast,
                            covey_real_t operand_scales[2], covey_real_t* output_scale);

/* One output value from two values with their zero points taken off. */
typedef int8_t covey_binary_t(const void* record, int32_t a, int32_t b);
/* `record` begins with a covey_broadcast_t. */
void covey_run_broadcast(const covey_memory_t* memory, const covey_broadcast_t* broadcast,
                         covey_binary_t* binary, const void* record);

#endif
