/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8, with broadcasting. The multiplier is computed in doubles, as TFLite Micro does it
 * (TFLite on hosts: floats). */
#include "broadcast.h"
#include "covey/runtime.h"

enum { kOptionsType = 21 };

typedef struct mul {
  covey_broadcast_t broadcast;
  covey_multiplier_t multiplier;
} mul_t;

static int prepare(covey_prepare_t* p) {
  covey_real_t scales[2];
  covey_real_t output_scale;
  mul_t mul;
  const int error = covey_prepare_broadcast(p, kOptionsType, &mul.broadcast, scales, &output_scale);
  if (error != 0) {
    return error;
  }
  const covey_real_t product = covey_real_multiply(scales[0], scales[1]);
  if (!covey_real_to_multiplier(covey_real_divide(product, output_scale, 53), &mul.multiplier)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  covey_write_record(p, &mul, sizeof mul);
  return 0;
}

static int8_t product(const void* record, int32_t a, int32_t b) {
  const mul_t* mul = record;
  return covey_to_target(a * b, mul->multiplier, &mul->broadcast.target);
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  mul_t mul;
  memcpy(&mul, record, sizeof mul);
  covey_run_broadcast(memory, &mul.broadcast, product, &mul);
}

const covey_operator_t covey_op_mul = {18, 7, "MUL", true, prepare, run};
