/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: subscriptions, hello after the site's message, status until acknowledged. */
#include "parts.h"

/* To the fixed topics; false: not all yet. */
static bool subscribe(covey_agent_t* a) {
  const covey_link_t* link = &covey_core_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  const unsigned last = covey_topic_last(a);
  while (a->subscribed != last) {
    const unsigned kind = covey_core_enrolled(a) ? a->subscribed + 1U : last;
    covey_topic_of(a, (enum covey_topic_kind)kind, topic);
    /* What is asked for may get lost: it is asked for again. */
    if (link->subscribe(link->ctx, topic,
                        kind == COVEY_TOPIC_ACK || kind == COVEY_TOPIC_CHUNK ? 0 : 1) != 0) {
      a->wake_ms = COVEY_SHORT_WAIT_MS < a->wake_ms ? COVEY_SHORT_WAIT_MS : a->wake_ms;
      return false;
    }
    a->subscribed = (uint8_t)kind;
  }
  return true;
}

static void hello_step(covey_agent_t* a) {
  if (!a->site_seen || !a->hello_due || covey_say(a, COVEY_TIMER_HELLO) != 0) return;
  a->hello_sent = true;
  covey_clock_soon(a);
}

static void status_step(covey_agent_t* a) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_STATUS];
  /* A device without a model, or without inferences, still says that it is there. */
  if (covey_clock_due(a, &a->timers[COVEY_TIMER_SILENT]) || a->status_dirty ||
      (a->progress_dirty && covey_clock_due(a, &a->timers[COVEY_TIMER_PROGRESS]))) {
    a->status_dirty = false;
    a->progress_dirty = false;
    a->timers[COVEY_TIMER_PROGRESS].left_ms = a->times.progress_ms;
    ++a->status_number;
    timer->left_ms = 0;
    timer->tries = 0;
  }
  if (a->status_acked != a->status_number) (void)covey_say(a, COVEY_TIMER_STATUS);
}

void covey_session_step(covey_agent_t* a) {
  if (!a->connected || !subscribe(a)) return;
  if (!covey_core_enrolled(a)) {
    (void)covey_say(a, COVEY_TIMER_ENROLL);
    return;
  }
  hello_step(a);
  if (a->hello_sent) status_step(a);
}

void covey_session_disconnected(covey_agent_t* a) {
  a->connected = false;
  a->hello_sent = false;
  a->hello_due = false;
  a->site_seen = false;
  a->subscribed = COVEY_TOPIC_NONE;
}

/* covey.device.v1.Site; UTC is not needed here. */
typedef struct site {
  uint64_t gateway_start_id;
  uint32_t hello_jitter_ms;
} site_t;

static const covey_member_t site_members[] = {
    COVEY_MEMBER(2, COVEY_MEMBER_F64, site_t, gateway_start_id),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, site_t, hello_jitter_ms), COVEY_MEMBERS_END(site_t)};

int covey_session_site(covey_agent_t* a, covey_bytes_t message) {
  site_t site;
  if (!covey_read_members(message, site_members, &site)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (a->site_seen && site.gateway_start_id == a->gateway_start_id) return COVEY_OK;
  /* Nobody authenticates this message: it can hurry a hello, or delay it by retry_max. */
  if (site.hello_jitter_ms > a->times.retry_max_ms) site.hello_jitter_ms = a->times.retry_max_ms;
  a->site_seen = true;
  a->gateway_start_id = site.gateway_start_id;
  covey_news_hello(a, site.hello_jitter_ms);
  return COVEY_OK;
}
