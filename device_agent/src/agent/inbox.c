/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that come in, in pieces or whole: recognised by topic, bounded by kind before a byte is
 * looked at, then handed on. Tables are streamed into flash and never held. */
#include <string.h>

#include "../life/life.h"
#include "../link/link.h"
#include "../session/session.h"
#include "../transfer/transfer.h"

/* Both by enum covey_topic_kind, from SITE to MANIFEST. */
static int (*const receivers[])(covey_agent_t* a, covey_bytes_t message) = {
    covey_session_site,        covey_goal_receive, covey_ack_receive, covey_job_chunk,
#if COVEY_DEVICE_KEY
    covey_certificate_receive,
#endif
#if COVEY_ROOT
    covey_root_receive,
#endif
    covey_enroll_receive,      covey_job_manifest};

/* 0: the receive buffer is the limit. */
static const uint16_t limits[] = {COVEY_SITE_BYTES_MAX,
                                  COVEY_GOAL_BYTES_MAX,
                                  COVEY_ACK_BYTES_MAX,
                                  0,
#if COVEY_DEVICE_KEY
                                  COVEY_CERTIFICATE_MESSAGE_BYTES_MAX,
#endif
#if COVEY_ROOT
                                  COVEY_SIGNED_ROOT_BYTES_MAX,
#endif
                                  COVEY_ENROLL_GRANT_BYTES_MAX,
                                  COVEY_SIGNED_MANIFEST_BYTES_MAX};

/* A retained message by digest: only the one that is waited for, others are left over. */
static enum covey_topic_kind kind_of(covey_agent_t* a, const char* topic, size_t size) {
  const enum covey_topic_kind kind = covey_topic_parse(a, topic, size);
  const uint8_t* wanted = kind == COVEY_TOPIC_NONE ? covey_job_wants(a) : NULL;
  char own[COVEY_TOPIC_BYTES_MAX];
  if (wanted == NULL) return kind;
  covey_topic_digest(wanted, own);
  if (!covey_bytes_are_text(own, topic, size)) return COVEY_TOPIC_NONE;
  return a->job.state == COVEY_JOB_MANIFEST ? COVEY_TOPIC_MANIFEST : COVEY_TOPIC_TABLE;
}

/* Whether a message of this topic and size is wanted. */
static int begin(covey_agent_t* a, const char* topic, size_t topic_size, size_t total) {
  const unsigned kind = kind_of(a, topic, topic_size);
  if (kind == COVEY_TOPIC_NONE || total == 0) return COVEY_OK; /* 0: a retained one was deleted */
  if (kind != COVEY_TOPIC_TABLE) {
    size_t limit = limits[kind - COVEY_TOPIC_SITE];
    if (limit == 0) limit = a->config->receive_bytes;
    if (total > limit) {
      ++a->counters.too_large;
      return COVEY_ERROR_MESSAGE_TOO_LARGE;
    }
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
  if (error == COVEY_ERROR_MESSAGE_MALFORMED) ++a->counters.malformed;
  return error;
}
