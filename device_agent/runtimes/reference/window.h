/* SPDX-License-Identifier: Apache-2.0 */
/* A window that slides over an image: geometry of CONV_2D, DEPTHWISE_CONV_2D and the pools. Rows
 * and columns are two axes that don't know of each other. */
#ifndef COVEY_REFERENCE_WINDOW_H
#define COVEY_REFERENCE_WINDOW_H

#include "operator.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct covey_axis {
  uint32_t input;
  uint32_t output;
  uint32_t kernel; /* taps */
  uint32_t stride;
  uint32_t dilation;
  uint32_t padding; /* positions in front of the input */
} covey_axis_t;

/* The taps that lie on the input, for one position of the window. */
typedef struct covey_taps {
  uint32_t first;
  uint32_t count;    /* 0: all in the padding */
  uint32_t position; /* in the input, of the first tap */
} covey_taps_t;

typedef struct covey_window {
  covey_axis_t rows;
  covey_axis_t columns;
  uint32_t batches;
  uint32_t channels; /* of the input */
} covey_window_t;

/* Images have batches, rows, columns, channels. */
#define COVEY_IMAGE_RANK 4u

/* Field ids of an options table that describes a window. */
typedef struct covey_window_fields {
  uint8_t options_type; /* member of BuiltinOptions */
  uint8_t activation;
  uint8_t kernel_rows; /* 0: the kernel is that of the weights */
  uint8_t kernel_columns;
  uint8_t dilation_rows; /* 0: none */
  uint8_t dilation_columns;
} covey_window_fields_t;

typedef struct covey_window_options {
  uint8_t activation;
  uint8_t padding;
} covey_window_options_t;

/* Reads strides, dilations and, where `fields` names it, the kernel into `window`. */
int covey_read_window(const covey_prepare_t* p, const covey_window_fields_t* fields,
                      covey_window_t* window, covey_window_options_t* options);
/* Places a window whose kernel is known. Errors: TENSOR_SHAPE where the output's batches, rows or
 * columns are not what follows; OPERATOR_MALFORMED for a number out of range. */
int covey_place_window(const covey_tensor_t* input, const covey_tensor_t* output, uint8_t padding,
                       covey_window_t* window);

covey_taps_t covey_taps(const covey_axis_t* axis, uint32_t at);

#ifdef __cplusplus
}
#endif

#endif
