/* SPDX-License-Identifier: Apache-2.0 */
/* One model's life, from an order to what runs: goals, probation, grant, fall-back, shadow. Starts
 * transfers, and says what is counted; knows of the session only what is to be said. */
#ifndef COVEY_SRC_LIFE_H
#define COVEY_SRC_LIFE_H

#include "../core/core.h"
#include "../wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- goal.c; errors: why it was refused, as a whole */
int covey_goal_receive(covey_agent_t* a, covey_bytes_t message);

/* ---- model.c */
void covey_model_step(covey_agent_t* a, covey_model_t* m);
/* `inside`: what covey_guard_take found. */
void covey_model_start(covey_model_t* m, covey_start_cause_t cause, uint32_t inside);
#if COVEY_ROOT
/* Others may sign from now on: a download begins with its manifest again. */
void covey_model_reconsider(covey_agent_t* a);
#endif
void covey_model_status(const covey_model_t* m, covey_model_status_t* status);

/* ---- guard.c: while the processor is inside the runtime, retained memory says so */
/* 1 + the model in whose load or invoke the last boot ended; 0: in none, UNKNOWN: memory lost it,
 * or there is none. Clears the mark. */
#define COVEY_INSIDE_UNKNOWN UINT32_MAX
uint32_t covey_guard_take(covey_agent_t* a);
int covey_guard_invoke(const covey_model_t* m, const covey_runtime_t* runtime, const int8_t* input,
                       size_t input_size, int8_t* output, size_t output_size);

/* ---- shadow.c: the candidate beside the active model */
#if COVEY_SHADOW
/* By chance: true when the candidate ran. */
bool covey_shadow_invoke(covey_model_t* m, const int8_t* input, size_t input_size,
                         covey_inference_t* shadow);
void covey_shadow_compare(const covey_model_t* m, const covey_inference_t* shadow,
                          const int8_t* output, size_t output_size);
#else
static inline bool covey_shadow_invoke(covey_model_t* m, const int8_t* input, size_t input_size,
                                       covey_inference_t* shadow) {
  (void)input;
  (void)input_size;
  (void)shadow;
  return m == NULL;
}
static inline void covey_shadow_compare(const covey_model_t* m, const covey_inference_t* shadow,
                                        const int8_t* output, size_t output_size) {
  (void)m;
  (void)shadow;
  (void)output;
  (void)output_size;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
