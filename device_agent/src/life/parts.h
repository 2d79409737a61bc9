/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. Order: guard; shadow; load; model; goal. */
#ifndef COVEY_SRC_LIFE_PARTS_H
#define COVEY_SRC_LIFE_PARTS_H

#include <string.h>

#include "../flash/flash.h"
#include "../link/link.h"
#include "../telemetry/telemetry.h"
#include "../transfer/transfer.h"
#include "life.h"

/* covey.device.v1.GoalMode */
enum { COVEY_MODE_STAGED = 1, COVEY_MODE_SHADOW = 2, COVEY_MODE_ACTIVE = 3 };

/* ---- guard.c */
/* `inside`: 1 + the model whose code runs, 0: none. */
void covey_guard_mark(covey_agent_t* a, uint32_t inside);

/* ---- shadow.c */
#if COVEY_SHADOW
void covey_shadow_unload(covey_model_t* m);
#else
static inline void covey_shadow_unload(covey_model_t* m) { (void)m; }
#endif

/* ---- load.c */
/* `shadow`: beside the active model, in the shadow's runtime and the rest of the arena. */
int covey_load_slot(covey_model_t* m, uint8_t slot, bool shadow);
/* Nothing runs any more. */
void covey_load_nothing(covey_model_t* m);
/* The loaded model acts from now on; counted in its own stream. */
void covey_load_activate(covey_model_t* m);
/* One vector of the candidate, in the runtime that holds it. Returns 0 (more to do), 1 (all passed)
 * or an error. */
int covey_load_selftest(covey_model_t* m, const covey_runtime_t* runtime);

/* ---- model.c */
/* Loads what is confirmed, or what it falls back to. */
void covey_model_run_confirmed(covey_model_t* m);

#endif
