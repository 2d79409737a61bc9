/* What the prepare() functions of all operators share. */
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

static int check_activation(const covey_prepare_t* p, const covey_tensor_t* tensor,
                            covey_real_t* scale) {
  if (tensor->type != COVEY_TENSOR_INT8) {
    return COVEY_RUNTIME_TENSOR_TYPE;
  }
  if (tensor->data != 0) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  if (!covey_tensor_is_per_tensor(tensor)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  return covey_tensor_scale(p->model, tensor, 0, scale);
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

/* zero_point + round(magnitude / scale), the division rounded as a float's (TFLite divides floats).
 */
static int32_t quantize(uint64_t magnitude, bool negative, covey_real_t scale, int32_t zero_point) {
  const covey_real_t value = {magnitude, 0};
  const int32_t steps =
      covey_clamp(covey_real_to_int(covey_real_divide(value, scale, 24)), 0, 1024);
  return zero_point + (negative ? -steps : steps);
}

int covey_prepare_clamp(uint8_t activation, covey_real_t scale, int32_t zero_point, int32_t* low,
                        int32_t* high) {
  enum { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3 };
  *low = -128;
  *high = 127;
  if (activation == kNone) {
    return 0;
  }
  if (activation == kRelu) {
    *low = zero_point;
  } else if (activation == kRelu6) {
    *low = zero_point;
    *high = quantize(6, false, scale, zero_point);
  } else if (activation == kReluN1To1) {
    *low = quantize(1, true, scale, zero_point);
    *high = quantize(1, false, scale, zero_point);
  } else {
    return COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
  }
  *low = covey_clamp(*low, -128, 127);
  *high = covey_clamp(*high, -128, 127);
  return 0;
}
