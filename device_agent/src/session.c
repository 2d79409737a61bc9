/* One connection: subscriptions, hello after the site's message, status until acknowledged. */
#include "internal.h"

#define SHORT_WAIT_MS 100U
/* A device without a model, or without inferences, still says that it is there. */
#define HEARTBEAT_INTERVALS 2U

/* A fixed topic by number; false after the last. */
static bool fixed_topic(const covey_agent_t* a, unsigned number, char* topic, uint8_t* qos) {
  *qos = number < 2;
  switch (number) {
    case 0:
      memcpy(topic, "covey/v1/site", sizeof "covey/v1/site");
      return true;
    case 1:
      covey_topic_own(a, "down/goal", topic);
      return true;
    case 2:
      covey_topic_own(a, "down/ack", topic);
      return true;
    case 3:
      covey_topic_own(a, "down/chunk", topic);
      return true;
  }
  return false;
}

static bool subscribe(covey_agent_t* a) {
  const covey_link_t* link = &covey_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  uint8_t qos;
  while (fixed_topic(a, a->subscribed, topic, &qos)) {
    if (link->subscribe(link->ctx, topic, qos) != 0) {
      covey_wake_at(a, a->now_ms + SHORT_WAIT_MS);
      return false;
    }
    ++a->subscribed;
  }
  return true;
}

static void hello_step(covey_agent_t* a) {
  covey_writer_t w;
  if (!a->site_seen || !a->hello_due) return;
  if (a->now_ms >= a->hello_at_ms) {
    w = covey_send_writer(a);
    covey_encode_hello(a, &w);
    if (covey_send(a, "hello", &w, 1) == 0) {
      a->hello_sent = true;
      a->hello_at_ms = covey_backoff(a, a->hello_tries);
      if (a->hello_tries < 16) ++a->hello_tries;
      covey_wake_at(a, a->now_ms);
    } else {
      a->hello_at_ms = a->now_ms + SHORT_WAIT_MS;
    }
  }
  covey_wake_at(a, a->hello_at_ms);
}

static void status_step(covey_agent_t* a) {
  const uint64_t silent_at_ms =
      a->said_at_ms + (uint64_t)HEARTBEAT_INTERVALS * a->times.report_interval_ms;
  covey_writer_t w;
  if (a->now_ms >= silent_at_ms) {
    a->status_dirty = true;
  } else {
    covey_wake_at(a, silent_at_ms);
  }
  if (a->progress_dirty) {
    if (a->now_ms >= a->progress_at_ms) {
      a->progress_dirty = false;
      a->status_dirty = true;
    } else {
      covey_wake_at(a, a->progress_at_ms);
    }
  }
  if (a->status_dirty) {
    a->status_dirty = false;
    a->progress_dirty = false;
    a->progress_at_ms = a->now_ms + a->times.progress_ms;
    ++a->status_number;
    a->status_tries = 0;
    a->status_at_ms = a->now_ms;
  }
  if (a->status_acked == a->status_number) return;
  if (a->now_ms >= a->status_at_ms) {
    w = covey_send_writer(a);
    covey_encode_status(a, &w);
    if (covey_send(a, "status", &w, 1) == 0) {
      a->status_at_ms = covey_backoff(a, a->status_tries);
      if (a->status_tries < 16) ++a->status_tries;
    } else {
      a->status_at_ms = a->now_ms + SHORT_WAIT_MS;
    }
  }
  covey_wake_at(a, a->status_at_ms);
}

void covey_session_step(covey_agent_t* a) {
  if (!a->connected || !subscribe(a)) return;
  hello_step(a);
  if (a->hello_sent) status_step(a);
}

void covey_status_changed(covey_agent_t* a) {
  a->status_dirty = true;
  covey_wake_at(a, a->now_ms);
}

void covey_answered(covey_agent_t* a) {
  if (!a->hello_sent) return; /* to an earlier connection's */
  a->hello_due = false;
  a->hello_tries = 0;
}

int covey_site_receive(covey_agent_t* a, covey_bytes_t message) {
  covey_reader_t r = covey_reader_of(message.bytes, message.size);
  covey_field_t f;
  uint64_t start = 0;
  uint32_t jitter_ms = 0;
  while (covey_read(&r, &f)) {
    if (f.number == 2 && f.type == COVEY_FIXED64) start = f.value;
    if (f.number == 4 && f.type == COVEY_VARINT) {
      jitter_ms = f.value < UINT32_MAX ? (uint32_t)f.value : UINT32_MAX;
    }
  }
  if (r.malformed) {
    ++a->counters.malformed;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (a->site_seen && start == a->gateway_start_id) return COVEY_OK;
  /* Nobody authenticates this message: it can hurry a hello, or delay it by retry_max. */
  if (jitter_ms > a->times.retry_max_ms) jitter_ms = a->times.retry_max_ms;
  a->site_seen = true;
  a->gateway_start_id = start;
  a->hello_due = true;
  a->hello_tries = 0;
  a->hello_at_ms = a->now_ms + covey_jitter(a, jitter_ms);
  covey_wake_at(a, a->now_ms);
  return COVEY_OK;
}

static bool parse_stream(covey_agent_t* a, const covey_field_t* field) {
  covey_reader_t r = covey_reader_of(field->bytes, field->size);
  covey_field_t f;
  const uint8_t* prefix = NULL;
  uint32_t cumulative = 0;
  uint64_t bitmap = 0;
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_BYTES && f.size == COVEY_PREFIX_BYTES) prefix = f.bytes;
    if (f.number == 2 && f.type == COVEY_VARINT) cumulative = (uint32_t)f.value;
    if (f.number == 3 && f.type == COVEY_FIXED64) bitmap = f.value;
  }
  if (r.malformed || prefix == NULL) return false;
  covey_telemetry_ack(a, prefix, cumulative, bitmap);
  return true;
}

int covey_ack_receive(covey_agent_t* a, covey_bytes_t message) {
  covey_reader_t r;
  covey_field_t f;
  uint64_t boot_id = 0;
  uint64_t status_number = 0;
  uint64_t credit = 0;
  uint64_t backoff_ms = 0;
  const int size = covey_unseal(a, "ack", message);
  if (size < 0) {
    ++a->counters.mac_invalid;
    return size;
  }
  r = covey_reader_of(message.bytes, (size_t)size);
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_FIXED64) boot_id = f.value;
    if (f.type != COVEY_VARINT) continue;
    if (f.number == 3) status_number = f.value;
    if (f.number == 4) credit = f.value;
    if (f.number == 5) backoff_ms = f.value;
  }
  if (r.malformed) {
    ++a->counters.malformed;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (boot_id != a->boot_id) return COVEY_OK; /* late, for an earlier boot */
  r = covey_reader_of(message.bytes, (size_t)size);
  while (covey_read(&r, &f)) {
    if (f.number != 2 || f.type != COVEY_BYTES) continue;
    if (!parse_stream(a, &f)) {
      ++a->counters.malformed;
      return COVEY_ERROR_MESSAGE_MALFORMED;
    }
  }
  covey_answered(a);
  if (status_number <= a->status_number && status_number > a->status_acked) {
    a->status_acked = (uint32_t)status_number;
  }
  if (credit != 0) a->credit = (uint8_t)(credit < 0xff ? credit : 0xff);
  if (backoff_ms > a->times.retry_max_ms) backoff_ms = a->times.retry_max_ms;
  if (backoff_ms != 0) a->report_at_ms = a->now_ms + backoff_ms;
  covey_wake_at(a, a->now_ms);
  return COVEY_OK;
}
