/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the models, one log line for each change. Thread: the main loop. */
#ifndef COVEY_FIRMWARE_STATUS_LOG_H
#define COVEY_FIRMWARE_STATUS_LOG_H

#include "covey/agent.h"
#include "link.h"

/* `model` below COVEY_MODELS_MAX. */
void status_log(const covey_agent_t* agent, size_t model, const char* name, const link_t* link);

#endif
