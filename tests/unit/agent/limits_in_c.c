/* SPDX-License-Identifier: Apache-2.0 */
/* covey/limits.h stands alone: nothing is included before it, nothing but numbers is in it. */
#include "covey/limits.h"

#ifdef COVEY_CONFIG_H
#error "the limits of the wire know the configuration"
#endif

typedef char goal_holds_a_model
    [COVEY_GOAL_REST_BYTES_MAX + COVEY_GOAL_MODEL_BYTES_MAX <= COVEY_GOAL_BYTES_MAX ? 1 : -1];
