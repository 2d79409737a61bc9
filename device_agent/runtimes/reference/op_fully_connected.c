/* FULLY_CONNECTED, int8: LiteRT's quantisation spec; weights per tensor or per output channel. */
#include "covey/runtime.h"
#include "operator.h"

enum {
  kOptionsType = 8,
  kOptionActivation = 0,
  kOptionWeightsFormat = 1,
  /* 255 * 128 * 65536 stays below 2^31: the accumulator cannot overflow. */
  kDepthMax = 65536
};

typedef struct fully_connected {
  covey_ref_t input;
  covey_ref_t output;
  covey_ref_t weights;
  covey_ref_t bias; /* 0: none */
  uint32_t batches;
  uint32_t depth;
  uint32_t channels;
  int32_t input_zero_point;
  int32_t output_zero_point;
  int32_t low;
  int32_t high;
  uint32_t multipliers; /* 1, or `channels`; they follow this struct in the record */
} fully_connected_t;

/* input_scale * weight_scale / output_scale. With one scale TFLite multiplies floats, with one per
 * channel doubles; both divide doubles. */
static int channel_multiplier(covey_prepare_t* p, covey_real_t input_scale,
                              const covey_tensor_t* weights, uint32_t channel,
                              covey_real_t output_scale, covey_multiplier_t* multiplier) {
  covey_real_t weight_scale;
  const int error = covey_tensor_scale(p->model, weights, channel, &weight_scale);
  if (error != 0) {
    return error;
  }
  covey_real_t product = covey_real_multiply(input_scale, weight_scale);
  if (covey_tensor_is_per_tensor(weights)) {
    product = covey_real_round(product, 24);
  }
  if (!covey_real_to_multiplier(covey_real_divide(product, output_scale, 53), multiplier)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  return 0;
}

static int check_weights(covey_prepare_t* p, covey_tensor_t* weights) {
  const int error = covey_prepare_input(p, 1, weights);
  if (error != 0) {
    return error;
  }
  if (weights->type != COVEY_TENSOR_INT8) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (weights->data == 0) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED; /* weights computed at run time */
  }
  if (weights->rank != 2 || weights->dims[1] > kDepthMax) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  const bool per_channel = !covey_tensor_is_per_tensor(weights);
  if (weights->scales.count == 0 || weights->zero_point != 0 ||
      (per_channel && weights->quantized_dimension != 0)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  return 0;
}

static int check_bias(covey_prepare_t* p, uint32_t channels, covey_ref_t* ref) {
  covey_tensor_t bias;
  *ref = 0;
  if (covey_tflite_index(p->model, &p->node.inputs, 2) == -1) {
    return 0;
  }
  const int error = covey_prepare_input(p, 2, &bias);
  if (error != 0) {
    return error;
  }
  if (bias.type != COVEY_TENSOR_INT32) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (bias.data == 0) {
    return COVEY_RUNTIME_MODEL_UNSUPPORTED;
  }
  if (bias.elements != channels) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  *ref = covey_prepare_ref(p, &bias);
  return 0;
}

static int check_options(covey_prepare_t* p, uint8_t* activation) {
  bool present = false;
  uint8_t weights_format = 0;
  *activation = 0;
  int error = covey_prepare_options(p, kOptionsType, &present);
  if (error != 0 || !present) {
    return error;
  }
  const covey_fb_t* fb = &p->model->fb;
  const covey_fb_table_t* options = &p->node.options;
  error = covey_fb_field_u8(fb, options, kOptionActivation, 0, activation);
  if (error != 0 ||
      (error = covey_fb_field_u8(fb, options, kOptionWeightsFormat, 0, &weights_format)) != 0) {
    return error;
  }
  return weights_format == 0 ? 0 : COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
}

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t weights;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  uint8_t activation = 0;
  fully_connected_t fc;
  int error = check_options(p, &activation);
  if (error != 0 || (error = covey_prepare_activation_input(p, &input, &input_scale)) != 0 ||
      (error = check_weights(p, &weights)) != 0) {
    return error;
  }
  fc.channels = weights.dims[0];
  fc.depth = weights.dims[1];
  error = check_bias(p, fc.channels, &fc.bias);
  if (error != 0 || (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0) {
    return error;
  }
  fc.batches = input.elements / fc.depth;
  if (fc.batches * fc.depth != input.elements ||
      (uint64_t)fc.batches * fc.channels != output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  error = covey_prepare_clamp(activation, output_scale, output.zero_point, &fc.low, &fc.high);
  if (error != 0) {
    return error;
  }
  fc.input = covey_prepare_ref(p, &input);
  fc.output = covey_prepare_ref(p, &output);
  fc.weights = covey_prepare_ref(p, &weights);
  fc.input_zero_point = input.zero_point;
  fc.output_zero_point = output.zero_point;
  fc.multipliers = weights.scales.count;
  p->tensor = weights.index;
  p->work = (uint64_t)output.elements * fc.depth;
  p->record_bytes = (uint32_t)(sizeof fc + fc.multipliers * sizeof(covey_multiplier_t));
  uint8_t* to = p->record;
  if (to != NULL) {
    memcpy(to, &fc, sizeof fc);
    to += sizeof fc;
  }
  for (uint32_t channel = 0; channel < fc.multipliers; channel++) {
    covey_multiplier_t multiplier;
    error = channel_multiplier(p, input_scale, &weights, channel, output_scale, &multiplier);
    if (error != 0) {
      return error;
    }
    if (to != NULL) {
      memcpy(to, &multiplier, sizeof multiplier);
      to += sizeof multiplier;
    }
  }
  return 0;
}

/* acc + bias, saturating: only a hostile bias comes near. */
static int32_t add_bias(int32_t acc, const int8_t* bias, uint32_t channel) {
  const uint8_t* b = (const uint8_t*)bias + 4 * channel;
  const int32_t value =
      (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
  const int64_t sum = (int64_t)acc + value;
  return sum > INT32_MAX ? INT32_MAX : (sum < INT32_MIN ? INT32_MIN : (int32_t)sum);
}

static int32_t dot(const int8_t* input, const int8_t* weights, uint32_t depth, int32_t zero_point) {
  int32_t acc = 0;
  for (uint32_t i = 0; i < depth; i++) {
    acc += (input[i] - zero_point) * weights[i];
  }
  return acc;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  fully_connected_t fc;
  memcpy(&fc, record, sizeof fc);
  const uint8_t* multipliers = record + sizeof fc;
  const int8_t* bias = fc.bias == 0 ? NULL : covey_read(memory, fc.bias);
  const int8_t* input = covey_read(memory, fc.input);
  int8_t* output = covey_write(memory, fc.output);
  for (uint32_t batch = 0; batch < fc.batches; batch++) {
    const int8_t* weights = covey_read(memory, fc.weights);
    for (uint32_t channel = 0; channel < fc.channels; channel++) {
      int32_t acc = dot(input, weights, fc.depth, fc.input_zero_point);
      weights += fc.depth;
      if (bias != NULL) {
        acc = add_bias(acc, bias, channel);
      }
      covey_multiplier_t multiplier;
      memcpy(&multiplier, multipliers + (fc.multipliers == 1 ? 0 : channel) * sizeof multiplier,
             sizeof multiplier);
      const int64_t value = (int64_t)covey_scale(acc, multiplier) + fc.output_zero_point;
      *output++ = (int8_t)(value < fc.low ? fc.low : (value > fc.high ? fc.high : value));
    }
    input += fc.depth;
  }
}

const covey_operator_t covey_op_fully_connected = {9, 12, "FULLY_CONNECTED", false, prepare, run};
