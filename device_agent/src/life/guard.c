/* SPDX-License-Identifier: Apache-2.0 */
/* While the processor is inside the runtime, retained memory says so: a model that crashes it is
 * found out at the next start. */
#include "parts.h"

void covey_guard_mark(covey_agent_t* a, uint32_t inside) {
  covey_retained_t* retained = a->config->retained;
  if (retained == NULL) return;
  retained->inside = inside;
  retained->check = ~inside;
}

uint32_t covey_guard_take(covey_agent_t* a) {
  const covey_retained_t* retained = a->config->retained;
  uint32_t inside = COVEY_INSIDE_UNKNOWN;
  if (retained != NULL && retained->check == ~retained->inside) inside = retained->inside;
  covey_guard_mark(a, 0);
  return inside;
}

int covey_guard_invoke(const covey_model_t* m, const covey_runtime_t* runtime, const int8_t* input,
                       size_t input_size, int8_t* output, size_t output_size) {
  covey_agent_t* a = m->agent;
  int error;
  covey_guard_mark(a, m->index + 1U);
  error = runtime->invoke(runtime->ctx, input, input_size, output, output_size);
  covey_guard_mark(a, 0);
  return error;
}
