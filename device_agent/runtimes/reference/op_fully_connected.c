/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, int8: LiteRT's quantisation spec; weights per tensor or per output channel. */
#include "covey/runtime.h"
#include "weighted.h"

enum { kOptionsType = 8, kOptionActivation = 0, kOptionWeightsFormat = 1, kWeightsRank = 2 };

typedef struct fully_connected {
  covey_weighted_t weighted;
  uint32_t batches;
  uint32_t depth;
  uint32_t channels;
} fully_connected_t;

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
  covey_weighted_tensors_t tensors;
  uint8_t activation = 0;
  fully_connected_t fc;
  int error = check_options(p, &activation);
  if (error != 0 || (error = covey_prepare_weighted(p, kWeightsRank, 0, activation, &fc.weighted,
                                                    &tensors)) != 0) {
    return error;
  }
  fc.channels = tensors.weights.dims[0];
  fc.depth = tensors.weights.dims[1];
  fc.batches = tensors.input.elements / fc.depth;
  if (fc.batches * fc.depth != tensors.input.elements ||
      (uint64_t)fc.batches * fc.channels != tensors.output.elements) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  p->work = (uint64_t)tensors.output.elements * fc.depth;
  return covey_write_weighted(p, &tensors, &fc, sizeof fc, COVEY_PRODUCT_FLOAT);
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  fully_connected_t fc;
  memcpy(&fc, record, sizeof fc);
  const covey_channels_t channels = covey_channels(memory, &fc.weighted, record + sizeof fc);
  const int8_t* weights = covey_read(memory, fc.weighted.weights);
  const int8_t* input = covey_read(memory, fc.weighted.input);
  int8_t* output = covey_write(memory, fc.weighted.output);
  for (uint32_t batch = 0; batch < fc.batches; batch++) {
    for (uint32_t channel = 0; channel < fc.channels; channel++) {
      const int32_t sum =
          covey_dot(input, weights + channel * fc.depth, fc.depth, fc.weighted.input_zero_point);
      *output++ = covey_channel_output(&fc.weighted, &channels, channel, sum);
    }
    input += fc.depth;
  }
}

const covey_operator_t covey_op_fully_connected = {9, 12, "FULLY_CONNECTED", false, prepare, run};
