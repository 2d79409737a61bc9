/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include "covey/runtime.h"

enum {
  kPaddingSame = 0,
  kPaddingValid = 1,
  /* kSideMax * kDilationMax is 2^28, a dimension at most 2^26: no sum of positions overflows. */
  kSideMax = 65535, /* taps, and stride */
  kDilationMax = 4096
};

static int place(covey_axis_t* axis, uint8_t padding) {
  if (axis->stride < 1 || axis->stride > kSideMax || axis->dilation < 1 ||
      axis->dilation > kDilationMax || axis->kernel < 1 || axis->kernel > kSideMax) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  const uint32_t reach = (axis->kernel - 1) * axis->dilation + 1;
  uint32_t output = 0;
  if (padding == kPaddingSame) {
    output = (axis->input + axis->stride - 1) / axis->stride;
  } else if (padding != kPaddingValid) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  } else if (reach <= axis->input) {
    output = (axis->input - reach) / axis->stride + 1;
  }
  if (output != axis->output) { /* no dimension is 0 */
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  const uint32_t covered = (output - 1) * axis->stride + reach;
  axis->padding = covered > axis->input ? (covered - axis->input) / 2 : 0;
  return 0;
}

/* All options tables of a window begin with these. */
enum { kOptionPadding = 0, kOptionStrideColumns = 1, kOptionStrideRows = 2 };

static int read_axis(const covey_prepare_t* p, uint8_t stride, uint8_t dilation, uint8_t kernel,
                     covey_axis_t* axis) {
  const covey_fb_t* fb = &p->model->fb;
  const covey_fb_table_t* table = &p->node.options;
  axis->dilation = 1;
  axis->kernel = 0;
  int error = covey_fb_field_u32(fb, table, stride, 0, &axis->stride);
  if (error == 0 && dilation != 0) {
    error = covey_fb_field_u32(fb, table, dilation, 1, &axis->dilation);
  }
  if (error == 0 && kernel != 0) {
    error = covey_fb_field_u32(fb, table, kernel, 0, &axis->kernel);
  }
  return error;
}

int covey_read_window(const covey_prepare_t* p, const covey_window_fields_t* fields,
                      covey_window_t* window, covey_window_options_t* options) {
  const covey_fb_t* fb = &p->model->fb;
  bool present = false;
  int error = covey_prepare_options(p, fields->options_type, &present);
  if (error != 0) {
    return error;
  }
  if (!present) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED; /* no stride */
  }
  error = covey_fb_field_u8(fb, &p->node.options, kOptionPadding, 0, &options->padding);
  if (error != 0 ||
      (error = covey_fb_field_u8(fb, &p->node.options, fields->activation, 0,
                                 &options->activation)) != 0 ||
      (error = read_axis(p, kOptionStrideRows, fields->dilation_rows, fields->kernel_rows,
                         &window->rows)) != 0) {
    return error;
  }
  return read_axis(p, kOptionStrideColumns, fields->dilation_columns, fields->kernel_columns,
                   &window->columns);
}

int covey_place_window(const covey_tensor_t* input, const covey_tensor_t* output, uint8_t padding,
                       covey_window_t* window) {
  if (input->rank != COVEY_IMAGE_RANK || output->rank != COVEY_IMAGE_RANK ||
      input->dims[0] != output->dims[0]) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  window->batches = input->dims[0];
  window->rows.input = input->dims[1];
  window->rows.output = output->dims[1];
  window->columns.input = input->dims[2];
  window->columns.output = output->dims[2];
  window->channels = input->dims[3];
  const int error = place(&window->rows, padding);
  return error != 0 ? error : place(&window->columns, padding);
}

covey_taps_t covey_taps(const covey_axis_t* axis, uint32_t at) {
  covey_taps_t taps = {0, 0, 0};
  const uint32_t start = at * axis->stride; /* counted from the padding's begin */
  if (start < axis->padding) {
    taps.first = (axis->padding - start + axis->dilation - 1) / axis->dilation;
  }
  taps.position = start + taps.first * axis->dilation - axis->padding;
  if (taps.position < axis->input && taps.first < axis->kernel) {
    const uint32_t fit = (axis->input - taps.position + axis->dilation - 1) / axis->dilation;
    const uint32_t left = axis->kernel - taps.first;
    taps.count = fit < left ? fit : left;
  }
  return taps;
}
