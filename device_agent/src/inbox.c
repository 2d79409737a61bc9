/* Messages that come in, in pieces or whole: recognised by topic, bounded by kind before a byte is
 * looked at, then handed on. Tables are streamed into flash and never held. */
#include "internal.h"

typedef struct kind {
  uint16_t bytes_max; /* 0: the receive buffer is the limit */
  int (*receive)(covey_agent_t* a, covey_bytes_t message);
} kind_t;

/* By enum covey_topic_kind, from SITE to MANIFEST. */
static const kind_t kinds[] = {
    {COVEY_SITE_BYTES_MAX, covey_site_receive},
    {COVEY_GOAL_BYTES_MAX, covey_goal_receive},
    {COVEY_ACK_BYTES_MAX, covey_ack_receive},
    {0, covey_chunks_receive},
    {COVEY_ENROLL_GRANT_BYTES_MAX, covey_enroll_receive},
    {COVEY_SIGNED_MANIFEST_BYTES_MAX, covey_job_manifest},
};

/* What was refused is counted by its error; other errors are the model's business. */
static int refused(covey_agent_t* a, int error) {
  covey_counters_t* c = &a->counters;
  switch (error) {
    case COVEY_ERROR_MESSAGE_MALFORMED:
      ++c->malformed;
      break;
    case COVEY_ERROR_MESSAGE_TOO_LARGE:
      ++c->too_large;
      break;
    case COVEY_ERROR_MAC_INVALID:
      ++c->mac_invalid;
      break;
    case COVEY_ERROR_GOAL_STALE:
      ++c->goals_stale;
      break;
    case COVEY_ERROR_SITE_EPOCH_LOWER:
      ++c->epoch_lower;
      break;
    case COVEY_ERROR_NONCE_MISMATCH:
      ++c->nonce_mismatch;
      break;
    case COVEY_ERROR_CHUNK_DIGEST:
      ++c->chunks_bad;
      break;
  }
  return error;
}

static int begin(covey_agent_t* a, const char* topic, size_t topic_size, size_t total) {
  covey_inbox_t* in = &a->inbox;
  const unsigned kind = covey_topic_parse(a, topic, topic_size);
  in->kind = COVEY_TOPIC_NONE;
  in->filled = 0;
  in->total = (uint32_t)total;
  if (kind == COVEY_TOPIC_NONE || total == 0) return COVEY_OK; /* 0: a retained one was deleted */
  if (kind != COVEY_TOPIC_TABLE) {
    const size_t limit = kinds[kind - COVEY_TOPIC_SITE].bytes_max;
    if (total > (limit != 0 ? limit : a->config->receive_bytes)) {
      return COVEY_ERROR_MESSAGE_TOO_LARGE;
    }
  }
  in->kind = (uint8_t)kind;
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
  return kinds[in->kind - COVEY_TOPIC_SITE].receive(a, message);
}

int covey_agent_receive(covey_agent_t* a, const char* topic, size_t topic_size,
                        const uint8_t* piece, size_t size, size_t offset, size_t total) {
  int error = COVEY_OK;
  if (topic == NULL || (piece == NULL && size != 0) || offset > total || size > total - offset) {
    return COVEY_ERROR_ARGUMENT;
  }
  if (offset == 0) error = begin(a, topic, topic_size, total);
  if (error == 0) error = take(a, piece, size, offset, total);
  return refused(a, error);
}
