/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator of the reference runtime is: two functions and a row in operators.c. A new
 * operator adds a file and a row; nothing else changes (README.md, "Adding an operator").
 *
 * prepare() proves everything: types, shapes, quantisation, sizes. It writes what run() needs into
 * a record in the arena. run() then cannot fail and checks nothing. Records hold offsets, never
 * pointers, and are made of 32-bit words, so the arena's size is the same on every machine. */
#ifndef COVEY_REFERENCE_OPERATOR_H
#define COVEY_REFERENCE_OPERATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a tensor's bytes are: bit 31 set, a position in the model file; else in the arena. */
typedef uint32_t covey_ref_t;
#define COVEY_REF_MODEL 0x80000000u

/* What a scaled sum becomes: an int8 output value. */
typedef struct covey_target {
  int32_t zero_point;
  int32_t low; /* least and greatest value */
  int32_t high;
} covey_target_t;

struct covey_plan;

/* One operator being prepared. prepare() runs twice: to measure (record is NULL), then to write. */
typedef struct covey_prepare {
  const covey_tflite_t* model;
  const struct covey_plan* plan;
  covey_node_t node;
  uint8_t* record;       /* 4-aligned, record_bytes long; NULL while measuring */
  uint32_t record_bytes; /* set by prepare(); a multiple of 4 */
  uint64_t work;         /* set by prepare(): multiply-accumulates, or elements touched */
  int32_t tensor;        /* the tensor last looked at: what an error is about */
} covey_prepare_t;

/* What run() works on. */
typedef struct covey_memory {
  const uint8_t* model;
  uint8_t* arena;
} covey_memory_t;

typedef struct covey_operator {
  int32_t builtin; /* BuiltinOperator of the schema */
  int32_t version_max;
  const char* name;
  /* The output may take the place of input 0 where that is not needed any more. */
  bool in_place;
  int (*prepare)(covey_prepare_t* p);
  void (*run)(const covey_memory_t* memory, const uint8_t* record);
} covey_operator_t;

extern const covey_operator_t* const covey_operators[];
extern const uint32_t covey_operators_count;
/* Index in covey_operators, or -1. */
int32_t covey_operator_find(int32_t builtin);

/* For prepare(). */

/* The i-th input or output; OPERATOR_MALFORMED where it is left out. */
int covey_prepare_input(covey_prepare_t* p, uint32_t i, covey_tensor_t* tensor);
int covey_prepare_output(covey_prepare_t* p, uint32_t i, covey_tensor_t* tensor);
/* An int8 activation (input or output 0) with one scale. */
int covey_prepare_activation_input(covey_prepare_t* p, covey_tensor_t* tensor, covey_real_t* scale);
int covey_prepare_activation_output(covey_prepare_t* p, covey_tensor_t* tensor,
                                    covey_real_t* scale);
/* The operator's options table, checked to be of that member of BuiltinOptions; absent: defaults.
 */
int covey_prepare_options(const covey_prepare_t* p, uint8_t type, bool* present);
/* Meaningless, but harmless, while measuring. */
covey_ref_t covey_prepare_ref(const covey_prepare_t* p, const covey_tensor_t* tensor);
/* An input like covey_prepare_activation_input's, that may also be a constant. */
int covey_prepare_operand(covey_prepare_t* p, uint32_t i, covey_tensor_t* tensor,
                          covey_real_t* scale);
/* Position of the int32 elements of constant input 1 (axes, paddings). */
int covey_prepare_constant(covey_prepare_t* p, covey_tensor_t* tensor, uint32_t* at);
/* Fused activation (ActivationFunctionType) to the range that output values are clamped to. */
int covey_prepare_target(uint8_t activation, covey_real_t scale, int32_t zero_point,
                         covey_target_t* target);
/* A record without a variable part. */
void covey_write_record(covey_prepare_t* p, const void* record, uint32_t size);
/* True where both tensors mean the same number by the same byte. */
bool covey_same_quantization(const covey_tensor_t* a, covey_real_t a_scale, const covey_tensor_t* b,
                             covey_real_t b_scale);
/* True for scale 1/256 and zero point -128, [0, 1): what the spec fixes for SOFTMAX and LOGISTIC.
 */
bool covey_is_probability(const covey_tensor_t* tensor, covey_real_t scale);

/* For run(). */

static inline const int8_t* covey_read(const covey_memory_t* memory, covey_ref_t ref) {
  return (const int8_t*)((ref & COVEY_REF_MODEL) != 0 ? memory->model + (ref & ~COVEY_REF_MODEL)
                                                      : memory->arena + ref);
}
static inline int8_t* covey_write(const covey_memory_t* memory, covey_ref_t ref) {
  return (int8_t*)(memory->arena + ref);
}
/* Scales, adds the zero point, clamps. */
int8_t covey_to_target(int32_t value, covey_multiplier_t by, const covey_target_t* target);

#ifdef __cplusplus
}
#endif

#endif
