/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stddef.h>

#include "covey/runtime.h"
#include "operator.h"

static covey_activation_t* find(covey_plan_t* plan, int32_t tensor) {
  for (uint32_t i = 0; i < plan->count; i++) {
    if (plan->activations[i].tensor == tensor) {
      return &plan->activations[i];
    }
  }
  return NULL;
}

const covey_activation_t* covey_plan_find(const covey_plan_t* plan, int32_t tensor) {
  for (uint32_t i = 0; i < plan->count; i++) {
    if (plan->activations[i].tensor == tensor) {
      return &plan->activations[i];
    }
  }
  return NULL;
}

static int add(covey_plan_t* plan, const covey_tensor_t* tensor, uint32_t operator_number) {
  if (tensor->data != 0 || find(plan, tensor->index) != NULL) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  if (plan->count == COVEY_REFERENCE_MAX_ACTIVATIONS) {
    return COVEY_RUNTIME_MODEL_TOO_COMPLEX;
  }
  covey_activation_t* entry = &plan->activations[plan->count];
  entry->tensor = tensor->index;
  entry->size_bytes = tensor->size_bytes;
  entry->offset = 0;
  entry->first = (covey_place_t)operator_number;
  entry->last = (covey_place_t)operator_number;
  entry->home = (covey_place_t)plan->count;
  entry->placed = 0;
  plan->count++;
  return 0;
}

static int note_inputs(const covey_tflite_t* model, covey_plan_t* plan, const covey_node_t* node,
                       uint32_t operator_number, int32_t* tensor_index) {
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    covey_tensor_t tensor;
    *tensor_index = covey_tflite_index(model, &node->inputs, i);
    if (*tensor_index == -1) {
      continue; /* an optional input that is left out */
    }
    covey_activation_t* entry = find(plan, *tensor_index);
    if (entry != NULL) {
      entry->last = (covey_place_t)operator_number;
      continue;
    }
    const int error = covey_tflite_tensor(model, *tensor_index, &tensor);
    if (error != 0) {
      return error;
    }
    /* Computed shapes (op_shape.c) have no place, and nothing reads them: what needs int32 values
     * to run demands a constant. */
    if (tensor.data == 0 && tensor.type != COVEY_TENSOR_INT32) {
      return COVEY_RUNTIME_OPERATOR_MALFORMED; /* read before anything wrote it */
    }
  }
  return 0;
}

static int check_tensors(const covey_node_t* node) {
  return node->inputs.count > COVEY_NODE_TENSORS_MAX || node->outputs.count > COVEY_NODE_TENSORS_MAX
             ? COVEY_RUNTIME_OPERATOR_MALFORMED
             : 0;
}

static int note_outputs(const covey_tflite_t* model, covey_plan_t* plan, const covey_node_t* node,
                        uint32_t operator_number, int32_t* tensor_index) {
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    covey_tensor_t tensor;
    *tensor_index = covey_tflite_index(model, &node->outputs, i);
    int error = covey_tflite_tensor(model, *tensor_index, &tensor);
    if (error == 0 && tensor.type != COVEY_TENSOR_INT32) {
      error = add(plan, &tensor, operator_number);
    }
    if (error != 0) {
      return error;
    }
  }
  return 0;
}

static bool may_run_in_place(int32_t builtin) {
  const int32_t i = covey_operator_find(builtin);
  return i >= 0 && covey_operators[i]->in_place;
}

/* Lets an operator's output take the place of its input where that dies there. */
static void share(const covey_tflite_t* model, covey_plan_t* plan, const covey_node_t* node,
                  uint32_t operator_number) {
  covey_activation_t* in = find(plan, covey_tflite_index(model, &node->inputs, 0));
  covey_activation_t* out = find(plan, covey_tflite_index(model, &node->outputs, 0));
  if (in == NULL || out == NULL || !may_run_in_place(node->builtin)) {
    return;
  }
  covey_activation_t* home = &plan->activations[in->home];
  if (home->last == operator_number && in->size_bytes == out->size_bytes) {
    out->home = in->home;
    home->last = out->last;
  }
}

