/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime adapters that this image links, one for each model: runtime_reference.c in the
 * product, runtime_defects.c in the image that tests what a defect in the runtime does, and how
 * much stack every part needs. */
#ifndef COVEY_FIRMWARE_RUNTIME_H
#define COVEY_FIRMWARE_RUNTIME_H

#include "covey/agent.h"

/* Valid for ever; `model` below COVEY_MODELS_MAX. */
const covey_runtime_t* firmware_runtime(size_t model);

/* Before the agent starts: the test image watches the stack, the product does nothing. */
void firmware_watch(covey_crypto_t* crypto);

#endif
