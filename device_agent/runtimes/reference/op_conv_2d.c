/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D, int8: LiteRT's quantisation spec; weights per tensor or per output channel, SAME and
 * VALID, strides, dilation, groups (the weights see fewer channels than the input has). */
#include "covey/runtime.h"
#include "weighted.h"
#include "window.h"

static const covey_window_fields_t kFields = {
    .options_type = 1, .activation = 3, .dilation_rows = 5, .dilation_columns = 4};

typedef struct conv_2d {
  covey_weighted_t weighted;
  covey_window_t window;
  uint32_t channels; /* of the output */
  uint32_t depth;    /* input channels of one group */
  uint32_t group;    /* output channels of one group */
} conv_2d_t;

static int prepare(covey_prepare_t* p) {
  covey_weighted_tensors_t tensors;
  covey_window_options_t options;
  conv_2d_t conv;
  int error = covey_read_window(p, &kFields, &conv.window, &options);
  if (error != 0 || (error = covey_prepare_weighted(p, COVEY_IMAGE_RANK, 0, options.activation,
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
  conv.channels = weights[0];
  conv.depth = weights[3];
  const uint32_t groups = conv.window.channels / conv.depth;
  if (groups == 0 || groups * conv.depth != conv.window.channels || conv.channels % groups != 0 ||
      tensors.output.dims[3] != conv.channels) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  conv.group = conv.channels / groups;
  p->work = (uint64_t)tensors.output.elements * (tensors.weights.elements / conv.channels);
  return covey_write_weighted(p, &tensors, &conv, sizeof conv, COVEY_PRODUCT_DOUBLE);
}

/* What the window sees at one position, for one output channel. */
static int32_t accumulate(const conv_2d_t* conv, const int8_t* image, const int8_t* weights,
                          const covey_taps_t* rows, const covey_taps_t* columns) {
  const covey_window_t* window = &conv->window;
  const uint32_t row_step = window->columns.input * window->channels;
  const uint32_t column_step = window->columns.dilation * window->channels;
  /* Taps side by side in the input, as they are in the weights, are one run. */
  const bool joined = column_step == conv->depth;
  const uint32_t runs = joined ? 1 : columns->count;
  const uint32_t length = joined ? columns->count * conv->depth : conv->depth;
  int32_t sum = 0;
  image += columns->position * window->channels;
  for (uint32_t r = 0; r < rows->count; r++) {
    const uint32_t tap = (rows->first + r) * window->columns.kernel + columns->first;
    const int8_t* in = image + (rows->position + r * window->rows.dilation) * row_step;
    const int8_t* w = weights + tap * conv->depth;
    for (uint32_t c = 0; c < runs; c++) {
      sum += covey_dot(in + c * column_step, w + c * conv->depth, length,
                       conv->weighted.input_zero_point);
    }
  }
  return sum;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  conv_2d_t conv;
  memcpy(&conv, record, sizeof conv);
  const covey_window_t* window = &conv.window;
  const covey_channels_t channels = covey_channels(memory, &conv.weighted, record + sizeof conv);
  const uint32_t kernel_size = window->rows.kernel * window->columns.kernel * conv.depth;
  const int8_t* weights = covey_read(memory, conv.weighted.weights);
  const int8_t* image = covey_read(memory, conv.weighted.input);
  int8_t* output = covey_write(memory, conv.weighted.output);
  for (uint32_t batch = 0; batch < window->batches; batch++) {
    for (uint32_t y = 0; y < window->rows.output; y++) {
      const covey_taps_t rows = covey_taps(&window->rows, y);
      for (uint32_t x = 0; x < window->columns.output; x++) {
        const covey_taps_t columns = covey_taps(&window->columns, x);
        for (uint32_t channel = 0; channel < conv.channels; channel++) {
          const int8_t* in = image + channel / conv.group * conv.depth;
          const int8_t* w = weights + channel * kernel_size;
          *output++ = covey_channel_output(&conv.weighted, &channels, channel,
                                           accumulate(&conv, in, w, &rows, &columns));
        }
      }
    }
    image += window->rows.input * window->columns.input * window->channels;
  }
}

const covey_operator_t covey_op_conv_2d = {3, 8, "CONV_2D", false, prepare, run};
