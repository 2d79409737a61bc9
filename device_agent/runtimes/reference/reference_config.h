/* SPDX-License-Identifier: Apache-2.0 */
/* What a firmware may change: in the header that COVEY_USER_CONFIG names (as for the agent,
 * covey/config.h). The same values must be seen by all that includes this. */
#ifndef COVEY_REFERENCE_CONFIG_H
#define COVEY_REFERENCE_CONFIG_H

#ifdef COVEY_USER_CONFIG
#include COVEY_USER_CONFIG
#endif

#include <stdint.h>

/* Which operators are linked. A firmware that knows its models lists theirs:
 *
 *   #define COVEY_REFERENCE_OPERATORS(X) X(conv_2d) X(fully_connected) X(softmax)
 *
 * Models that need others are refused: RUNTIME_OPERATOR_UNSUPPORTED. */
#ifndef COVEY_REFERENCE_OPERATORS
#define COVEY_REFERENCE_OPERATORS(X) \
  X(add)                             \
  X(average_pool_2d)                 \
  X(conv_2d)                         \
  X(depthwise_conv_2d)               \
  X(dequantize)                      \
  X(fully_connected)                 \
  X(logistic)                        \
  X(max_pool_2d)                     \
  X(mean)                            \
  X(mul)                             \
  X(pack)                            \
  X(pad)                             \
  X(quantize)                        \
  X(relu)                            \
  X(relu6)                           \
  X(relu_n1_to_1)                    \
  X(reshape)                         \
  X(shape)                           \
  X(softmax)                         \
  X(strided_slice)
#endif

/* Activations (tensors that an operator writes, and the input) of one model, and one more than its
 * operators: 16 bytes each of the stack of load and arena_required, above 255 of them 20. Models
 * with more are refused: RUNTIME_MODEL_TOO_COMPLEX. `covey model inspect` says how many a model
 * needs. Gateway and command line have 1,024. */
#define COVEY_REFERENCE_DEFAULT_ACTIVATIONS 64
#ifndef COVEY_REFERENCE_MAX_ACTIVATIONS
#define COVEY_REFERENCE_MAX_ACTIVATIONS COVEY_REFERENCE_DEFAULT_ACTIVATIONS
#endif

/* Models whose invoke is more work than this are refused: RUNTIME_MODEL_TOO_COMPLEX. Work is
 * counted in multiply-accumulates, or their like, before anything runs, so that a file with absurd
 * shapes cannot keep a device busy. 2^32 of them are minutes on a microcontroller. */
#ifndef COVEY_REFERENCE_WORK_MAX
#define COVEY_REFERENCE_WORK_MAX ((uint64_t)1 << 32)
#endif

#endif
