/* The operators that this build knows: the table that a new one is added to. */
#include "operator.h"

extern const covey_operator_t covey_op_fully_connected;
extern const covey_operator_t covey_op_relu;
extern const covey_operator_t covey_op_relu_n1_to_1;
extern const covey_operator_t covey_op_relu6;
extern const covey_operator_t covey_op_reshape;
extern const covey_operator_t covey_op_softmax;

const covey_operator_t* const covey_operators[] = {
    &covey_op_fully_connected, &covey_op_relu,    &covey_op_relu_n1_to_1,
    &covey_op_relu6,           &covey_op_reshape, &covey_op_softmax,
};

const uint32_t covey_operators_count = sizeof covey_operators / sizeof covey_operators[0];

int32_t covey_operator_find(int32_t builtin) {
  for (uint32_t i = 0; i < covey_operators_count; i++) {
    if (covey_operators[i]->builtin == builtin) {
      return (int32_t)i;
    }
  }
  return -1;
}
