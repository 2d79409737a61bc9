/* SPDX-License-Identifier: Apache-2.0 */
#include "reference_runtime.h"

#include <string.h>

#include "operator.h"
#include "plan.h"
#include "reference_config.h"

/* In front of each record. */
typedef struct record_header {
  uint32_t operator_position;
  uint32_t record_bytes;
} record_header_t;

/* What a pass over the operators finds. */
typedef struct built {
  uint32_t records_bytes;
  uint64_t work;
  covey_model_format_t format;
} built_t;

static void clear_fault(covey_reference_fault_t* fault) {
  fault->error = 0;
  fault->operator_index = -1;
  fault->builtin = -1;
  fault->tensor = -1;
}

/* Whether this build knows all operators: asked before any limit that they may exceed. */
static int identify(const covey_tflite_t* model, covey_reference_fault_t* fault) {
  if (model->operators.count > UINT16_MAX) {
    return COVEY_RUNTIME_MODEL_TOO_COMPLEX;
  }
  for (uint32_t i = 0; i < model->operators.count; i++) {
    covey_node_t node;
    fault->operator_index = (int32_t)i;
    const int error = covey_tflite_node(model, i, &node);
    if (error != 0) {
      return error;
    }
    fault->builtin = node.builtin;
    const int32_t position = covey_operator_find(node.builtin);
    if (position < 0 || node.version < 1 || node.version > covey_operators[position]->version_max) {
      return COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
    }
  }
  clear_fault(fault);
  return 0;
}

static int prepare_node(covey_prepare_t* p, uint32_t index, uint8_t* record, int32_t* position) {
  const int error = covey_tflite_node(p->model, index, &p->node);
  if (error != 0) {
    return error;
  }
  *position = covey_operator_find(p->node.builtin); /* identify() found it */
  p->record = record;
  p->record_bytes = 0;
  p->work = 0;
  return covey_operators[*position]->prepare(p);
}

/* Prepares all operators; with `arena` the records are written, without they are measured. */
static int build(const covey_tflite_t* model, const covey_plan_t* plan, uint8_t* arena,
                 built_t* built, covey_reference_fault_t* fault) {
  covey_prepare_t p;
  memset(&p, 0, sizeof p);
  p.model = model;
  p.plan = plan;
  built->records_bytes = 0;
  built->work = 0;
  for (uint32_t i = 0; i < model->operators.count; i++) {
    record_header_t header;
    int32_t position = -1;
    uint8_t* at = arena == NULL ? NULL : arena + built->records_bytes;
    p.node.builtin = -1;
    p.tensor = -1;
    fault->operator_index = (int32_t)i;
    const int error = prepare_node(&p, i, at == NULL ? NULL : at + sizeof header, &position);
    fault->builtin = p.node.builtin;
    fault->tensor = p.tensor;
    if (error != 0) {
      return error;
    }
    header.operator_position = (uint32_t)position;
    header.record_bytes = p.record_bytes;
    if (at != NULL) {
      memcpy(at, &header, sizeof header);
    }
    /* One operator's work is below 2^43, and operators are few: the sum does not overflow. */
    built->work += p.work;
    const uint64_t total = (uint64_t)built->records_bytes + sizeof header + p.record_bytes;
    if (total > COVEY_TENSOR_BYTES_MAX || built->work > COVEY_REFERENCE_WORK_MAX) {
      return COVEY_RUNTIME_MODEL_TOO_COMPLEX;
    }
    built->records_bytes = (uint32_t)total;
  }
  return 0;
}

