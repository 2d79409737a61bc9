/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL_2D and MAX_POOL_2D, int8; input and output have one scale. Padding counts neither as
 * a value nor in the average. */
#include "covey/runtime.h"
#include "window.h"

enum { kBlock = 32 /* channels that are pooled side by side, on the stack */ };
static const covey_window_fields_t kFields = {
    .options_type = 5, .activation = 5, .kernel_rows = 4, .kernel_columns = 3};

typedef struct pool {
  covey_ref_t input;
  covey_ref_t output;
  covey_target_t target;
  covey_window_t window;
} pool_t;

static int prepare(covey_prepare_t* p) {
  covey_tensor_t input;
  covey_tensor_t output;
  covey_real_t input_scale;
  covey_real_t output_scale;
  covey_window_options_t options;
  pool_t pool;
  int error = covey_read_window(p, &kFields, &pool.window, &options);
  if (error != 0 || (error = covey_prepare_activation_input(p, &input, &input_scale)) != 0 ||
      (error = covey_prepare_activation_output(p, &output, &output_scale)) != 0 ||
      (error = covey_place_window(&input, &output, options.padding, &pool.window)) != 0) {
    return error;
  }
  if (output.dims[3] != input.dims[3]) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  if (!covey_same_quantization(&input, input_scale, &output, output_scale)) {
    return COVEY_RUNTIME_TENSOR_QUANTIZATION;
  }
  /* No more values under a window than keep their sum within 31 bits. */
  const uint64_t taps = (uint64_t)pool.window.rows.kernel * pool.window.columns.kernel;
  if (taps > 1 << 23) {
    return COVEY_RUNTIME_TENSOR_SHAPE;
  }
  error = covey_prepare_target(options.activation, output_scale, output.zero_point, &pool.target);
  if (error != 0) {
    return error;
  }
  pool.input = covey_prepare_ref(p, &input);
  pool.output = covey_prepare_ref(p, &output);
  p->work = (uint64_t)output.elements * taps;
  covey_write_record(p, &pool, sizeof pool);
  return 0;
}

typedef void reduce_t(int32_t* sums, const int8_t* values, uint32_t count);

static void add_values(int32_t* sums, const int8_t* values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    sums[i] += values[i];
  }
}

static void keep_greatest(int32_t* sums, const int8_t* values, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    sums[i] = values[i] > sums[i] ? values[i] : sums[i];
  }
}

/* One block of channels at one position; `start` is the value of no values. */
static void reduce_block(const covey_window_t* window, const int8_t* values,
                         const covey_taps_t* rows, const covey_taps_t* columns, uint32_t count,
                         int32_t start, reduce_t* reduce, int32_t* sums) {
  for (uint32_t i = 0; i < count; i++) {
    sums[i] = start;
  }
  for (uint32_t r = 0; r < rows->count; r++) {
    for (uint32_t c = 0; c < columns->count; c++) {
      const uint32_t pixel = (rows->position + r) * window->columns.input + columns->position + c;
      reduce(sums, values + pixel * window->channels, count);
    }
  }
}

/* Nearest, halves away from zero. */
static int32_t divide(int32_t sum, int32_t count) {
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static void run(const covey_memory_t* memory, const uint8_t* record, bool average) {
  pool_t pool;
  int32_t sums[kBlock];
  memcpy(&pool, record, sizeof pool);
  const covey_window_t* window = &pool.window;
  const int8_t* image = covey_read(memory, pool.input);
  int8_t* output = covey_write(memory, pool.output);
  for (uint32_t batch = 0; batch < window->batches; batch++) {
    for (uint32_t y = 0; y < window->rows.output; y++) {
      const covey_taps_t rows = covey_taps(&window->rows, y);
      for (uint32_t x = 0; x < window->columns.output; x++) {
        const covey_taps_t columns = covey_taps(&window->columns, x);
        const int32_t values = (int32_t)(rows.count * columns.count); /* at least 1 */
        for (uint32_t channel = 0; channel < window->channels; channel += kBlock) {
          const uint32_t left = window->channels - channel;
          const uint32_t count = left < kBlock ? left : kBlock;
          reduce_block(window, image + channel, &rows, &columns, count, average ? 0 : INT8_MIN,
                       average ? add_values : keep_greatest, sums);
          for (uint32_t i = 0; i < count; i++) {
            const int32_t value = average ? divide(sums[i], values) : sums[i];
            *output++ = (int8_t)covey_clamp(value, pool.target.low, pool.target.high);
          }
        }
      }
    }
    image += window->rows.input * window->columns.input * window->channels;
  }
}

static void run_average(const covey_memory_t* memory, const uint8_t* record) {
  run(memory, record, true);
}
static void run_max(const covey_memory_t* memory, const uint8_t* record) {
  run(memory, record, false);
}

const covey_operator_t covey_op_average_pool_2d = {1,     3,       "AVERAGE_POOL_2D",
                                                   false, prepare, run_average};
const covey_operator_t covey_op_max_pool_2d = {17, 3, "MAX_POOL_2D", false, prepare, run_max};
