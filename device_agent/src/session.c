/* One connection: subscriptions, hello after the site's message, status until acknowledged. */
#include "internal.h"

/* To the fixed topics; false: not all yet. */
static bool subscribe(covey_agent_t* a) {
  const covey_link_t* link = &covey_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  const unsigned last = a->enrolled ? COVEY_TOPIC_CHUNK : COVEY_TOPIC_ENROLL;
  while (a->subscribed != last) {
    const unsigned kind = a->enrolled ? a->subscribed + 1U : last;
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
  covey_soon(a);
}

static void status_step(covey_agent_t* a) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_STATUS];
  /* A device without a model, or without inferences, still says that it is there. */
  if (covey_due(a, &a->timers[COVEY_TIMER_SILENT]) || a->status_dirty ||
      (a->progress_dirty && covey_due(a, &a->timers[COVEY_TIMER_PROGRESS]))) {
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
  if (!a->enrolled) {
    (void)covey_say(a, COVEY_TIMER_ENROLL);
    return;
  }
  hello_step(a);
  if (a->hello_sent) status_step(a);
}

void covey_status_changed(covey_agent_t* a) {
  a->status_dirty = true;
  covey_soon(a);
}

void covey_answered(covey_agent_t* a) {
  if (!a->hello_sent) return; /* to an earlier connection's */
  a->hello_due = false;
}

void covey_hello_again(covey_agent_t* a, uint32_t jitter_ms) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_HELLO];
  a->hello_due = true;
  timer->tries = 0;
  timer->left_ms = covey_jitter(a, jitter_ms);
}

/* covey.device.v1.Site; UTC is not needed here. */
typedef struct site {
  uint64_t gateway_start_id;
  uint32_t hello_jitter_ms;
} site_t;

static const covey_member_t site_members[] = {
    COVEY_MEMBER(2, COVEY_MEMBER_F64, site_t, gateway_start_id),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, site_t, hello_jitter_ms), COVEY_MEMBERS_END(site_t)};

int covey_site_receive(covey_agent_t* a, covey_bytes_t message) {
  site_t site;
  if (!covey_read_members(message, site_members, &site)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (a->site_seen && site.gateway_start_id == a->gateway_start_id) return COVEY_OK;
  /* Nobody authenticates this message: it can hurry a hello, or delay it by retry_max. */
  if (site.hello_jitter_ms > a->times.retry_max_ms) site.hello_jitter_ms = a->times.retry_max_ms;
  a->site_seen = true;
  a->gateway_start_id = site.gateway_start_id;
  covey_hello_again(a, site.hello_jitter_ms);
  return COVEY_OK;
}

/* covey.device.v1.Ack */
typedef struct ack {
  uint64_t boot_id;
  uint32_t status_number;
  uint32_t backoff_ms;
  uint32_t credit;
  uint32_t reports_only;
} ack_t;

static const covey_member_t ack_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_F64, ack_t, boot_id),
    COVEY_MEMBER(3, COVEY_MEMBER_U32, ack_t, status_number),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, ack_t, credit),
    COVEY_MEMBER(5, COVEY_MEMBER_U32, ack_t, backoff_ms),
    COVEY_MEMBER(6, COVEY_MEMBER_U32, ack_t, reports_only),
    COVEY_MEMBERS_END(ack_t)};

static const covey_member_t stream_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_PREFIX, covey_stream_ack_t, manifest),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, covey_stream_ack_t, cumulative),
    COVEY_MEMBER(3, COVEY_MEMBER_F64, covey_stream_ack_t, bitmap),
    COVEY_MEMBERS_END(covey_stream_ack_t)};

int covey_ack_receive(covey_agent_t* a, covey_bytes_t message) {
  ack_t ack;
  covey_bytes_t item;
  const int error = covey_unseal(a, "ack", &message);
  if (error != 0) return error;
  if (!covey_read_members(message, ack_members, &ack)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  while (covey_read_next(&message, 2, &item)) {
    covey_stream_ack_t stream;
    if (!covey_read_members(item, stream_members, &stream) || stream.manifest == NULL) {
      return COVEY_ERROR_MESSAGE_MALFORMED;
    }
    if (ack.boot_id == a->boot_id) {
      covey_telemetry_ack(a, &stream);
    } else {
      covey_outbox_ack(a, ack.boot_id, &stream);
    }
  }
  /* The rest is an answer to this boot's hello. */
  if (ack.boot_id != a->boot_id || ack.reports_only != 0) return COVEY_OK;
  covey_answered(a);
  if (ack.status_number <= a->status_number && ack.status_number > a->status_acked) {
    a->status_acked = ack.status_number;
  }
  if (ack.credit != 0) a->credit = (uint8_t)(ack.credit < UINT8_MAX ? ack.credit : UINT8_MAX);
  if (ack.backoff_ms > a->times.retry_max_ms) ack.backoff_ms = a->times.retry_max_ms;
  if (ack.backoff_ms != 0) a->timers[COVEY_TIMER_REPORT].left_ms = ack.backoff_ms;
  return COVEY_OK;
}
