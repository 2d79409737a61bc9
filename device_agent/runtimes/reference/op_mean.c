/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN, int8, over any of up to four dimensions. The division by the number of values is part of
 * the multiplier, rounded as TFLite rounds it. */
#include "covey/runtime.h"
#include "operator.h"

enum {
  kRank = 4,
  kOptionsType = 27,
  /* More values of at most 255 each could overflow their sum. */
  kValuesMax = 1 << 23
};

typedef struct mean {
  covey_ref_t input;
  covey_ref_t output;
  int32_t offset; /* the values' zero points together */
  covey_multiplier_t multiplier;
  covey_target_t target;
  uint32_t dims[kRank];
  uint32_t reduced; /* bit i: dimension i is */
} mean_t;

/* A bit for each axis that is named; negative ones count from the end, twice is once. */
static int read_axes(const covey_prepare_t* p, const covey_tensor_t* axes, uint32_t at,
                     uint32_t rank, uint32_t* reduced) {
  *reduced = 0;
  for (uint32_t i = 0; i < axes->elements; i++) {
    const int32_t axis = covey_fb_i32(&p->model->fb, at + 4 * i);
    if (axis >= (int32_t)rank || axis < -(int32_t)rank) {
      return COVEY_RUNTIME_OPERATOR_MALFORMED;
    }
    const uint32_t from_front = axis < 0 ? (uint32_t)(axis + (int32_t)rank) : (uint32_t)axis;
    *reduced |= 1u << (kRank - rank + from_front);
  }
  return 0;
}

static int check_shapes(const covey_tensor_t* input, const covey_tensor_t* output, mean_t* mean,
                        uint32_t* values) {
  *values = 1;
  for (uint32_t i = 0; i < kRank; i++) {
    const bool absent = i < kRank - input->rank;
    mean->dims[i] = absent ? 1 : input->dims[i - (kRank - input->rank)];
    if ((mean->reduced >> i & 1) != 0) {
      *values *= mean->dims[i];
    }
  }
  return *values <= kValuesMax && output->elements == input->elements / *values
             ? 0
             : COVEY_RUNTIME_TENSOR_SHAPE;
}

/* multiplier / values, as TFLite: by as many bits to the left as the number of values has. */
static void divide_multiplier(covey_multiplier_t* multiplier, uint32_t values) {
  int32_t shift = 0;
  while (values >> (shift + 1) != 0) {
    shift++;
  }
  if (shift > 31 + multiplier->shift) {
    shift = 31 + multiplier->shift;
  }
  multiplier->multiplier = (int32_t)(((int64_t)multiplier->multiplier << shift) / values);
  multiplier->shift -= shift;
}

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t axes;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  uint32_t at = 0;
  uint32_t values = 0;
  bool present = false; /* keep_dims, the only option, changes no byte */
  mean_t mean;
  int error = covey_prepare_options(p, kOptionsType, &present);
  if (error != 0 || (error = covey_prepare_activation_input(p, &input, &input_scale)) != 0) {
    return error;
  }
  if (input.rank > kRank) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  error = covey_prepare_constant(p, &axes, &at);
  if (error != 0 || (error = read_axes(p, &axes, at, input.rank, &mean.reduced)) != 0 ||
      (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0 ||
      (error = check_shapes(&input, &output, &mean, &values)) != 0 ||
      (error = covey_prepare_target(0, output_scale, output.zero_point, &mean.target)) != 0) {
    return error;
  }
  if (!covey_real_to_multiplier(covey_real_divide(input_scale, output_scale, 53),
                                &mean.multiplier)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  divide_multiplier(&mean.multiplier, values);
  mean.offset = input.zero_point * (int32_t)values;
  mean.input = covey_prepare_ref(p, &input);
  mean.output = covey_prepare_ref(p, &output);
  p->work = input.elements;
  covey_write_record(p, &mean, sizeof mean);
  return 0;
}

/* The sum of one output value's inputs; `counts` are those of the reduced dimensions, else 1. */
static int32_t sum(const int8_t* input, const uint32_t counts[kRank], const uint32_t steps[kRank]) {
  int32_t total = 0;
  for (uint32_t i = 0; i < counts[0]; i++) {
    for (uint32_t j = 0; j < counts[1]; j++) {
      for (uint32_t k = 0; k < counts[2]; k++) {
        const int8_t* value = input + i * steps[0] + j * steps[1] + k * steps[2];
        for (uint32_t l = 0; l < counts[3]; l++) {
          total += *value;
          value += steps[3];
        }
      }
    }
  }
  return total;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  mean_t mean;
  uint32_t kept[kRank];
  uint32_t reduced[kRank];
  uint32_t steps[kRank];
  uint32_t step = 1;
  memcpy(&mean, record, sizeof mean);
  for (uint32_t i = kRank; i-- > 0;) {
    const bool is_reduced = (mean.reduced >> i & 1) != 0;
    steps[i] = step;
    step *= mean.dims[i];
    kept[i] = is_reduced ? 1 : mean.dims[i];
    reduced[i] = is_reduced ? mean.dims[i] : 1;
  }
  const int8_t* input = covey_read(memory, mean.input);
  int8_t* output = covey_write(memory, mean.output);
  for (uint32_t i = 0; i < kept[0]; i++) {
    for (uint32_t j = 0; j < kept[1]; j++) {
      for (uint32_t k = 0; k < kept[2]; k++) {
        for (uint32_t l = 0; l < kept[3]; l++) {
          const int8_t* from = input + i * steps[0] + j * steps[1] + k * steps[2] + l * steps[3];
          const int32_t total = sum(from, reduced, steps) - mean.offset;
          *output++ = covey_to_target(total, mean.multiplier, &mean.target);
        }
      }
    }
  }
}

const covey_operator_t covey_op_mean = {40, 3, "MEAN", false, prepare, run};
