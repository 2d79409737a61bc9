/* SPDX-License-Identifier: Apache-2.0 */
/* What FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D share: constant int8 weights with zero point
 * 0, an optional int32 bias, one multiplier for all output channels or one for each. */
#ifndef COVEY_REFERENCE_WEIGHTED_H
#define COVEY_REFERENCE_WEIGHTED_H

#include "operator.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 255 * 128 * 65536 stays below 2^31: with so many weights an accumulator cannot overflow. */
#define COVEY_WEIGHTS_PER_OUTPUT_MAX 65536u

/* The beginning of these operators' records. At their end, `multipliers` words and as many bytes,
 * filled up to a word: multipliers and shifts. Apart they take 5 bytes per channel, not 8. */
typedef struct covey_weighted {
  covey_ref_t input;
  covey_ref_t output;
  covey_ref_t weights;
  covey_ref_t bias; /* 0: none */
  int32_t input_zero_point;
  covey_target_t target;
  uint32_t multipliers; /* 1, or one per channel */
} covey_weighted_t;

/* How the scales become a multiplier: TFLite multiplies the first two as floats for a
 * FULLY_CONNECTED with one scale, else as doubles. */
typedef enum covey_scale_product {
  COVEY_PRODUCT_DOUBLE,
  COVEY_PRODUCT_FLOAT
} covey_scale_product_t;

/* Only while preparing. */
typedef struct covey_weighted_tensors {
  covey_tensor_t input;
  covey_tensor_t weights;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
} covey_weighted_tensors_t;

/* Reads and checks input 0, weights (of `rank`), bias and output, and fills `weighted`; how their
 * shapes fit together is the caller's. Channels are the weights' dimension `channel_dimension`. */
int covey_prepare_weighted(covey_prepare_t* p, uint32_t rank, uint32_t channel_dimension,
                           uint8_t activation, covey_weighted_t* weighted,
                           covey_weighted_tensors_t* tensors);
/* Writes the record: `size` bytes at `record`, which begins with `weighted`, then the multipliers.
 */
int covey_write_weighted(covey_prepare_t* p, const covey_weighted_tensors_t* tensors,
                         const void* record, uint32_t size, covey_scale_product_t product);

/* Multipliers and bias of one invoke. */
typedef struct covey_channels {
  const uint8_t* multipliers;
  const uint8_t* shifts; /* each 31 greater than it is */
  const uint8_t* bias;   /* NULL: none */
  bool per_channel;
} covey_channels_t;

covey_channels_t covey_channels(const covey_memory_t* memory, const covey_weighted_t* weighted,
                                const uint8_t* multipliers);
/* Output value of a channel: bias, scale, zero point, clamp. */
int8_t covey_channel_output(const covey_weighted_t* weighted, const covey_channels_t* channels,
                            uint32_t channel, int32_t accumulator);
/* Sum of (values[i] - zero_point) * weights[i]. */
int32_t covey_dot(const int8_t* values, const int8_t* weights, uint32_t count, int32_t zero_point);

#ifdef __cplusplus
}
#endif

#endif
