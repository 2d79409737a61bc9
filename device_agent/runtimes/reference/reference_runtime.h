/* SPDX-License-Identifier: Apache-2.0 */
/* Covey's reference runtime: runs int8 .tflite models in place. C99, no malloc, no globals, no
 * float; accepts hostile files (an error, never a crash).
 *
 *   covey_reference_t reference;
 *   covey_reference_init(&reference);
 *   covey_runtime_t runtime = covey_reference_runtime(&reference);
 *
 * Unknown operators are told first: whatever else is wrong with a model that uses one,
 * RUNTIME_OPERATOR_UNSUPPORTED and its number is what there is to know.
 *
 * Threads: one per covey_reference_t; never from an ISR. Stack of load and arena_required: about
 * 2 KB (plan.h). The arena's size depends on the model alone, not on the machine. */
#ifndef COVEY_REFERENCE_RUNTIME_H
#define COVEY_REFERENCE_RUNTIME_H

#include <stdbool.h>

#include "covey/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COVEY_REFERENCE_NAME "covey-reference-1"

/* What the last error was about; -1 where a field doesn't apply. */
typedef struct covey_reference_fault {
  int32_t error;          /* 0: none */
  int32_t operator_index; /* in the model's order of execution */
  int32_t builtin;        /* BuiltinOperator of that operator */
  int32_t tensor;         /* tensor index */
} covey_reference_fault_t;

typedef struct covey_reference {
  const uint8_t* model; /* NULL: nothing loaded */
  uint8_t* arena;
  covey_model_format_t format;
  uint32_t input_offset;
  uint32_t output_offset;
  uint32_t operators;   /* records at the start of the arena */
  uint32_t activations; /* what COVEY_REFERENCE_MAX_ACTIVATIONS must be at least for this model */
  uint64_t work;        /* multiply-accumulates (and the like) of one invoke */
  covey_reference_fault_t fault;
} covey_reference_t;

typedef struct covey_reference_operator {
  int32_t builtin;
  int32_t version_max; /* versions 1 to this one */
  const char* name;
} covey_reference_operator_t;

void covey_reference_init(covey_reference_t* reference);
covey_runtime_t covey_reference_runtime(covey_reference_t* reference);

/* arena_required without a context: whether this runtime can run the model, with how much memory,
 * and how much work one invoke is. `work` and `fault` may be NULL. */
int covey_reference_inspect(const uint8_t* model, size_t size, size_t* arena_bytes, uint64_t* work,
                            covey_reference_fault_t* fault);

/* The operators of this build, by ascending position; false past the last. */
bool covey_reference_operator_at(uint32_t position, covey_reference_operator_t* out);

#ifdef __cplusplus
}
#endif

#endif
