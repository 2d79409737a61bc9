/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX, int8 to int8, over the last dimension: TFLite's reference fixed-point form, exp in
 * Q5.26, sum in Q12.19, one reciprocal per row. */
#include "covey/runtime.h"
#include "operator.h"

enum {
  kOptionsType = 9,
  kOptionBeta = 0,
  kDiffIntegerBits = 5,
  kSumIntegerBits = 12,
  /* More summands of at most 2^19 each could overflow the sum. */
  kDepthMax = 4095
};

static const uint32_t kOne = 0x3f800000u; /* 1.0f */

typedef struct softmax {
  covey_ref_t input;
  covey_ref_t output;
  uint32_t rows;
  uint32_t depth;
  int32_t diff_min; /* smaller differences to the row's maximum count as zero */
  covey_multiplier_t multiplier;
} softmax_t;

/* beta * scale * 2^26 as a multiplier of at least 1, and the least difference it may be used on. */
static int prepare_scaling(covey_real_t beta, covey_real_t scale, softmax_t* softmax) {
  covey_real_t value = covey_real_multiply(beta, scale);
  value.exponent += 31 - kDiffIntegerBits;
  if (!covey_real_to_multiplier(value, &softmax->multiplier)) {
    softmax->multiplier.multiplier = INT32_MAX; /* TFLite saturates here, too */
    softmax->multiplier.shift = 30;
  }
  if (softmax->multiplier.shift < 1) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION; /* beta * scale below 2^-26: TFLite aborts */
  }
  const int64_t radius =
      (((int64_t)1 << kDiffIntegerBits) - 1) * ((int64_t)1 << (31 - kDiffIntegerBits));
  softmax->diff_min = -(int32_t)(radius >> softmax->multiplier.shift);
  return 0;
}

static int read_beta(covey_prepare_t* p, covey_real_t* beta) {
  bool present = false;
  uint32_t bits = kOne;
  int error = covey_prepare_options(p, kOptionsType, &present);
  if (error == 0 && present) {
    error = covey_fb_field_u32(&p->model->fb, &p->node.options, kOptionBeta, 0, &bits);
  }
  if (error != 0) {
    return error;
  }
  return covey_real_from_float(bits, beta) ? 0 : COVEY_RUNTIME_OPERATOR_UNSUPPORTED;
}

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  covey_real_t beta;
  softmax_t softmax;
  int error = read_beta(p, &beta);
  if (error != 0 || (error = covey_prepare_activation_input(p, &input, &input_scale)) != 0) {
    return error;
  }
  error = prepare_scaling(beta, input_scale, &softmax);
  if (error != 0 || (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0) {
    return error;
  }
  if (input.rank == 0 || input.rank != output.rank || input.elements != output.elements ||
      input.dims[input.rank - 1] != output.dims[input.rank - 1] ||
      input.dims[input.rank - 1] > kDepthMax) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  if (!covey_is_probability(&output, output_scale)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  softmax.input = covey_prepare_ref(p, &input);
  softmax.output = covey_prepare_ref(p, &output);
  softmax.depth = input.dims[input.rank - 1];
  softmax.rows = input.elements / softmax.depth;
  p->work = (uint64_t)input.elements * 16;
  covey_write_record(p, &softmax, sizeof softmax);
  return 0;
}

/* e^(diff * beta * scale), Q0.31; diff_min <= diff <= 0 keeps the product in Q5.26. */
static int32_t exp_of(int32_t diff, covey_multiplier_t by) {
  const int32_t scaled = covey_high_multiply(covey_multiply_by_pot(diff, by.shift), by.multiplier);
  return covey_exp_negative(scaled, 31 - kDiffIntegerBits);
}

static int32_t leading_zeros(uint32_t x) {
  int32_t count = 0;
  while (count < 32 && (x & 0x80000000u) == 0) {
    x <<= 1;
    count++;
  }
  return count;
}

static void run_row(const softmax_t* softmax, const int8_t* input, int8_t* output) {
  int32_t max = -128;
  for (uint32_t i = 0; i < softmax->depth; i++) {
    max = input[i] > max ? input[i] : max;
  }
  int32_t sum = 0;
  for (uint32_t i = 0; i < softmax->depth; i++) {
    const int32_t diff = input[i] - max;
    if (diff >= softmax->diff_min) {
      sum += covey_divide_by_pot(exp_of(diff, softmax->multiplier), kSumIntegerBits);
    }
  }
  /* The maximum itself adds 2^19, so 1 <= zeros <= 12; sum = (1 + x) * 2^(31 - zeros). */
  const int32_t zeros = leading_zeros((uint32_t)sum);
  const int32_t x = (int32_t)(((uint32_t)sum << zeros) - 0x80000000u);
  const int32_t reciprocal = covey_reciprocal_one_plus(x);
  const int32_t exponent = (kSumIntegerBits - zeros) + 31 - 8;
  for (uint32_t i = 0; i < softmax->depth; i++) {
    const int32_t diff = input[i] - max;
    int32_t value = -128;
    if (diff >= softmax->diff_min) {
      value += covey_divide_by_pot(
          covey_high_multiply(reciprocal, exp_of(diff, softmax->multiplier)), exponent);
    }
    output[i] = (int8_t)covey_clamp(value, -128, 127);
  }
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  softmax_t softmax;
  memcpy(&softmax, record, sizeof softmax);
  const int8_t* input = covey_read(memory, softmax.input);
  int8_t* output = covey_write(memory, softmax.output);
  for (uint32_t row = 0; row < softmax.rows; row++) {
    run_row(&softmax, input, output);
    input += softmax.depth;
    output += softmax.depth;
  }
}

const covey_operator_t covey_op_softmax = {25, 2, "SOFTMAX", true, prepare, run};
