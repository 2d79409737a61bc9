/* SPDX-License-Identifier: Apache-2.0 */
/* SHAPE, STRIDED_SLICE and PACK where they compute a shape (int32): what converters put in front of
 * a RESHAPE that flattens. Shapes are in the file, and RESHAPE takes its own from there, so that
 * nothing is left to run and the results have no place in the arena. */
#include "covey/runtime.h"
#include "operator.h"

static int prepare(covey_prepare_t* p) {
  covey_tensor_t output;
  if (p->node.outputs.count != 1) {
    return COVEY_RUNTIME_OPERATOR_MALFORMED;
  }
  const int error = covey_prepare_output(p, 0, &output);
  if (error != 0) {
    return error;
  }
  return output.type == COVEY_TENSOR_INT32 ? 0 : COVEY_RUNTIME_TENSOR_TYPE;
}

static void run(const covey_memory_t* memory, const uint8_t* record) {
  (void)memory;
  (void)record;
}

const covey_operator_t covey_op_shape = {77, 1, "SHAPE", false, prepare, run};
const covey_operator_t covey_op_strided_slice = {45, 8, "STRIDED_SLICE", false, prepare, run};
const covey_operator_t covey_op_pack = {83, 4, "PACK", false, prepare, run};
