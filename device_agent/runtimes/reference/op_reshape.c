/* SPDX-License-Identifier: Apache-2.0 */
/* RESHAPE, int8: the bytes stay; only the shape, which nobody asks for at run time, changes. */
#include "covey/runtime.h"
#include "operator.h"

typedef struct reshape {
  covey_ref_t input;
  covey_ref_t output;
  uint32_t size_bytes;
} reshape_t;

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  int error = covey_prepare_activation_input(p, &input, &input_scale);
  if (error != 0 || (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0) {
    return error;
  }
  if (input.elements != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  if (!covey_same_quantization(&input, input_scale, &output, output_scale)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  const reshape_t reshape = {covey_prepare_ref(p, &input), covey_prepare_ref(p, &output),
                             input.size_bytes};
  p->work = input.elements;
  covey_write_record(p, &reshape, sizeof reshape);
  return 0;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  reshape_t reshape;
  memcpy(&reshape, record, sizeof reshape);
  if (reshape.input != reshape.output) {
    memcpy(covey_write(memory, reshape.output), covey_read(memory, reshape.input),
           reshape.size_bytes);
  }
}

const covey_operator_t covey_op_reshape = {22, 1, "RESHAPE", true, prepare, run};
