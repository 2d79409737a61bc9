/* Which operators a build has. A firmware that knows its models defines the list itself, and links
 * nothing else:
 *
 *   -D'COVEY_REFERENCE_OPERATORS(X)=X(conv_2d) X(fully_connected) X(softmax)'
 *
 * or in a header that -DCOVEY_REFERENCE_CONFIG='"my_operators.h"' names. Models that need others
 * are refused with RUNTIME_OPERATOR_UNSUPPORTED. */
#ifndef COVEY_REFERENCE_OPERATOR_LIST_H
#define COVEY_REFERENCE_OPERATOR_LIST_H

#ifdef COVEY_REFERENCE_CONFIG
#include COVEY_REFERENCE_CONFIG
#endif

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
  X(pad)                             \
  X(quantize)                        \
  X(relu)                            \
  X(relu6)                           \
  X(relu_n1_to_1)                    \
  X(reshape)                         \
  X(softmax)
#endif

#endif
