/* SPDX-License-Identifier: Apache-2.0 */
#include "broadcast.h"

#include "covey/runtime.h"

/* Dimension counted from the last; 1 beyond the first. */
static uint32_t dim_from_last(const covey_tensor_t* tensor, uint32_t i) {
  return i < tensor->rank ? tensor->dims[tensor->rank - 1 - i] : 1;
}

/* Joins dimensions from the last to the first as long as both operands treat them alike. */
static int join(const covey_tensor_t operands[2], const covey_tensor_t* output,
                covey_broadcast_t* broadcast) {
  uint32_t size[2] = {1, 1}; /* elements of the operands in the dimensions behind */
  uint32_t place = COVEY_BROADCAST_RANK;
  for (uint32_t i = 0; i < COVEY_BROADCAST_RANK; i++) {
    broadcast->dims[i] = 1;
    broadcast->steps[0][i] = 0;
    broadcast->steps[1][i] = 0;
  }
  for (uint32_t i = 0; i < COVEY_TENSOR_RANK_MAX; i++) {
    const uint32_t dim = dim_from_last(output, i);
    uint32_t steps[2];
    if (dim == 1) {
      continue;
    }
    for (uint32_t o = 0; o < 2; o++) {
      steps[o] = dim_from_last(&operands[o], i) == 1 ? 0 : size[o];
    }
    const bool alike = place < COVEY_BROADCAST_RANK &&
                       (steps[0] == 0) == (broadcast->steps[0][place] == 0) &&
                       (steps[1] == 0) == (broadcast->steps[1][place] == 0);
    if (alike) {
      broadcast->dims[place] *= dim;
    } else if (place == 0) {
      return COVEY_RUNTIME_TENSOR_SHAPE;
    } else {
      place--;
      broadcast->dims[place] = dim;
      broadcast->steps[0][place] = steps[0];
      broadcast->steps[1][place] = steps[1];
    }
    size[0] *= steps[0] == 0 ? 1 : dim;
    size[1] *= steps[1] == 0 ? 1 : dim;
  }
  return 0;
}

static int check_shapes(const covey_tensor_t operands[2], const covey_tensor_t* output) {
  for (uint32_t i = 0; i < COVEY_TENSOR_RANK_MAX; i++) {
    const uint32_t a = dim_from_last(&operands[0], i);
    const uint32_t b = dim_from_last(&operands[1], i);
    if ((a != b && a != 1 && b != 1) || dim_from_last(output, i) != (a == 1 ? b : a)) {
      return COVEY_RUNTIME_TENSOR_SHAPE;
    }
  }
  return 0;
}

int covey_prepare_broadcast(covey_prepare_t* p, uint8_t options_type, covey_broadcast_t* broadcast,
                            covey_real_t operand_scales[2], covey_real_t* output_scale) {
  covey_tensor_t operands[2];
  covey_tensor_t output;
  bool present = false;
  uint8_t activation = 0;
  int error = covey_prepare_options(p, options_type, &present);
  if (error == 0 && present) {
    error = covey_fb_field_u8(&p->model->fb, &p->node.options, 0, 0, &activation);
  }
  for (uint32_t i = 0; i < 2 && error == 0; i++) {
    error = covey_prepare_operand(p, i, &operands[i], &operand_scales[i]);
    if (error == 0) {
      broadcast->operands[i] = covey_prepare_ref(p, &operands[i]);
      broadcast->zero_points[i] = operands[i].zero_point;
    }
  }
  if (error != 0 || (error = covey_prepare_activation_output(p, &output, output_scale)) != 0 ||
      (error = check_shapes(operands, &output)) != 0 ||
      (error = join(operands, &output, broadcast)) != 0) {
    return error;
  }
  broadcast->output = covey_prepare_ref(p, &output);
  p->work = output.elements;
  return covey_prepare_target(activation, *output_scale, output.zero_point, &broadcast->target);
}

void covey_run_broadcast(const covey_memory_t* memory, const covey_broadcast_t* broadcast,
                         covey_binary_t* binary, const void* record) {
  const uint32_t* dims = broadcast->dims;
  const uint32_t* a_steps = broadcast->steps[0];
  const uint32_t* b_steps = broadcast->steps[1];
  const int8_t* a = covey_read(memory, broadcast->operands[0]);
  const int8_t* b = covey_read(memory, broadcast->operands[1]);
  int8_t* output = covey_write(memory, broadcast->output);
  for (uint32_t i = 0; i < dims[0]; i++) {
    for (uint32_t j = 0; j < dims[1]; j++) {
      for (uint32_t k = 0; k < dims[2]; k++) {
        const int8_t* x = a + i * a_steps[0] + j * a_steps[1] + k * a_steps[2];
        const int8_t* y = b + i * b_steps[0] + j * b_steps[1] + k * b_steps[2];
        for (uint32_t l = 0; l < dims[3]; l++) {
          *output++ =
              binary(record, *x - broadcast->zero_points[0], *y - broadcast->zero_points[1]);
          x += a_steps[3];
          y += b_steps[3];
        }
      }
    }
  }
}
