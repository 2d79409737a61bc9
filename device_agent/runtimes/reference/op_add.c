/* SPDX-License-Identifier: Apache-2.0 */
/* ADD, int8, with broadcasting: both operands are brought to twice the greater scale with 20 bits
 * more, added, and brought to the output's scale. */
#include "broadcast.h"
#include "covey/runtime.h"

enum { kOptionsType = 11, kLeftShift = 20 };

typedef struct add {
  covey_broadcast_t broadcast;
  covey_multiplier_t operands[2];
  covey_multiplier_t output;
} add_t;

static bool less(covey_real_t a, covey_real_t b) {
  /* Mantissas of floats are of one length. */
  return a.exponent != b.exponent ? a.exponent < b.exponent : a.mantissa < b.mantissa;
}

/* Below one, as TFLite demands. */
static bool divide(covey_real_t a, covey_real_t b, covey_multiplier_t* multiplier) {
  return covey_real_to_multiplier(covey_real_divide(a, b, 53), multiplier) &&
         multiplier->shift <= 0;
}

static int prepare(covey_prepare_t* p) {
  covey_real_t scales[2];
  covey_real_t output_scale;
  add_t add;
  const int error = covey_prepare_broadcast(p, kOptionsType, &add.broadcast, scales, &output_scale);
  if (error != 0) {
    return error;
  }
  covey_real_t twice_greater = less(scales[0], scales[1]) ? scales[1] : scales[0];
  twice_greater.exponent += 1;
  output_scale.exponent += kLeftShift;
  if (!divide(scales[0], twice_greater, &add.operands[0]) ||
      !divide(scales[1], twice_greater, &add.operands[1]) ||
      !divide(twice_greater, output_scale, &add.output)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  covey_write_record(p, &add, sizeof add);
  return 0;
}

static int8_t sum(const void* record, int32_t a, int32_t b) {
  const add_t* add = record;
  const int32_t one = 1 << kLeftShift;
  return covey_to_target(
      covey_scale(a * one, add->operands[0]) + covey_scale(b * one, add->operands[1]), add->output,
      &add->broadcast.target);
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  add_t add;
  memcpy(&add, record, sizeof add);
  covey_run_broadcast(memory, &add.broadcast, sum, &add);
}

const covey_operator_t covey_op_add = {0, 5, "ADD", true, prepare, run};
