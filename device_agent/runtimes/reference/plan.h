/* SPDX-License-Identifier: Apache-2.0 */
/* Where activations live in the arena: a deterministic linear plan. Tensors whose lives overlap
 * don't overlap in memory; greatest first, each at the lowest place that fits.
 *
 * The plan is on the stack of load() and arena_required() (about 1 KB), never in the arena. */
#ifndef COVEY_REFERENCE_PLAN_H
#define COVEY_REFERENCE_PLAN_H

#include "model.h"
#include "reference_config.h"

#ifdef __cplusplus
extern "C" {
#endif

#if COVEY_REFERENCE_MAX_ACTIVATIONS <= 255
typedef uint8_t covey_place_t;
#elif COVEY_REFERENCE_MAX_ACTIVATIONS <= 65535
typedef uint16_t covey_place_t;
#else
#error "COVEY_REFERENCE_MAX_ACTIVATIONS: at most 65535"
#endif

typedef struct covey_activation {
  int32_t tensor;
  uint32_t size_bytes;
  uint32_t offset;     /* from the start of the activations */
  covey_place_t first; /* operator that writes it, counted from 1; the model's input: 0 */
  covey_place_t last;  /* operator that reads it last; the model's output: one past the last one */
  covey_place_t home;  /* the entry whose place it shares, or itself */
  covey_place_t placed;
} covey_activation_t;

typedef struct covey_plan {
  covey_activation_t activations[COVEY_REFERENCE_MAX_ACTIVATIONS];
  uint32_t count;
  uint32_t base;       /* arena offset of the first activation */
  uint32_t size_bytes; /* of all activations */
} covey_plan_t;

/* Lives and places of every activation. Errors name the operator in *operator_index and the tensor
 * in *tensor: MODEL_TOO_COMPLEX (neither: too many operators), OPERATOR_MALFORMED (a tensor written
 * twice, or read before; more than COVEY_NODE_TENSORS_MAX of them), and those of
 * covey_tflite_tensor and covey_tflite_node. `base` is left 0. */
int covey_plan_make(const covey_tflite_t* model, covey_plan_t* plan, int32_t* operator_index,
                    int32_t* tensor);
/* NULL where the tensor is no activation of the plan. */
const covey_activation_t* covey_plan_find(const covey_plan_t* plan, int32_t tensor);

#ifdef __cplusplus
}
#endif

#endif
