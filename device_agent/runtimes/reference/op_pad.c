/* SPDX-License-Identifier: Apache-2.0 */
/* PAD, int8: zeros (that is, zero points) around a tensor. */
#include "covey/runtime.h"
#include "operator.h"

enum { kRank = 4 };

typedef struct pad {
  covey_ref_t input;
  covey_ref_t output;
  int32_t zero_point;
  uint32_t output_bytes;
  uint32_t dims[kRank];   /* of the input */
  uint32_t before[kRank]; /* elements in front of it */
  uint32_t output_dims[kRank];
} pad_t;

/* Shapes as of four dimensions, and the paddings that lie between them. */
static int check_shapes(const covey_prepare_t* p, const covey_tensor_t* input,
                        const covey_tensor_t* paddings, uint32_t at, const covey_tensor_t* output,
                        pad_t* pad) {
  const uint32_t rank = input->rank;
  if (rank > kRank || output->rank != rank || paddings->elements != 2 * rank) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  for (uint32_t i = 0; i < kRank; i++) {
    pad->dims[i] = 1;
    pad->before[i] = 0;
    pad->output_dims[i] = 1;
  }
  for (uint32_t i = 0; i < rank; i++) {
    const uint32_t to = kRank - rank + i;
    const uint32_t before = covey_fb_u32(&p->model->fb, at + 8 * i);
    const uint32_t after = covey_fb_u32(&p->model->fb, at + 8 * i + 4);
    /* Negative ones are greater than any dimension, too. */
    if (before > output->dims[i] || after > output->dims[i] ||
        before + input->dims[i] + after != output->dims[i]) {
      return COVEY_RUNTIME_TENSOR_SHAPE;
    }
    pad->dims[to] = input->dims[i];
    pad->before[to] = before;
    pad->output_dims[to] = output->dims[i];
  }
  return 0;
}

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t paddings;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  uint32_t at = 0;
  pad_t pad;
  int error = covey_prepare_activation_input(p, &input, &input_scale);
  if (error != 0 || (error = covey_prepare_constant(p, &paddings, &at)) != 0 ||
      (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0 ||
      (error = check_shapes(p, &input, &paddings, at, &output, &pad)) != 0) {
    return error;
  }
  if (!covey_same_quantization(&input, input_scale, &output, output_scale)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  pad.input = covey_prepare_ref(p, &input);
  pad.output = covey_prepare_ref(p, &output);
  pad.zero_point = output.zero_point;
  pad.output_bytes = output.size_bytes;
  p->work = output.elements;
  covey_write_record(p, &pad, sizeof pad);
  return 0;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  pad_t pad;
  memcpy(&pad, record, sizeof pad);
  const uint32_t* to = pad.output_dims;
  const int8_t* input = covey_read(memory, pad.input);
  int8_t* output = covey_write(memory, pad.output);
  memset(output, pad.zero_point, pad.output_bytes);
  for (uint32_t i = 0; i < pad.dims[0]; i++) {
    for (uint32_t j = 0; j < pad.dims[1]; j++) {
      for (uint32_t k = 0; k < pad.dims[2]; k++) {
        const uint32_t plane = (i + pad.before[0]) * to[1] + j + pad.before[1];
        const uint32_t row = plane * to[2] + k + pad.before[2];
        memcpy(output + row * to[3] + pad.before[3], input, pad.dims[3]);
        input += pad.dims[3];
      }
    }
  }
}

const covey_operator_t covey_op_pad = {34, 5, "PAD", false, prepare, run};
