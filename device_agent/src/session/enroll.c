/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment: what the gateway grants. */
#include "parts.h"

#if COVEY_ENROLMENT

/* covey.device.v1.EnrollGrant, and the identity that comes of it */
typedef struct grant {
  covey_bytes_t username;
  covey_bytes_t password;
  covey_bytes_t shard;
#if COVEY_DEVICE_KEY
  covey_bytes_t sealed;
  covey_bytes_t certificate;
#endif
  const uint8_t* order_key;
  uint32_t retry_after_s;
  uint32_t state;
  covey_identity_t id;
} grant_t;

#define GRANT(number, kind, member) COVEY_MEMBER(number, kind, grant_t, member)
static const covey_member_t grant_members[] = {
    GRANT(1, COVEY_MEMBER_F64, id.nonce),
    GRANT(2, COVEY_MEMBER_U32, state),
    GRANT(3, COVEY_MEMBER_DIGEST, order_key), /* as long as a digest */
    GRANT(4, COVEY_MEMBER_BYTES, username),
    GRANT(5, COVEY_MEMBER_BYTES, password),
    GRANT(6, COVEY_MEMBER_BYTES, shard),
    GRANT(7, COVEY_MEMBER_U32, id.site_epoch),
    GRANT(8, COVEY_MEMBER_U32, retry_after_s),
#if COVEY_DEVICE_KEY
    GRANT(9, COVEY_MEMBER_BYTES, sealed),
    GRANT(10, COVEY_MEMBER_BYTES, certificate),
#endif
    COVEY_MEMBERS_END(grant_t)};
COVEY_STATIC_ASSERT(COVEY_ORDER_KEY_BYTES == COVEY_DIGEST_BYTES &&
                    COVEY_PASSWORD_BYTES_MAX == COVEY_USERNAME_BYTES_MAX);

enum { STATE_ACCEPTED = 2, RETRY_AFTER_S_MAX = 86400 };

static bool shard_valid(const uint8_t* shard, size_t size) { /* "00" to "3f" */
  return size == COVEY_SHARD_BYTES && shard[0] >= '0' && shard[0] <= '3' &&
         ((shard[1] >= '0' && shard[1] <= '9') || (shard[1] >= 'a' && shard[1] <= 'f'));
}

/* Into zeros. */
static COVEY_OUTLINE bool copy_text(char* to, covey_bytes_t from) {
  if (from.size > COVEY_USERNAME_BYTES_MAX) return false;
  if (from.size != 0) memcpy(to, from.bytes, from.size);
  return true;
}

#if COVEY_DEVICE_KEY
/* Keys that others could read on the way are none: a device that has a key of its own takes those
 * that are sealed for it, and no others. */
static int open_grant(const covey_agent_t* a, grant_t* grant) {
  covey_bytes_t plain;
  int error;
  if (covey_parts_own_key(a) == NULL || grant->state != STATE_ACCEPTED) return COVEY_OK;
  error = covey_unseal(a, grant->sealed, &plain);
  if (error != 0) return error;
  if (!covey_read_members(plain, grant_members, grant) || grant->id.nonce != a->enroll_nonce) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  return COVEY_OK;
}
#endif

int covey_enroll_receive(covey_agent_t* a, covey_bytes_t message) {
  grant_t grant;
  covey_identity_t* id = &grant.id;
  int error;
  if (!covey_read_members(message, grant_members, &grant) ||
      id->nonce != a->enroll_nonce) { /* not an answer to us */
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
#if COVEY_DEVICE_KEY
  error = open_grant(a, &grant);
  if (error != 0) return error;
#endif
  if (grant.state != STATE_ACCEPTED) { /* pending, or rejected: an operator may change their mind */
    if (grant.retry_after_s > RETRY_AFTER_S_MAX) grant.retry_after_s = RETRY_AFTER_S_MAX;
    if (grant.retry_after_s != 0) {
      a->timers[COVEY_TIMER_ENROLL].left_ms = covey_clock_later(a, grant.retry_after_s * 1000);
    }
    return COVEY_OK;
  }
  if (grant.order_key == NULL || !shard_valid(grant.shard.bytes, grant.shard.size) ||
      !copy_text(id->username, grant.username) || !copy_text(id->password, grant.password)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  (void)copy_text(id->shard, grant.shard);
  covey_bytes_copy(id->order_key, grant.order_key, sizeof id->order_key);
  id->enrolled = 1;
#if COVEY_DEVICE_KEY
  error = covey_certificate_keep(a, grant.certificate);
  if (error != 0) return error;
  /* Enrolled once more, under the same key: counters go on. */
  if (covey_bytes_same_digest(id->order_key, a->order_key)) {
    id->site_epoch = a->site_epoch;
  } else
#endif
  {
    /* Counters of another enrolment mean nothing under the new key. If power fails between the two
     * writes, the journal is ahead and the old identity, if any, hears a goal twice. */
    a->site_epoch = id->site_epoch;
    a->goal_counter = 0;
  }
  error = covey_journal_record(a, a->models);
  if (error == 0) error = covey_identity_keep(a, id);
  if (error != 0) return error;
  a->subscribed = COVEY_TOPIC_NONE;
  covey_news_tell(a->models, COVEY_EVENT_CREDENTIALS);
  return COVEY_OK;
}

#if COVEY_DEVICE_KEY
void covey_agent_enroll_again(covey_agent_t* a) {
  a->enrolled = false;
  a->timers[COVEY_TIMER_ENROLL].left_ms = 0;
}
#endif

#endif
