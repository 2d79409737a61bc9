/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8: as CONV_2D, but an output channel sees one input channel; the weights'
 * last dimension is input channels times depth multiplier. */
#include "covey/runtime.h"
#include "weighted.h"
#include "window.h"

enum {
  kChannelDimension = 3,
  /* Channels that are summed side by side, on the stack. */
  kBlock = 32
};
static const covey_window_fields_t kFields = {
    .options_type = 2, .activation = 4, .dilation_rows = 6, .dilation_columns = 5};

typedef struct depthwise {
  covey_weighted_t weighted;
  covey_window_t window;
  uint32_t channels; /* of the output */
  uint32_t copies;   /* the depth multiplier: output channels of one input channel */
} depthwise_t;

static int prepare(covey_prepare_t* p) {
  covey_weighted_tensors_t tensors;
  covey_window_options_t options;
  depthwise_t conv;
  int error = covey_read_window(p, &kFields, &conv.window, &options);
  if (error != 0 ||
      (error = covey_prepare_weighted(p, COVEY_IMAGE_RANK, kChannelDimension, options.activation,
                                      &conv.weighted, &tensors)) != 0) {
    return error;
  }
  const uint32_t* weights = tensors.weights.dims;
  conv.window.rows.kernel = weights[1];
  conv.window.columns.kernel = weights[2];
  error = covey_place_window(&tensors.input, &tensors.output, options.padding, &conv.window);
  if (error != 0) {
    return error;
  }
  conv.channels = weights[kChannelDimension];
  /* As TFLite does, whatever the option depth_multiplier says. */
  conv.copies = conv.channels / conv.window.channels;
  if (weights[0] != 1 || conv.copies * conv.window.channels != conv.channels ||
      tensors.output.dims[3] != conv.channels) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  p->work = (uint64_t)tensors.output.elements * (tensors.weights.elements / conv.channels);
  return covey_write_weighted(p, &tensors, &conv, sizeof conv, COVEY_PRODUCT_DOUBLE);
}

/* Adds one tap to the sums of `count` channels from `channel` on. */
static void add_tap(const depthwise_t* conv, const int8_t* in, const int8_t* weights,
                    uint32_t channel, uint32_t count, int32_t* sums) {
  const int16_t zero_point = (int16_t)conv->weighted.input_zero_point;
  if (conv->copies == 1) {
    in += channel;
    for (uint32_t i = 0; i < count; i++) {
      const int16_t value = (int16_t)(in[i] - zero_point);
      sums[i] += value * (int16_t)weights[i];
    }
    return;
  }
  uint32_t source = channel / conv->copies;
  uint32_t copy = channel % conv->copies;
  for (uint32_t i = 0; i < count; i++) {
    sums[i] += (in[source] - zero_point) * weights[i];
    if (++copy == conv->copies) {
      copy = 0;
      source++;
    }
  }
}

/* Sums of a block of channels at one position. */
static void accumulate(const depthwise_t* conv, const int8_t* image, const int8_t* weights,
                       const covey_taps_t* rows, const covey_taps_t* columns, uint32_t channel,
                       uint32_t count, int32_t* sums) {
  const covey_window_t* window = &conv->window;
  memset(sums, 0, count * sizeof *sums);
  for (uint32_t r = 0; r < rows->count; r++) {
    const uint32_t y = rows->position + r * window->rows.dilation;
    const uint32_t tap = (rows->first + r) * window->columns.kernel + columns->first;
    for (uint32_t c = 0; c < columns->count; c++) {
      const uint32_t x = columns->position + c * window->columns.dilation;
      add_tap(conv, image + (y * window->columns.input + x) * window->channels,
              weights + (tap + c) * conv->channels + channel, channel, count, sums);
    }
  }
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  depthwise_t conv;
  int32_t sums[kBlock];
  memcpy(&conv, record, sizeof conv);
  const covey_window_t* window = &conv.window;
  const covey_channels_t channels = covey_channels(memory, &conv.weighted, record + sizeof conv);
  const int8_t* weights = covey_read(memory, conv.weighted.weights);
  const int8_t* image = covey_read(memory, conv.weighted.input);
  int8_t* output = covey_write(memory, conv.weighted.output);
  for (uint32_t batch = 0; batch < window->batches; batch++) {
    for (uint32_t y = 0; y < window->rows.output; y++) {
      const covey_taps_t rows = covey_taps(&window->rows, y);
      for (uint32_t x = 0; x < window->columns.output; x++) {
        const covey_taps_t columns = covey_taps(&window->columns, x);
        for (uint32_t channel = 0; channel < conv.channels; channel += kBlock) {
          const uint32_t left = conv.channels - channel;
          const uint32_t count = left < kBlock ? left : kBlock;
          accumulate(&conv, image, weights, &rows, &columns, channel, count, sums);
          for (uint32_t i = 0; i < count; i++) {
            *output++ = covey_channel_output(&conv.weighted, &channels, channel + i, sums[i]);
          }
        }
      }
    }
    image += window->rows.input * window->columns.input * window->channels;
  }
}

const covey_operator_t covey_op_depthwise_conv_2d = {4,     7,       "DEPTHWISE_CONV_2D",
                                                     false, prepare, run};
