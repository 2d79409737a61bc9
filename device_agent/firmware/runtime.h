/* The runtime adapters that this image links, one for each model: runtime_reference.c in the
 * product, runtime_defects.c in the image that tests what a defect in the runtime does. */
#ifndef COVEY_FIRMWARE_RUNTIME_H
#define COVEY_FIRMWARE_RUNTIME_H

#include "covey/agent.h"

/* Valid for ever; `model` below COVEY_MODELS_MAX. */
const covey_runtime_t* firmware_runtime(size_t model);

#endif
