/* Enrolment, and the identity that it gives, in the port's store. */
#include "internal.h"

#define MAGIC 0x32495643U /* "CVI2" */

typedef struct identity {
  uint64_t nonce;
  uint32_t magic;
  uint32_t site_epoch;
  uint8_t order_key[COVEY_ORDER_KEY_BYTES];
  char username[COVEY_USERNAME_BYTES_MAX + 1];
  char password[COVEY_PASSWORD_BYTES_MAX + 1];
  char shard[COVEY_SHARD_BYTES + 1];
  uint8_t enrolled;
  uint32_t crc; /* of all before it */
} identity_t;
COVEY_STATIC_ASSERT(sizeof(identity_t) <= COVEY_STORE_BYTES_MAX);

static uint32_t crc_of(const identity_t* id) {
  return covey_crc32((const uint8_t*)id, offsetof(identity_t, crc));
}

/* False: there is none, or it rotted. */
static bool read_identity(const covey_agent_t* a, identity_t* id) {
  const covey_store_t* store = &covey_port(a)->store;
  return store->read(store->ctx, (uint8_t*)id, sizeof *id) == (int)sizeof *id &&
         id->magic == MAGIC && id->crc == crc_of(id);
}

static int write_identity(const covey_agent_t* a, identity_t* id) {
  const covey_store_t* store = &covey_port(a)->store;
  id->magic = MAGIC;
  id->crc = crc_of(id);
  return store->write(store->ctx, (const uint8_t*)id, sizeof *id) == 0 ? COVEY_OK
                                                                       : COVEY_ERROR_STORE;
}

static void adopt(covey_agent_t* a, const identity_t* id) {
  a->enrolled = id->enrolled != 0;
  a->enroll_nonce = id->nonce;
  memcpy(a->shard, id->shard, sizeof a->shard);
  memcpy(a->order_key, id->order_key, sizeof a->order_key);
}

int covey_identity_load(covey_agent_t* a) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  identity_t id;
  if (!read_identity(a, &id)) { /* the factory's state */
    memset(&id, 0, sizeof id);
    if (crypto->random(crypto->ctx, &id.nonce, sizeof id.nonce) != 0) return COVEY_ERROR_CRYPTO;
    if (write_identity(a, &id) != 0) return COVEY_ERROR_STORE;
  }
  adopt(a, &id);
  return COVEY_OK;
}

int covey_agent_credentials(const covey_agent_t* a, covey_credentials_t* credentials) {
  identity_t id;
  if (!a->enrolled) return COVEY_ERROR_NOT_ENROLLED;
  if (!read_identity(a, &id)) return COVEY_ERROR_STORE;
  memcpy(credentials->username, id.username, sizeof credentials->username);
  memcpy(credentials->password, id.password, sizeof credentials->password);
  memcpy(credentials->shard, id.shard, sizeof credentials->shard);
  credentials->site_epoch = id.site_epoch;
  return COVEY_OK;
}

int covey_agent_forget_identity(covey_agent_t* a) {
  const covey_store_t* store = &covey_port(a)->store;
  if (store->write(store->ctx, (const uint8_t*)"", 0) != 0) return COVEY_ERROR_STORE;
  return covey_identity_load(a);
}

void covey_enroll_step(covey_agent_t* a) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_ENROLL];
  covey_writer_t w;
  if (!a->connected || !covey_subscribe(a, COVEY_TOPIC_ENROLL, COVEY_TOPIC_ENROLL)) return;
  if (!covey_due(a, timer)) return;
  w = covey_send_writer(a);
  covey_encode_enroll(a, &w);
  covey_repeat(a, timer, covey_publish(a, "up", &w, 1));
}

/* covey.device.v1.EnrollGrant */
typedef struct grant {
  uint64_t nonce;
  covey_bytes_t username;
  covey_bytes_t password;
  const uint8_t* order_key;
  const uint8_t* shard;
  uint32_t site_epoch;
  uint32_t retry_after_s;
  uint8_t state;
} grant_t;

#define GRANT(number, kind, member) COVEY_MEMBER(number, kind, grant_t, member)
static const covey_member_t grant_members[] = {
    GRANT(1, COVEY_MEMBER_F64, nonce),
    GRANT(2, COVEY_MEMBER_U8, state),
    GRANT(3, COVEY_MEMBER_EXACTLY + COVEY_ORDER_KEY_BYTES, order_key),
    GRANT(4, COVEY_MEMBER_BYTES, username),
    GRANT(5, COVEY_MEMBER_BYTES, password),
    GRANT(6, COVEY_MEMBER_EXACTLY + COVEY_SHARD_BYTES, shard),
    GRANT(7, COVEY_MEMBER_U32, site_epoch),
    GRANT(8, COVEY_MEMBER_U32, retry_after_s),
    COVEY_MEMBERS_END};

enum { STATE_ACCEPTED = 2, RETRY_AFTER_S_MAX = 86400 };

static bool shard_valid(const uint8_t* shard) { /* "00" to "3f" */
  return shard != NULL && shard[0] >= '0' && shard[0] <= '3' &&
         ((shard[1] >= '0' && shard[1] <= '9') || (shard[1] >= 'a' && shard[1] <= 'f'));
}

static bool copy_text(char* to, covey_bytes_t from, size_t bytes_max) {
  if (from.size > bytes_max) return false;
  if (from.size != 0) memcpy(to, from.bytes, from.size);
  return true;
}

int covey_enroll_receive(covey_agent_t* a, covey_bytes_t message) {
  grant_t grant;
  identity_t id;
  int error;
  if (!covey_read_members(message, grant_members, &grant, sizeof grant) ||
      grant.nonce != a->enroll_nonce) { /* not an answer to us */
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (grant.state != STATE_ACCEPTED) { /* pending, or rejected: an operator may change their mind */
    if (grant.retry_after_s > RETRY_AFTER_S_MAX) grant.retry_after_s = RETRY_AFTER_S_MAX;
    if (grant.retry_after_s != 0) {
      a->timers[COVEY_TIMER_ENROLL].left_ms = covey_later(a, grant.retry_after_s * 1000);
    }
    return COVEY_OK;
  }
  memset(&id, 0, sizeof id);
  if (grant.order_key == NULL || !shard_valid(grant.shard) ||
      !copy_text(id.username, grant.username, COVEY_USERNAME_BYTES_MAX) ||
      !copy_text(id.password, grant.password, COVEY_PASSWORD_BYTES_MAX)) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  id.enrolled = 1;
  id.nonce = grant.nonce;
  id.site_epoch = grant.site_epoch;
  memcpy(id.shard, grant.shard, COVEY_SHARD_BYTES);
  memcpy(id.order_key, grant.order_key, sizeof id.order_key);
  /* Counters of another enrolment mean nothing under the new key. If power fails between the two
   * writes, the journal is ahead and the old identity, if any, hears a goal twice. */
  a->site_epoch = grant.site_epoch;
  a->goal_counter = 0;
  error = covey_journal_record(a, a->models);
  if (error == 0) error = write_identity(a, &id);
  if (error != 0) return error;
  adopt(a, &id);
  a->subscribed = COVEY_TOPIC_NONE;
  covey_tell(a->models, COVEY_EVENT_CREDENTIALS);
  return COVEY_OK;
}
