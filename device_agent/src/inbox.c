/* Messages that come in, in pieces or whole: recognised by topic, bounded by kind before a byte is
 * looked at, then handed on. Tables are streamed into flash and never held. */
#include "internal.h"

/* Both by enum covey_topic_kind, from SITE to MANIFEST. */
static int (*const receivers[])(covey_agent_t* a, covey_bytes_t message) = {
    covey_site_receive,   covey_goal_receive,   covey_ack_receive,
    covey_chunks_receive, covey_enroll_receive, covey_job_manifest};

/* In units of 64 bytes; 0: the receive buffer is the limit. */
#define LIMIT(bytes) COVEY_BYTE((bytes) % 64 == 0 ? (bytes) / 64 : 256)
static const uint8_t limits[] = {
    LIMIT(COVEY_SITE_BYTES_MAX),         LIMIT(COVEY_GOAL_BYTES_MAX),
    LIMIT(COVEY_ACK_BYTES_MAX),          0,
    LIMIT(COVEY_ENROLL_GRANT_BYTES_MAX), LIMIT(COVEY_SIGNED_MANIFEST_BYTES_MAX)};

/* The first counters are those of the first errors of the wire, in the same order. */
#define COUNTED(member, error)                                                 \
  COVEY_STATIC_ASSERT(offsetof(covey_counters_t, member) / sizeof(uint32_t) == \
                      COVEY_ERROR_MESSAGE_MALFORMED - COVEY_ERROR_##error)
COUNTED(malformed, MESSAGE_MALFORMED);
COUNTED(too_large, MESSAGE_TOO_LARGE);
COUNTED(mac_invalid, MAC_INVALID);
COUNTED(goals_stale, GOAL_STALE);
COUNTED(epoch_lower, SITE_EPOCH_LOWER);
COUNTED(nonce_mismatch, NONCE_MISMATCH);

/* What was refused is counted by its error; other errors are the model's business. */
static int refused(covey_agent_t* a, int error) {
  const uint32_t which = (uint32_t)(COVEY_ERROR_MESSAGE_MALFORMED - error);
  if (which <= COVEY_ERROR_MESSAGE_MALFORMED - COVEY_ERROR_NONCE_MISMATCH) {
    void* counter = (uint8_t*)&a->counters + which * sizeof(uint32_t);
    ++*(uint32_t*)counter;
  }
  if (error == COVEY_ERROR_CHUNK_DIGEST) ++a->counters.chunks_bad;
  return error;
}

/* Whether a message of this topic and size is wanted. */
static int begin(covey_agent_t* a, const char* topic, size_t topic_size, size_t total) {
  const unsigned kind = covey_topic_parse(a, topic, topic_size);
  if (kind == COVEY_TOPIC_NONE || total == 0) return COVEY_OK; /* 0: a retained one was deleted */
  if (kind != COVEY_TOPIC_TABLE) {
    size_t limit = limits[kind - COVEY_TOPIC_SITE] * 64U;
    if (limit == 0) limit = a->config->receive_bytes;
    if (total > limit) return COVEY_ERROR_MESSAGE_TOO_LARGE;
  }
  a->inbox.kind = (uint8_t)kind;
  return COVEY_OK;
}

static int take(covey_agent_t* a, const uint8_t* piece, size_t size, size_t offset, size_t total) {
  covey_inbox_t* in = &a->inbox;
  covey_bytes_t message;
  if (in->kind == COVEY_TOPIC_NONE) return COVEY_OK;
  if (offset != in->filled || (uint32_t)total != in->total) { /* pieces of two messages mixed up */
    in->kind = COVEY_TOPIC_NONE;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  in->filled += (uint32_t)size;
  if (in->kind == COVEY_TOPIC_TABLE) return covey_job_table(a, piece, size, offset);
  message.bytes = piece;
  message.size = total;
  if (size != total) { /* not whole: collected */
    memcpy(a->config->receive_buffer + offset, piece, size);
    message.bytes = a->config->receive_buffer;
  }
  if (in->filled != in->total) return COVEY_OK;
  return receivers[in->kind - COVEY_TOPIC_SITE](a, message);
}

int covey_agent_receive(covey_agent_t* a, const char* topic, size_t topic_size,
                        const uint8_t* piece, size_t size, size_t offset, size_t total) {
  int error = COVEY_OK;
  if (topic == NULL || (piece == NULL && size != 0) || offset > total || size > total - offset) {
    return COVEY_ERROR_ARGUMENT;
  }
  if (offset == 0) {
    a->inbox.kind = COVEY_TOPIC_NONE;
    a->inbox.filled = 0;
    a->inbox.total = (uint32_t)total;
    error = begin(a, topic, topic_size, total);
  }
  if (error == 0) error = take(a, piece, size, offset, total);
  return refused(a, error);
}
