/* Messages that come in, in pieces or whole: recognised by topic, bounded by kind before a byte is
 * looked at, then handed on. Tables are streamed into flash and never held. */
#include "internal.h"

/* Kinds of inbox.kind beside enum covey_topic_kind */
enum { KIND_TABLE = 32 };

static size_t limit_of(const covey_agent_t* a, unsigned kind) {
  switch (kind) {
    case COVEY_TOPIC_SITE:
      return COVEY_SITE_BYTES_MAX;
    case COVEY_TOPIC_GOAL:
      return COVEY_GOAL_BYTES_MAX;
    case COVEY_TOPIC_ACK:
      return COVEY_ACK_BYTES_MAX;
    case COVEY_TOPIC_MANIFEST:
      return COVEY_SIGNED_MANIFEST_BYTES_MAX;
    case COVEY_TOPIC_ENROLL:
      return COVEY_ENROLL_GRANT_BYTES_MAX;
  }
  return a->config->receive_bytes; /* chunks */
}

static int dispatch(covey_agent_t* a, unsigned kind, covey_bytes_t message) {
  switch (kind) {
    case COVEY_TOPIC_SITE:
      return covey_site_receive(a, message);
    case COVEY_TOPIC_GOAL:
      return covey_goal_receive(a, message);
    case COVEY_TOPIC_ACK:
      return covey_ack_receive(a, message);
    case COVEY_TOPIC_CHUNK:
      return covey_chunks_receive(a, message);
    case COVEY_TOPIC_MANIFEST:
      return covey_job_manifest(a, message);
    case COVEY_TOPIC_ENROLL:
      return covey_enroll_receive(a, message);
  }
  return COVEY_OK;
}

static unsigned kind_of(covey_agent_t* a, const char* topic, size_t size) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  const enum covey_topic_kind kind = covey_topic_parse(a, topic, size, digest);
  if (kind != COVEY_TOPIC_MANIFEST) return kind;
  if (!covey_job_wants(a, digest)) return COVEY_TOPIC_NONE; /* a subscription left over */
  return a->job.state == COVEY_JOB_MANIFEST ? (unsigned)kind : (unsigned)KIND_TABLE;
}

int covey_agent_receive(covey_agent_t* a, const char* topic, size_t topic_size,
                        const uint8_t* piece, size_t size, size_t offset, size_t total) {
  covey_inbox_t* in = &a->inbox;
  covey_bytes_t message;
  if (topic == NULL || (piece == NULL && size != 0) || offset > total || size > total - offset) {
    return COVEY_ERROR_ARGUMENT;
  }
  if (offset == 0) {
    in->kind = (uint8_t)kind_of(a, topic, topic_size);
    in->filled = 0;
    if (total == 0) in->kind = COVEY_TOPIC_NONE; /* a retained message that was deleted */
    if (in->kind != COVEY_TOPIC_NONE && in->kind != KIND_TABLE &&
        (total > limit_of(a, in->kind) || total > UINT32_MAX)) {
      in->kind = COVEY_TOPIC_NONE;
      ++a->counters.too_large;
      return COVEY_ERROR_MESSAGE_TOO_LARGE;
    }
    in->total = (uint32_t)total;
  }
  if (in->kind == COVEY_TOPIC_NONE) return COVEY_OK;
  if (offset != in->filled || total != in->total) { /* pieces of two messages mixed up */
    in->kind = COVEY_TOPIC_NONE;
    ++a->counters.malformed;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  in->filled += (uint32_t)size;
  covey_wake_at(a, a->now_ms);
  if (in->kind == KIND_TABLE) {
    if (a->job.state != COVEY_JOB_TABLE && a->job.state != COVEY_JOB_TABLES) return COVEY_OK;
    return covey_job_table(a, piece, size, offset, total);
  }
  message.bytes = piece;
  message.size = total;
  if (size != total) { /* not whole: collected */
    memcpy(a->config->receive_buffer + offset, piece, size);
    message.bytes = a->config->receive_buffer;
  }
  if (in->filled != in->total) return COVEY_OK;
  return dispatch(a, in->kind, message);
}
