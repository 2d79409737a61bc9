/* SPDX-License-Identifier: Apache-2.0 */
/* The reference runtime with three defects that real runtimes have had, on models that are marked
 * for them by their last 16 bytes: a wild pointer, which is a real bus fault; a loop without end,
 * which only the watchdog ends; and a kernel that rounds otherwise than the one the model was
 * validated with, which only the self-test can show. */
#include <string.h>

#include "device_agent/runtimes/reference/reference_runtime.h"
#include "runtime.h"
#include "stack_watch.h"

#define MARK_BYTES 16U
#define NOWHERE 0x70000000U /* no bus answers there */

typedef struct defective {
  covey_reference_t reference;
  covey_runtime_t inner;
  bool wild_pointer;
  bool loops;
  bool rounds_otherwise;
} defective_t;

static bool marked(const uint8_t* model, size_t size, const char* mark) {
  return size >= MARK_BYTES && memcmp(model + size - MARK_BYTES, mark, MARK_BYTES) == 0;
}

static int arena_required(void* ctx, const uint8_t* model, size_t size, size_t* arena_bytes) {
  const defective_t* defective = (const defective_t*)ctx;
  return defective->inner.arena_required(defective->inner.ctx, model, size, arena_bytes);
}

static int load(void* ctx, const uint8_t* model, size_t size, uint8_t* arena, size_t arena_size) {
  defective_t* defective = (defective_t*)ctx;
  stack_part_t caller;
  int error;
  defective->wild_pointer = marked(model, size, "test-wild-point\n");
  defective->loops = marked(model, size, "test-never-ends\n");
  defective->rounds_otherwise = marked(model, size, "test-other-round");
  caller = stack_watch_enter(STACK_RUNTIME);
  error = defective->inner.load(defective->inner.ctx, model, size, arena, arena_size);
  (void)stack_watch_enter(caller);
  return error;
}

static int describe(void* ctx, covey_model_format_t* format) {
  const defective_t* defective = (const defective_t*)ctx;
  return defective->inner.describe(defective->inner.ctx, format);
}

static int invoke(void* ctx, const int8_t* input, size_t input_size, int8_t* output,
                  size_t output_size) {
  const defective_t* defective = (const defective_t*)ctx;
  stack_part_t caller;
  size_t i;
  int error;
  while (*(volatile const bool*)&defective->loops) {
  }
  if (defective->wild_pointer) return (int)*(volatile uint32_t*)NOWHERE;
  caller = stack_watch_enter(STACK_RUNTIME);
  error = defective->inner.invoke(defective->inner.ctx, input, input_size, output, output_size);
  (void)stack_watch_enter(caller);
  for (i = 0; i < output_size && error == 0 && defective->rounds_otherwise; ++i) {
    output[i] = (int8_t)(output[i] < 120 ? output[i] + 7 : output[i] - 7);
  }
  return error;
}

static void unload(void* ctx) {
  const defective_t* defective = (const defective_t*)ctx;
  defective->inner.unload(defective->inner.ctx);
}

const covey_runtime_t* firmware_runtime(size_t model) {
  static defective_t contexts[COVEY_MODELS_MAX];
  static covey_runtime_t runtimes[COVEY_MODELS_MAX];
  defective_t* defective = &contexts[model];
  covey_reference_init(&defective->reference);
  defective->inner = covey_reference_runtime(&defective->reference);
  runtimes[model] = defective->inner;
  runtimes[model].ctx = defective;
  runtimes[model].arena_required = arena_required;
  runtimes[model].load = load;
  runtimes[model].describe = describe;
  runtimes[model].invoke = invoke;
  runtimes[model].unload = unload;
  return &runtimes[model];
}

void firmware_watch(covey_crypto_t* crypto) { stack_watch_crypto(crypto); }
