/* SPDX-License-Identifier: Apache-2.0 */
/* LOGISTIC, int8 to int8: TFLite Micro's fixed-point form, input in Q4.27. (TFLite on hosts takes a
 * table that floats made: at most one step apart.) */
#include "covey/runtime.h"
#include "operator.h"

enum { kInputIntegerBits = 4, kOutputBits = 8 };

typedef struct logistic {
  covey_ref_t input;
  covey_ref_t output;
  uint32_t elements;
  int32_t input_zero_point;
  int32_t radius; /* from here on the result is 0 or 1 */
  covey_multiplier_t multiplier;
} logistic_t;

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  logistic_t logistic;
  int error = covey_prepare_activation_input(p, &input, &input_scale);
  if (error != 0) {
    return error;
  }
  input_scale.exponent += 31 - kInputIntegerBits;
  if (!covey_real_to_multiplier(input_scale, &logistic.multiplier) ||
      logistic.multiplier.shift < 0) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION; /* a scale of 8 or more, or below 2^-27 */
  }
  error = covey_prepare_activation_output(p, &output, &output_scale);
  if (error != 0) {
    return error;
  }
  if (input.elements != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  if (!covey_is_probability(&output, output_scale)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  const int64_t radius = (((int64_t)1 << kInputIntegerBits) - 1) << (31 - kInputIntegerBits);
  logistic.radius = (int32_t)(radius >> logistic.multiplier.shift);
  logistic.input = covey_prepare_ref(p, &input);
  logistic.output = covey_prepare_ref(p, &output);
  logistic.elements = input.elements;
  logistic.input_zero_point = input.zero_point;
  p->work = (uint64_t)input.elements * 16;
  covey_write_record(p, &logistic, sizeof logistic);
  return 0;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  logistic_t logistic;
  memcpy(&logistic, record, sizeof logistic);
  const int8_t* input = covey_read(memory, logistic.input);
  int8_t* output = covey_write(memory, logistic.output);
  for (uint32_t i = 0; i < logistic.elements; i++) {
    const int32_t x = input[i] - logistic.input_zero_point;
    int32_t value = INT8_MAX;
    if (x <= -logistic.radius) {
      value = INT8_MIN;
    } else if (x < logistic.radius) {
      const int32_t y = covey_logistic(covey_scale(x, logistic.multiplier));
      value = INT8_MIN + covey_divide_by_pot(y, 31 - kOutputBits);
    }
    output[i] = (int8_t)covey_clamp(value, INT8_MIN, INT8_MAX);
  }
}

const covey_operator_t covey_op_logistic = {14, 4, "LOGISTIC", true, prepare, run};
