/* RELU, RELU6 and RELU_N1_TO_1, int8, as operators of their own. */
#include "covey/runtime.h"
#include "operator.h"

typedef struct relu {
  covey_ref_t input;
  covey_ref_t output;
  uint32_t elements;
  int32_t input_zero_point;
  int32_t output_zero_point;
  int32_t low;
  int32_t high;
  covey_multiplier_t multiplier;
} relu_t;

static int prepare(covey_prepare_t* p, uint8_t activation) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  relu_t relu;
  int error = covey_prepare_activation_input(p, &input, &input_scale);
  if (error != 0 || (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0) {
    return error;
  }
  if (input.elements != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  if (!covey_real_to_multiplier(covey_real_divide(input_scale, output_scale, 53),
                                &relu.multiplier)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  error = covey_prepare_clamp(activation, output_scale, output.zero_point, &relu.low, &relu.high);
  if (error != 0) {
    return error;
  }
  relu.input = covey_prepare_ref(p, &input);
  relu.output = covey_prepare_ref(p, &output);
  relu.elements = input.elements;
  relu.input_zero_point = input.zero_point;
  relu.output_zero_point = output.zero_point;
  p->work = input.elements;
  p->record_bytes = sizeof relu;
  if (p->record != NULL) {
    memcpy(p->record, &relu, sizeof relu);
  }
  return 0;
}

static int prepare_relu(covey_prepare_t* p) { return prepare(p, 1); }
static int prepare_relu_n1_to_1(covey_prepare_t* p) { return prepare(p, 2); }
static int prepare_relu6(covey_prepare_t* p) { return prepare(p, 3); }

static void run(const covey_memory_t* memory, const uint8_t* record) {
  relu_t relu;
  memcpy(&relu, record, sizeof relu);
  const int8_t* input = covey_read(memory, relu.input);
  int8_t* output = covey_write(memory, relu.output);
  for (uint32_t i = 0; i < relu.elements; i++) {
    const int64_t value = (int64_t)covey_scale(input[i] - relu.input_zero_point, relu.multiplier) +
                          relu.output_zero_point;
    output[i] = (int8_t)(value < relu.low ? relu.low : (value > relu.high ? relu.high : value));
  }
}

const covey_operator_t covey_op_relu = {19, 2, "RELU", true, prepare_relu, run};
const covey_operator_t covey_op_relu_n1_to_1 = {20, 2, "RELU_N1_TO_1", true, prepare_relu_n1_to_1,
                                                run};
const covey_operator_t covey_op_relu6 = {21, 2, "RELU6", true, prepare_relu6, run};
