/* The runtime adapter that this image links: runtime_reference.c in the product, runtime_defects.c
 * in the image that tests what a defect in the runtime does. */
#ifndef COVEY_FIRMWARE_RUNTIME_H
#define COVEY_FIRMWARE_RUNTIME_H

#include "covey/runtime.h"

/* Valid for ever; once per start. */
const covey_runtime_t* firmware_runtime(void);

#endif
