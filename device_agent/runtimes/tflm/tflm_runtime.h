/* SPDX-License-Identifier: Apache-2.0 */
/* TensorFlow Lite Micro as a runtime of the agent (covey/runtime.h).
 *
 *   static tflite::MicroMutableOpResolver<3> operators;   // C++: what the models need
 *   operators.AddConv2D(); ...
 *   static covey_tflm_t tflm;
 *   covey_tflm_init(&tflm, operators, arena, sizeof arena);
 *   covey_runtime_t runtime = covey_tflm_runtime(&tflm);  // C again
 *
 * TFLM's arena depends on the machine, and its own arena_used_bytes() understates what it needs:
 * arena_required finds the least arena by bisection, in the scratch memory given to init (about 20
 * trials; it may be the model's arena, which is free whenever the agent asks). A manifest's
 * arena_bytes must be what the *device* needs.
 *
 * TFLM reads a model without checking it: corrupt bytes may fault. Devices run what the gateway has
 * verified and an author has signed; COVEY_TFLM_VERIFY=1 adds the FlatBuffers verifier (about 13
 * KB).
 *
 * Threads: one per covey_tflm_t; never from an ISR. No heap. */
#ifndef COVEY_TFLM_RUNTIME_H
#define COVEY_TFLM_RUNTIME_H

#include "covey/runtime.h"

#define COVEY_TFLM_NAME "tflite-micro"

/* For TFLM's interpreter object; the compiler says when a version needs more. */
#ifndef COVEY_TFLM_INTERPRETER_BYTES
#define COVEY_TFLM_INTERPRETER_BYTES 640
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct covey_tflm {
  union {
    uint64_t alignment;
    uint8_t bytes[COVEY_TFLM_INTERPRETER_BYTES];
  } interpreter;
  const void* operators; /* tflite::MicroOpResolver */
  uint8_t* scratch;
  size_t scratch_size;
  covey_model_format_t format;
  int loaded;
} covey_tflm_t;

covey_runtime_t covey_tflm_runtime(covey_tflm_t* tflm);

#ifdef __cplusplus
}

namespace tflite {
class MicroOpResolver;
}
/* Operators and scratch must live as long as `tflm`. Scratch on COVEY_ARENA_ALIGN: models that need
 * a greater arena are refused with RUNTIME_ARENA_TOO_SMALL. */
void covey_tflm_init(covey_tflm_t* tflm, const tflite::MicroOpResolver& operators, uint8_t* scratch,
                     size_t scratch_size);
#endif

#endif
