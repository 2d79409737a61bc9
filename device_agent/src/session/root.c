/* SPDX-License-Identifier: Apache-2.0 */
/* The next root document: each version is a retained message of its own, and a device that missed
 * some takes one after the other. */
#include "parts.h"

#if COVEY_ROOT

int covey_root_receive(covey_agent_t* a, covey_bytes_t message) {
  const covey_link_t* link = &covey_core_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  int error;
  covey_topic_of(a, COVEY_TOPIC_ROOT, topic);
  error = covey_root_accept(a, message);
  if (error != 0) {
    ++a->counters.roots_refused;
    return error;
  }
  /* A subscription left over brings nothing new. */
  (void)link->unsubscribe(link->ctx, topic);
  a->subscribed = COVEY_TOPIC_ROOT - 1; /* to the next one */
  covey_model_reconsider(a);
  covey_clock_soon(a);
  return COVEY_OK;
}

#endif
