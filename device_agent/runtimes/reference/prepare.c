/* SPDX-License-Identifier: Apache-2.0 */
/* What operators share. */
#include "covey/runtime.h"
#include "operator.h"
#include "plan.h"

static int tensor_at(covey_prepare_t* p, const covey_fb_vector_t* indices, uint32_t i,
                     covey_tensor_t* tensor) {
  p->tensor = covey_tflite_index(p->model, indices, i);
  return covey_tflite_tensor(p->model, p->tensor, tensor);
}

int covey_prepare_input(covey_prepare_t* p, uint32_t i, covey_tensor_t* tensor) {
  return tensor_at(p, &p->node.inputs, i, tensor);
}

int covey_prepare_output(covey_prepare_t* p, uint32_t i, covey_tensor_t* tensor) {
  return tensor_at(p, &p->node.outputs, i, tensor);
}

static int check_int8(const covey_prepare_t* p, const covey_tensor_t* tensor, covey_real_t* scale) {
  if (tensor->type != COVEY_TENSOR_INT8) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (!covey_tensor_is_per_tensor(tensor)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  return covey_tensor_scale(p->model, tensor, 0, scale);
}

int covey_prepare_operand(covey_prepare_t* p, uint32_t i, covey_tensor_t* tensor,
                          covey_real_t* scale) {
  const int error = covey_prepare_input(p, i, tensor);
  return error != 0 ? error : check_int8(p, tensor, scale);
}

static int check_activation(const covey_prepare_t* p, const covey_tensor_t* tensor,
                            covey_real_t* scale) {
  const int error = check_int8(p, tensor, scale);
  return error == 0 && tensor->data != 0 ? COVEY_RUNTIME_OPERATOR_MALFORMED : error;
}

int covey_prepare_activation_input(covey_prepare_t* p, covey_tensor_t* tensor,
                                   covey_real_t* scale) {
  const int error = covey_prepare_input(p, 0, tensor);
  return error != 0 ? error : check_activation(p, tensor, scale);
}

int covey_prepare_activation_output(covey_prepare_t* p, covey_tensor_t* tensor,
                                    covey_real_t* scale) {
  if (p->node.outputs.count != 1) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  const int error = covey_prepare_output(p, 0, tensor);
  return error != 0 ? error : check_activation(p, tensor, scale);
}

int covey_prepare_options(const covey_prepare_t* p, uint8_t type, bool* present) {
  *present = p->node.has_options && p->node.options_type == type;
  if (p->node.options_type != 0 && !*present) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  return 0;
}

covey_ref_t covey_prepare_ref(const covey_prepare_t* p, const covey_tensor_t* tensor) {
  if (tensor->data != 0) {
    return tensor->data | COVEY_REF_MODEL;
  }
  const covey_activation_t* activation = covey_plan_find(p->plan, tensor->index);
  /* covey_plan_make has an entry for each activation that any operator names. */
  return activation == NULL ? 0 : p->plan->base + activation->offset;
}

int covey_prepare_constant(covey_prepare_t* p, covey_tensor_t* tensor, uint32_t* at) {
  const int error = covey_prepare_input(p, 1, tensor);
  if (error != 0) {
    return error;
  }
  if (tensor->type != COVEY_TENSOR_INT32) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  *at = tensor->data;
  return tensor->data != 0 ? 0 : COVEY_RUNTIME_MODEL_UNSUPPORTED;
}

int covey_prepare_target(uint8_t activation, covey_real_t scale, int32_t zero_point,
                         covey_target_t* target) {
  enum { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3 };
  const covey_real_t one = {1, 0};
  const covey_real_t six = {6, 0};
  target->zero_point = zero_point;
  target->low = INT8_MIN;
  target->high = INT8_MAX;
  if (activation == kRelu) {
    target->low = zero_point;
  } else if (activation == kRelu6) {
    target->low = zero_point;
    target->high = covey_quantize(six, false, scale, zero_point);
  } else if (activation == kReluN1To1) {
    target->low = covey_quantize(one, true, scale, zero_point);
    target->high = covey_quantize(one, false, scale, zero_point);
  } else if (activation != kNone) {
    return COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
  }
  return 0;
}

void covey_write_record(covey_prepare_t* p, const void* record, uint32_t size) {
  p->record_bytes = size;
  if (p->record != NULL) {
    memcpy(p->record, record, size);
  }
}

bool covey_same_quantization(const covey_tensor_t* a, covey_real_t a_scale, const covey_tensor_t* b,
                             covey_real_t b_scale) {
  return a->zero_point == b->zero_point && a_scale.mantissa == b_scale.mantissa &&
         a_scale.exponent == b_scale.exponent;
}

bool covey_is_probability(const covey_tensor_t* tensor, covey_real_t scale) {
  /* A float's mantissa has its highest bit at 23. */
  return tensor->zero_point == INT8_MIN && scale.mantissa == 1 << 23 && scale.exponent == -23 - 8;
}

int8_t covey_to_target(int32_t value, covey_multiplier_t by, const covey_target_t* target) {
  /* Clamped before the zero point is added: then nothing overflows. */
  const int32_t zero_point = target->zero_point;
  const int32_t scaled =
      covey_clamp(covey_scale(value, by), target->low - zero_point, target->high - zero_point);
  return (int8_t)(scaled + zero_point);
}
