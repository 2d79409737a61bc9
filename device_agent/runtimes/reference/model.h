/* SPDX-License-Identifier: Apache-2.0 */
/* A .tflite file as the runtime sees it: one subgraph, its tensors and operators, every number
 * checked when it is asked for. Field ids are those of the public TFLite schema, version 3.
 *
 * Pure functions; any thread. Errors: COVEY_RUNTIME_*. */
#ifndef COVEY_REFERENCE_MODEL_H
#define COVEY_REFERENCE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fixed_point.h"
#include "flatbuffer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  COVEY_TENSOR_RANK_MAX = 6,
  /* 64 MB: far above any arena, low enough that no 32-bit sum of positions overflows. */
  COVEY_TENSOR_BYTES_MAX = 1 << 26,
  COVEY_NODE_TENSORS_MAX = 16,    /* inputs, and outputs, of one operator (plan.c) */
  COVEY_TENSOR_SCALES_MAX = 65536 /* bounds the work of loading a model */
};

/* TensorType of the schema. */
enum covey_tensor_type {
  COVEY_TENSOR_FLOAT32 = 0, /* into QUANTIZE, out of DEQUANTIZE */
  COVEY_TENSOR_INT32 = 2,   /* constants, and shapes that are computed in vain */
  COVEY_TENSOR_INT8 = 9
};

typedef struct covey_tflite {
  covey_fb_t fb;
  covey_fb_vector_t operator_codes;
  covey_fb_vector_t buffers;
  covey_fb_vector_t tensors;
  covey_fb_vector_t operators;
  int32_t input;  /* tensor index */
  int32_t output; /* tensor index */
} covey_tflite_t;

typedef struct covey_tensor {
  int32_t index;
  uint8_t type; /* covey_tensor_type */
  uint32_t rank;
  uint32_t dims[COVEY_TENSOR_RANK_MAX]; /* each at least 1 */
  uint32_t elements;
  uint32_t size_bytes;
  uint32_t data; /* position of constant data in the file; 0: an activation */
  covey_fb_vector_t scales;
  int32_t zero_point; /* of all channels; 0 where there is no quantisation */
  uint32_t quantized_dimension;
} covey_tensor_t;

typedef struct covey_node {
  int32_t builtin;
  int32_t version;
  covey_fb_vector_t inputs;
  covey_fb_vector_t outputs;
  uint8_t options_type; /* member of the schema's union BuiltinOptions; 0: none */
  bool has_options;
  covey_fb_table_t options;
} covey_node_t;

/* Checks identifier, schema version, one subgraph, one input, one output. */
int covey_tflite_open(const uint8_t* bytes, size_t size, covey_tflite_t* model);
/* Errors also: TENSOR_TYPE, TENSOR_SHAPE, TENSOR_QUANTIZATION, MODEL_UNSUPPORTED. */
int covey_tflite_tensor(const covey_tflite_t* model, int32_t index, covey_tensor_t* tensor);
int covey_tflite_node(const covey_tflite_t* model, uint32_t index, covey_node_t* node);
/* Tensor index of an operator's i-th input or output; -1 where it is left out. */
int32_t covey_tflite_index(const covey_tflite_t* model, const covey_fb_vector_t* indices,
                           uint32_t i);
/* The scale of one channel; `channel` 0 for a tensor with one scale. */
int covey_tensor_scale(const covey_tflite_t* model, const covey_tensor_t* tensor, uint32_t channel,
                       covey_real_t* scale);
/* True for exactly one scale. */
static inline bool covey_tensor_is_per_tensor(const covey_tensor_t* tensor) {
  return tensor->scales.count == 1;
}

#ifdef __cplusplus
}
#endif

#endif
