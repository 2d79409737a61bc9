/* SPDX-License-Identifier: Apache-2.0 */
/* RELU, RELU6 and RELU_N1_TO_1, int8, as operators of their own. */
#include "rescale.h"

static int prepare_relu(covey_prepare_t* p) { return covey_rescale_prepare(p, 1); }
static int prepare_relu_n1_to_1(covey_prepare_t* p) { return covey_rescale_prepare(p, 2); }
static int prepare_relu6(covey_prepare_t* p) { return covey_rescale_prepare(p, 3); }

const covey_operator_t covey_op_relu = {19, 2, "RELU", true, prepare_relu, covey_rescale_run};
const covey_operator_t covey_op_relu_n1_to_1 = {
    20, 2, "RELU_N1_TO_1", true, prepare_relu_n1_to_1, covey_rescale_run};
const covey_operator_t covey_op_relu6 = {21, 2, "RELU6", true, prepare_relu6, covey_rescale_run};
