/* SPDX-License-Identifier: Apache-2.0 */
/* DEQUANTIZE: int8 to float32, a model's output, without an FPU. */
#include "covey/runtime.h"
#include "operator.h"

typedef struct dequantize {
  covey_ref_t input;
  covey_ref_t output;
  uint32_t elements;
  uint32_t scale_mantissa;
  int32_t scale_exponent;
  int32_t zero_point;
} dequantize_t;

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t scale;
  int error = covey_prepare_activation_input(p, &input, &scale);
  if (error != 0) {
    return error;
  }
  if (p->node.outputs.count != 1) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  error = covey_prepare_output(p, 0, &output);
  if (error != 0) {
    return error;
  }
  if (output.type != COVEY_TENSOR_FLOAT32) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (input.elements != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  const dequantize_t dequantize = {covey_prepare_ref(p, &input),
                                   covey_prepare_ref(p, &output),
                                   input.elements,
                                   (uint32_t)scale.mantissa,
                                   scale.exponent,
                                   input.zero_point};
  p->work = (uint64_t)input.elements * 4;
  covey_write_record(p, &dequantize, sizeof dequantize);
  return 0;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  dequantize_t dequantize;
  memcpy(&dequantize, record, sizeof dequantize);
  const int8_t* input = covey_read(memory, dequantize.input);
  uint8_t* output = (uint8_t*)covey_write(memory, dequantize.output);
  for (uint32_t i = 0; i < dequantize.elements; i++) {
    const int32_t steps = input[i] - dequantize.zero_point;
    const uint32_t magnitude = (uint32_t)(steps < 0 ? -steps : steps);
    const covey_real_t value = {(uint64_t)magnitude * dequantize.scale_mantissa,
                                dequantize.scale_exponent};
    const uint32_t bits = covey_real_to_float(value, steps < 0);
    for (uint32_t byte = 0; byte < 4; byte++) {
      *output++ = (uint8_t)(bits >> (8 * byte));
    }
  }
}

const covey_operator_t covey_op_dequantize = {6, 6, "DEQUANTIZE", false, prepare, run};