static uint32_t align(uint32_t size) {
  return (size + COVEY_ARENA_ALIGN - 1) & ~(uint32_t)(COVEY_ARENA_ALIGN - 1);
}

/* The lowest offset at which nothing that lives at the same time is in the way. */
static uint32_t lowest_fit(const covey_plan_t* plan, const covey_activation_t* entry) {
  uint32_t offset = 0;
  for (uint32_t i = 0; i < plan->count; i++) {
    const covey_activation_t* other = &plan->activations[i];
    const bool lives = other->first <= entry->last && entry->first <= other->last;
    if (other->placed != 0 && lives && other->offset < offset + entry->size_bytes &&
        offset < other->offset + other->size_bytes) {
      offset = align(other->offset + other->size_bytes);
      i = UINT32_MAX; /* look again from the first */
    }
  }
  return offset;
}

static int place_all(covey_plan_t* plan) {
  plan->size_bytes = 0;
  for (;;) {
    covey_activation_t* next = NULL;
    for (uint32_t i = 0; i < plan->count; i++) {
      covey_activation_t* entry = &plan->activations[i];
      if (entry->home == i && entry->placed == 0 &&
          (next == NULL || entry->size_bytes > next->size_bytes)) {
        next = entry;
      }
    }
    if (next == NULL) {
      break;
    }
    next->offset = lowest_fit(plan, next);
    next->placed = 1;
    const uint32_t end = next->offset + next->size_bytes;
    /* One tensor has at most 2^26 bytes, so `end` did not wrap; nor will the next one. */
    if (end > (uint32_t)COVEY_TENSOR_BYTES_MAX * 4) {
      return COVEY_RUNTIME_MODEL_TOO_COMPLEX;
    }
    if (end > plan->size_bytes) {
      plan->size_bytes = end;
    }
  }
  for (uint32_t i = 0; i < plan->count; i++) {
    plan->activations[i].offset = plan->activations[plan->activations[i].home].offset;
  }
  return 0;
}

int covey_plan_make(const covey_tflite_t* model, covey_plan_t* plan, int32_t* operator_index,
                    int32_t* tensor) {
  covey_tensor_t input;
  covey_node_t node;
  plan->count = 0;
  plan->base = 0;
  *operator_index = -1;
  *tensor = -1;
  /* Numbers of operators are kept as covey_place_t. */
  if (model->operators.count >= COVEY_REFERENCE_MAX_ACTIVATIONS) {
    return COVEY_RUNTIME_MODEL_TOO_COMPLEX;
  }
  *tensor = model->input;
  int error = covey_tflite_tensor(model, model->input, &input);
  if (error != 0 || (error = add(plan, &input, 0)) != 0) {
    return error;
  }
  for (uint32_t i = 0; i < model->operators.count; i++) {
    *operator_index = (int32_t)i;
    *tensor = -1;
    error = covey_tflite_node(model, i, &node);
    if (error != 0 || (error = check_tensors(&node)) != 0 ||
        (error = note_inputs(model, plan, &node, i + 1, tensor)) != 0 ||
        (error = note_outputs(model, plan, &node, i + 1, tensor)) != 0) {
      return error;
    }
  }
  *operator_index = -1;
  *tensor = model->output;
  covey_activation_t* output = find(plan, model->output);
  if (output == NULL) {
    return COVEY_RUNTIME_MODEL_CORRUPT;
  }
  output->last = (covey_place_t)(model->operators.count + 1);
  for (uint32_t i = 0; i < model->operators.count; i++) {
    error = covey_tflite_node(model, i, &node);
    if (error != 0) {
      return error;
    }
    share(model, plan, &node, i + 1);
  }
  *tensor = -1;
  return place_all(plan);
}
