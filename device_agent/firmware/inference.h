/* SPDX-License-Identifier: Apache-2.0 */
/* One reading through the active model of an agent, counted. Thread: the main loop. */
#ifndef COVEY_FIRMWARE_INFERENCE_H
#define COVEY_FIRMWARE_INFERENCE_H

#include "covey/agent.h"

/* Nothing happens while the model has none active. */
void inference_run(covey_agent_t* agent, size_t model);

#endif
