/* SPDX-License-Identifier: Apache-2.0 */
#include "weighted.h"

#include "covey/runtime.h"

enum { kShiftBias = 31 }; /* shifts are -31 to 30 */

static int check_weights(covey_prepare_t* p, uint32_t rank, uint32_t channel_dimension,
                         covey_tensor_t* weights) {
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
  if (weights->rank != rank ||
      weights->elements / weights->dims[channel_dimension] > COVEY_WEIGHTS_PER_OUTPUT_MAX) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  const bool per_channel = !covey_tensor_is_per_tensor(weights);
  if (weights->zero_point != 0 ||
      (per_channel && (weights->quantized_dimension != channel_dimension ||
                       weights->scales.count != weights->dims[channel_dimension]))) {
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

int covey_prepare_weighted(covey_prepare_t* p, uint32_t rank, uint32_t channel_dimension,
                           uint8_t activation, covey_weighted_t* weighted,
                           covey_weighted_tensors_t* tensors) {
  int error = covey_prepare_activation_input(p, &tensors->input, &tensors->input_scale);
  if (error != 0 || (error = check_weights(p, rank, channel_dimension, &tensors->weights)) != 0 ||
      (error = check_bias(p, tensors->weights.dims[channel_dimension], &weighted->bias)) != 0 ||
      (error = covey_prepare_activation_output(p, &tensors->output, &tensors->output_scale)) != 0 ||
      (error = covey_prepare_target(activation, tensors->output_scale, tensors->output.zero_point,
                                    &weighted->target)) != 0) {
    return error;
  }
  weighted->input = covey_prepare_ref(p, &tensors->input);
  weighted->output = covey_prepare_ref(p, &tensors->output);
  weighted->weights = covey_prepare_ref(p, &tensors->weights);
  weighted->input_zero_point = tensors->input.zero_point;
  weighted->multipliers = tensors->weights.scales.count;
  return 0;
}

int covey_write_weighted(covey_prepare_t* p, const covey_weighted_tensors_t* tensors,
                         const void* record, uint32_t size, covey_scale_product_t product) {
  const uint32_t count = tensors->weights.scales.count;
  uint8_t* to = p->record;
  p->tensor = tensors->weights.index;
  p->record_bytes = size + 4 * count + (count + 3) / 4 * 4;
  if (to != NULL) {
    memcpy(to, record, size);
    to += size;
    memset(to + 4 * count, 0, p->record_bytes - size - 4 * count);
  }
  for (uint32_t channel = 0; channel < count; channel++) {
    covey_real_t scale;
    covey_multiplier_t multiplier;
    const int error = covey_tensor_scale(p->model, &tensors->weights, channel, &scale);
    if (error != 0) {
      return error;
    }
    scale = covey_real_multiply(tensors->input_scale, scale);
    if (product == COVEY_PRODUCT_FLOAT && count == 1) {
      scale = covey_real_round(scale, 24);
    }
    if (!covey_real_to_multiplier(covey_real_divide(scale, tensors->output_scale, 53),
                                  &multiplier)) {
      return COVEY_RUNTIME_TENSOR_QUANTIZATION;
    }
    if (to != NULL) {
      memcpy(to + 4 * channel, &multiplier.multiplier, 4);
      to[4 * count + channel] = (uint8_t)(multiplier.shift + kShiftBias);
    }
  }
  return 0;
}

covey_channels_t covey_channels(const covey_memory_t* memory, const covey_weighted_t* weighted,
                                const uint8_t* multipliers) {
  const covey_channels_t channels = {
      multipliers, multipliers + 4 * weighted->multipliers,
      weighted->bias == 0 ? NULL : (const uint8_t*)covey_read(memory, weighted->bias),
      weighted->multipliers > 1};
  return channels;
}

/* accumulator + bias, saturating: only a hostile bias comes near. */
static int32_t add_bias(int32_t accumulator, const uint8_t* b) {
  const int32_t value =
      (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
  const int64_t sum = (int64_t)accumulator + value;
  return sum > INT32_MAX ? INT32_MAX : (sum < INT32_MIN ? INT32_MIN : (int32_t)sum);
}

int8_t covey_channel_output(const covey_weighted_t* weighted, const covey_channels_t* channels,
                            uint32_t channel, int32_t accumulator) {
  covey_multiplier_t multiplier;
  const uint32_t at = channels->per_channel ? channel : 0;
  memcpy(&multiplier.multiplier, channels->multipliers + 4 * at, 4);
  multiplier.shift = channels->shifts[at] - kShiftBias;
  if (channels->bias != NULL) {
    accumulator = add_bias(accumulator, channels->bias + 4 * channel);
  }
  return covey_to_target(accumulator, multiplier, &weighted->target);
}

int32_t covey_dot(const int8_t* values, const int8_t* weights, uint32_t count, int32_t zero_point) {
  /* Products of 16-bit numbers: compilers have an instruction for their sums. */
  const int16_t zero = (int16_t)zero_point;
  int32_t sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    const int16_t value = (int16_t)(values[i] - zero);
    sum += value * (int16_t)weights[i];
  }
  return sum;
}
