/* SPDX-License-Identifier: Apache-2.0 */
#include "rescale.h"

#include "covey/runtime.h"

typedef struct rescale {
  covey_ref_t input;
  covey_ref_t output;
  uint32_t elements;
  int32_t input_zero_point;
  covey_target_t target;
  covey_multiplier_t multiplier;
} rescale_t;

int covey_rescale_prepare(covey_prepare_t* p, uint8_t activation) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  rescale_t rescale;
  int error = covey_prepare_activation_input(p, &input, &input_scale);
  if (error != 0 || (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0) {
    return error;
  }
  if (input.elements != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  if (!covey_real_to_multiplier(covey_real_divide(input_scale, output_scale, 53),
                                &rescale.multiplier)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  error = covey_prepare_target(activation, output_scale, output.zero_point, &rescale.target);
  if (error != 0) {
    return error;
  }
  rescale.input = covey_prepare_ref(p, &input);
  rescale.output = covey_prepare_ref(p, &output);
  rescale.elements = input.elements;
  rescale.input_zero_point = input.zero_point;
  p->work = input.elements;
  covey_write_record(p, &rescale, sizeof rescale);
  return 0;
}

void covey_rescale_run(const covey_memory_t* memory, const uint8_t* record) {
  rescale_t rescale;
  memcpy(&rescale, record, sizeof rescale);
  const int8_t* input = covey_read(memory, rescale.input);
  int8_t* output = covey_write(memory, rescale.output);
  for (uint32_t i = 0; i < rescale.elements; i++) {
    output[i] =
        covey_to_target(input[i] - rescale.input_zero_point, rescale.multiplier, &rescale.target);
  }
}