static int format_of(const covey_tflite_t* model, int32_t index, covey_tensor_format_t* format) {
  covey_tensor_t tensor;
  covey_real_t scale;
  int error = covey_tflite_tensor(model, index, &tensor);
  if (error != 0) {
    return error;
  }
  format->size_bytes = tensor.size_bytes;
  format->multiplier = 0;
  format->shift = 0;
  format->zero_point = 0;
  if (tensor.type == COVEY_TENSOR_FLOAT32) {
    return 0;
  }
  if (tensor.type != COVEY_TENSOR_INT8) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (!covey_tensor_is_per_tensor(&tensor)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  error = covey_tensor_scale(model, &tensor, 0, &scale);
  if (error != 0) {
    return error;
  }
  format->zero_point = tensor.zero_point;
  format->multiplier = (int32_t)(scale.mantissa << 7); /* 24 bits to 31 */
  format->shift = scale.exponent + 24;
  return 0;
}

/* Checks everything and lays out the arena: records, then activations. */
static int measure(const covey_tflite_t* model, covey_plan_t* plan, built_t* built,
                   covey_reference_fault_t* fault) {
  int error = identify(model, fault);
  if (error != 0) {
    return error;
  }
  error = covey_plan_make(model, plan, &fault->operator_index, &fault->tensor);
  if (error != 0) {
    covey_node_t node;
    if (fault->operator_index >= 0 &&
        covey_tflite_node(model, (uint32_t)fault->operator_index, &node) == 0) {
      fault->builtin = node.builtin;
    }
    return error;
  }
  error = build(model, plan, NULL, built, fault);
  if (error != 0) {
    return error;
  }
  clear_fault(fault);
  fault->tensor = model->input;
  error = format_of(model, model->input, &built->format.input);
  if (error != 0) {
    return error;
  }
  fault->tensor = model->output;
  error = format_of(model, model->output, &built->format.output);
  if (error != 0) {
    return error;
  }
  clear_fault(fault);
  plan->base = (built->records_bytes + COVEY_ARENA_ALIGN - 1) & ~(uint32_t)(COVEY_ARENA_ALIGN - 1);
  return 0;
}

int covey_reference_inspect(const uint8_t* model, size_t size, size_t* arena_bytes, uint64_t* work,
                            covey_reference_fault_t* fault) {
  covey_tflite_t tflite;
  covey_plan_t plan;
  built_t built;
  covey_reference_fault_t local;
  clear_fault(&local);
  int error = covey_tflite_open(model, size, &tflite);
  if (error == 0) {
    error = measure(&tflite, &plan, &built, &local);
  }
  if (error == 0) {
    *arena_bytes = (size_t)plan.base + plan.size_bytes;
    if (work != NULL) {
      *work = built.work;
    }
  }
  local.error = error;
  if (fault != NULL) {
    *fault = local;
  }
  return error;
}

static int load_checked(covey_reference_t* reference, const uint8_t* bytes, size_t size,
                        uint8_t* arena, size_t arena_size) {
  covey_tflite_t model;
  covey_plan_t plan;
  built_t built;
  covey_reference_fault_t* fault = &reference->fault;
  int error = covey_tflite_open(bytes, size, &model);
  if (error != 0 || (error = measure(&model, &plan, &built, fault)) != 0) {
    return error;
  }
  if (((uintptr_t)arena & (COVEY_ARENA_ALIGN - 1)) != 0) {
    return COVEY_RUNTIME_ARENA_MISALIGNED;
  }
  if (arena_size < (size_t)plan.base + plan.size_bytes) {
    return COVEY_RUNTIME_ARENA_TOO_SMALL;
  }
  error = build(&model, &plan, arena, &built, fault);
  if (error != 0) {
    return error;
  }
  clear_fault(fault);
  /* The plan has the model's input and output, or covey_plan_make would have failed. */
  reference->input_offset = plan.base + covey_plan_find(&plan, model.input)->offset;
  reference->output_offset = plan.base + covey_plan_find(&plan, model.output)->offset;
  reference->operators = model.operators.count;
  reference->activations =
      plan.count > model.operators.count ? plan.count : model.operators.count + 1;
  reference->work = built.work;
  reference->format = built.format;
  reference->arena = arena;
  reference->model = bytes;
  return 0;
}

static int arena_required(void* ctx, const uint8_t* model, size_t size, size_t* arena_bytes) {
  covey_reference_t* reference = ctx;
  if (reference == NULL || arena_bytes == NULL) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  return covey_reference_inspect(model, size, arena_bytes, NULL, &reference->fault);
}

static int load(void* ctx, const uint8_t* model, size_t size, uint8_t* arena, size_t arena_size) {
  covey_reference_t* reference = ctx;
  if (reference == NULL || model == NULL || arena == NULL) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  if (reference->model != NULL) {
    return COVEY_RUNTIME_ALREADY_LOADED;
  }
  clear_fault(&reference->fault);
  reference->fault.error = load_checked(reference, model, size, arena, arena_size);
  return reference->fault.error;
}

static int describe(void* ctx, covey_model_format_t* format) {
  const covey_reference_t* reference = ctx;
  if (reference == NULL || format == NULL) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  if (reference->model == NULL) {
    return COVEY_RUNTIME_NOT_LOADED;
  }
  *format = reference->format;
  return 0;
}

static int invoke(void* ctx, const int8_t* input, size_t input_size, int8_t* output,
                  size_t output_size) {
  covey_reference_t* reference = ctx;
  if (reference == NULL || input == NULL || output == NULL) {
    return COVEY_RUNTIME_BAD_ARGUMENT;
  }
  if (reference->model == NULL) {
    return COVEY_RUNTIME_NOT_LOADED;
  }
  if (input_size != reference->format.input.size_bytes) {
    return COVEY_RUNTIME_INPUT_SIZE;
  }
  if (output_size != reference->format.output.size_bytes) {
    return COVEY_RUNTIME_OUTPUT_SIZE;
  }
  const covey_memory_t memory = {reference->model, reference->arena};
  const uint8_t* record = reference->arena;
  memcpy(reference->arena + reference->input_offset, input, input_size);
  for (uint32_t i = 0; i < reference->operators; i++) {
    record_header_t header;
    memcpy(&header, record, sizeof header);
    covey_operators[header.operator_position]->run(&memory, record + sizeof header);
    record += sizeof header + header.record_bytes;
  }
  memcpy(output, reference->arena + reference->output_offset, output_size);
  return 0;
}

static void unload(void* ctx) {
  covey_reference_t* reference = ctx;
  if (reference != NULL) {
    covey_reference_init(reference);
  }
}

void covey_reference_init(covey_reference_t* reference) {
  memset(reference, 0, sizeof *reference);
  clear_fault(&reference->fault);
}

covey_runtime_t covey_reference_runtime(covey_reference_t* reference) {
  const covey_runtime_t runtime = {
      reference, COVEY_REFERENCE_NAME, arena_required, load, describe, invoke, unload};
  return runtime;
}

bool covey_reference_operator_at(uint32_t position, covey_reference_operator_t* out) {
  if (position >= covey_operators_count) {
    return false;
  }
  const covey_operator_t* op = covey_operators[position];
  out->builtin = op->builtin;
  out->version_max = op->version_max;
  out->name = op->name;
  return true;
}
