/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

covey_writer_t covey_send_writer(const covey_agent_t* a) {
  covey_writer_t w;
  w.bytes = a->config->send_buffer;
  w.size = 0;
  w.capacity = a->config->send_bytes;
  w.overflow = false;
  return w;
}

int covey_send_message(covey_agent_t* a, const char* tail, covey_writer_t* w, uint8_t qos) {
  const covey_link_t* link = &covey_core_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  if (covey_core_enrolled(a)) covey_seal_add(a, tail + sizeof "up/" - 1, w);
  if (w->overflow) { /* the buffer's size was checked for the longest message */
    covey_core_bug(a);
    return COVEY_ERROR_CRYPTO;
  }
  covey_topic_own(a, tail, topic);
  if (link->publish(link->ctx, topic, w->bytes, w->size, qos) != 0) return COVEY_ERROR_AGAIN;
  a->timers[COVEY_TIMER_SILENT].left_ms = 2 * a->times.report_interval_ms;
  return COVEY_OK;
}
