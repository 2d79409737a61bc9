/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway has, and how much it wants. */
#include "parts.h"

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
  const int error = covey_seal_open(a, "ack", &message);
  if (error != 0) return error;
  if (!covey_read_members(message, ack_members, &ack)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  while (covey_read_next(&message, 2, &item)) {
    covey_stream_ack_t stream;
    if (!covey_read_members(item, stream_members, &stream) || stream.manifest == NULL) {
      return COVEY_ERROR_MESSAGE_MALFORMED;
    }
    covey_delivery_ack(a, ack.boot_id, &stream);
  }
  /* The rest is an answer to this boot's hello. */
  if (ack.boot_id != a->boot_id || ack.reports_only != 0) return COVEY_OK;
  covey_news_answered(a);
  if (ack.status_number <= a->status_number && ack.status_number > a->status_acked) {
    a->status_acked = ack.status_number;
  }
  if (ack.credit != 0) a->credit = (uint8_t)(ack.credit < UINT8_MAX ? ack.credit : UINT8_MAX);
  if (ack.backoff_ms > a->times.retry_max_ms) ack.backoff_ms = a->times.retry_max_ms;
  if (ack.backoff_ms != 0) a->timers[COVEY_TIMER_REPORT].left_ms = ack.backoff_ms;
  return COVEY_OK;
}
