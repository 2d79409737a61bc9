/* SPDX-License-Identifier: Apache-2.0 */
/* int8 to int8 of another scale and zero point, element by element: what RELU, RELU6, RELU_N1_TO_1
 * and QUANTIZE are. */
#ifndef COVEY_REFERENCE_RESCALE_H
#define COVEY_REFERENCE_RESCALE_H

#include "operator.h"

/* prepare() and run() of such an operator; `activation` is an ActivationFunctionType. */
int covey_rescale_prepare(covey_prepare_t* p, uint8_t activation);
void covey_rescale_run(const covey_memory_t* memory, const uint8_t* record);

#endif
