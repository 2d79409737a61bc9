/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime adapter: what runs a model on the device, as a small struct of functions.
 *
 * Shipped adapters: the reference runtime (runtimes/reference) and TensorFlow Lite Micro
 * (runtimes/tflm). Your own C function is an adapter too: fill in the struct. One input and one
 * output, int8; a model that takes or gives float32 has 4 bytes per element there, little endian.
 *
 * Memory: the caller owns the model bytes (used in place, 16-aligned, e.g. in flash) and the
 * arena; both must stay unchanged from load to unload. No adapter may use a heap.
 * Threads and ISRs: one thread per context, never from an ISR; different contexts don't share
 * anything. Every function returns 0 or a negative COVEY_RUNTIME_* error. */
#ifndef COVEY_RUNTIME_H
#define COVEY_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Alignment of an arena, and of a model in its slot, in bytes. */
#define COVEY_ARENA_ALIGN 16

/* The runtime group of errors, -400 to -499: X(name, number). The same numbers travel on the wire,
 * so a number, once released, keeps its meaning. */
#define COVEY_RUNTIME_ERRORS(X)                                                                \
  X(RUNTIME_NOT_LOADED, -400)           /* invoke or describe without a model */               \
  X(RUNTIME_ALREADY_LOADED, -401)       /* unload first */                                     \
  X(RUNTIME_BAD_ARGUMENT, -402)         /* a null pointer */                                   \
  X(RUNTIME_NOT_TFLITE, -410)           /* no TFL3 identifier, or another schema version */    \
  X(RUNTIME_MODEL_CORRUPT, -411)        /* truncated, or something points outside the file */  \
  X(RUNTIME_MODEL_UNSUPPORTED, -412)    /* e.g. two subgraphs, two inputs, sparse tensors */   \
  X(RUNTIME_MODEL_TOO_COMPLEX, -413)    /* more tensors or work than it was built for */       \
  X(RUNTIME_OPERATOR_UNSUPPORTED, -414) /* operator, its version or its option not built in */ \
  X(RUNTIME_OPERATOR_MALFORMED, -415)   /* wrong number of inputs, unproduced input */         \
  X(RUNTIME_TENSOR_TYPE, -416)          /* not int8 (bias: int32) */                           \
  X(RUNTIME_TENSOR_SHAPE, -417)         /* shapes don't fit together, or are absurd */         \
  X(RUNTIME_TENSOR_QUANTIZATION, -418)  /* scale or zero point missing or out of range */      \
  X(RUNTIME_ARENA_TOO_SMALL, -420)      /* see arena_required */                               \
  X(RUNTIME_ARENA_MISALIGNED, -421)     /* not on COVEY_ARENA_ALIGN */                         \
  X(RUNTIME_INPUT_SIZE, -430)           /* input bytes differ from the model's input tensor */ \
  X(RUNTIME_OUTPUT_SIZE, -431)          /* output bytes differ from the model's */             \
  X(RUNTIME_INVOKE_FAILED, -432)        /* the adapter's own failure */

enum covey_runtime_error {
#define COVEY_RUNTIME_ENUM(name, number) COVEY_##name = (number),
  COVEY_RUNTIME_ERRORS(COVEY_RUNTIME_ENUM)
#undef COVEY_RUNTIME_ENUM
};

/* "RUNTIME_ARENA_TOO_SMALL", or NULL for a number outside the group. Any thread, any ISR. */
static inline const char* covey_runtime_error_name(int error) {
  switch (error) {
#define COVEY_RUNTIME_CASE(name, number) \
  case number:                           \
    return #name;
    COVEY_RUNTIME_ERRORS(COVEY_RUNTIME_CASE)
#undef COVEY_RUNTIME_CASE
  }
  return NULL;
}

/* real = (q - zero_point) * multiplier * 2^(shift - 31), multiplier in [2^30, 2^31): the tensor's
 * float scale, exactly, without a float. A float32 tensor: multiplier 0. */
typedef struct covey_tensor_format {
  uint32_t size_bytes;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
} covey_tensor_format_t;

typedef struct covey_model_format {
  covey_tensor_format_t input;
  covey_tensor_format_t output;
} covey_model_format_t;

typedef struct covey_runtime {
  void* ctx;
  const char* name; /* what hello reports, e.g. "covey-reference-1" */

  /* The smallest arena_size with which load() accepts these bytes. A pure function of the bytes:
   * the same on the gateway's host and on the device. */
  int (*arena_required)(void* ctx, const uint8_t* model, size_t size, size_t* arena_bytes);

  /* Checks the whole model, plans the arena. After an error nothing is loaded. */
  int (*load)(void* ctx, const uint8_t* model, size_t size, uint8_t* arena, size_t arena_size);

  /* Sizes and quantisation of the loaded model's input and output. */
  int (*describe)(void* ctx, covey_model_format_t* format);

  /* Runs the loaded model once. Sizes must be the described ones. Input and output may overlap. */
  int (*invoke)(void* ctx, const int8_t* input, size_t input_size, int8_t* output,
                size_t output_size);

  /* Forgets model and arena; harmless when nothing is loaded. */
  void (*unload)(void* ctx);
} covey_runtime_t;

#ifdef __cplusplus
}
#endif

#endif
