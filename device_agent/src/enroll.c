/* Enrolment, and the identity that it gives, in the port's store:
 *     {magic u32, enrolled u8, shard 2, username size u8, password size u8, nonce u64, epoch u32,
 *      order key 32, username, password, crc32} */
#include "internal.h"

#define MAGIC 0x31495643U /* "CVI1" */
#define HEAD_BYTES 53U

/* Size of the valid record in `record`, 0: none. */
static size_t check(const uint8_t* record, int size) {
  if (size < (int)HEAD_BYTES + 4 || size > COVEY_STORE_BYTES_MAX || covey_load32(record) != MAGIC ||
      HEAD_BYTES + record[7] + record[8] + 4U != (size_t)size ||
      record[7] > COVEY_USERNAME_BYTES_MAX || record[8] > COVEY_PASSWORD_BYTES_MAX ||
      covey_crc32(record, (size_t)size - 4) != covey_load32(record + size - 4)) {
    return 0;
  }
  return (size_t)size;
}

static int write(const covey_agent_t* a, uint8_t* record, size_t size) {
  const covey_store_t* store = &covey_port(a)->store;
  covey_store32(record + size, covey_crc32(record, size));
  return store->write(store->ctx, record, size + 4) == 0 ? COVEY_OK : COVEY_ERROR_STORE;
}

static void adopt(covey_agent_t* a, const uint8_t* record) {
  a->enrolled = record[4] != 0;
  a->shard[0] = (char)record[5];
  a->shard[1] = (char)record[6];
  a->shard[2] = '\0';
  a->enroll_nonce = covey_load64(record + 9);
  memcpy(a->order_key, record + 21, COVEY_ORDER_KEY_BYTES);
}

int covey_identity_load(covey_agent_t* a) {
  const covey_store_t* store = &covey_port(a)->store;
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  uint8_t record[COVEY_STORE_BYTES_MAX];
  const int size = store->read(store->ctx, record, sizeof record);
  if (size < 0) return COVEY_ERROR_STORE;
  if (check(record, size) == 0) { /* the factory's state */
    memset(record, 0, sizeof record);
    covey_store32(record, MAGIC);
    if (crypto->random(crypto->ctx, record + 9, 8) != 0) return COVEY_ERROR_CRYPTO;
    if (write(a, record, HEAD_BYTES) != 0) return COVEY_ERROR_STORE;
  }
  adopt(a, record);
  return COVEY_OK;
}

int covey_agent_credentials(const covey_agent_t* a, covey_credentials_t* credentials) {
  const covey_store_t* store = &covey_port(a)->store;
  uint8_t record[COVEY_STORE_BYTES_MAX];
  int size;
  memset(credentials, 0, sizeof *credentials);
  if (!a->enrolled) return COVEY_ERROR_NOT_ENROLLED;
  size = store->read(store->ctx, record, sizeof record);
  if (check(record, size) == 0) return COVEY_ERROR_STORE;
  memcpy(credentials->username, record + HEAD_BYTES, record[7]);
  memcpy(credentials->password, record + HEAD_BYTES + record[7], record[8]);
  memcpy(credentials->shard, a->shard, sizeof credentials->shard);
  credentials->site_epoch = covey_load32(record + 17);
  return COVEY_OK;
}

int covey_agent_forget_identity(covey_agent_t* a) {
  const covey_store_t* store = &covey_port(a)->store;
  if (store->write(store->ctx, (const uint8_t*)"", 0) != 0) return COVEY_ERROR_STORE;
  return covey_identity_load(a);
}

void covey_enroll_step(covey_agent_t* a) {
  const covey_link_t* link = &covey_port(a)->link;
  char topic[COVEY_TOPIC_BYTES_MAX];
  covey_writer_t w;
  if (!a->connected) return;
  if (a->subscribed == 0) {
    covey_topic_enroll(a, "down", topic);
    if (link->subscribe(link->ctx, topic, 1) != 0) {
      covey_wake_at(a, a->now_ms + 100);
      return;
    }
    a->subscribed = 1;
  }
  if (a->now_ms >= a->enroll_at_ms) {
    w = covey_send_writer(a);
    covey_encode_enroll(a, &w);
    covey_topic_enroll(a, "up", topic);
    if (!w.overflow && link->publish(link->ctx, topic, w.bytes, w.size, 1) == 0) {
      a->enroll_at_ms = covey_backoff(a, a->enroll_tries);
      if (a->enroll_tries < 16) ++a->enroll_tries;
    } else {
      a->enroll_at_ms = a->now_ms + 100;
    }
  }
  covey_wake_at(a, a->enroll_at_ms);
}

/* covey.device.v1.EnrollState */
enum { STATE_ACCEPTED = 2 };

static bool shard_valid(const uint8_t* shard) { /* "00" to "3f" */
  return shard[0] >= '0' && shard[0] <= '3' &&
         ((shard[1] >= '0' && shard[1] <= '9') || (shard[1] >= 'a' && shard[1] <= 'f'));
}

int covey_enroll_receive(covey_agent_t* a, covey_bytes_t message) {
  covey_reader_t r = covey_reader_of(message.bytes, message.size);
  covey_field_t f;
  covey_field_t texts[4]; /* order key, username, password, shard: fields 3 to 6 */
  uint8_t record[COVEY_STORE_BYTES_MAX];
  uint64_t nonce = 0;
  uint64_t state = 0;
  uint64_t retry_after_s = 0;
  uint32_t site_epoch = 0;
  int error;
  memset(texts, 0, sizeof texts);
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_FIXED64) nonce = f.value;
    if (f.number >= 3 && f.number <= 6 && f.type == COVEY_BYTES) texts[f.number - 3] = f;
    if (f.type != COVEY_VARINT) continue;
    if (f.number == 2) state = f.value;
    if (f.number == 7) site_epoch = (uint32_t)f.value;
    if (f.number == 8) retry_after_s = f.value;
  }
  if (r.malformed || nonce != a->enroll_nonce) { /* not an answer to us */
    ++a->counters.malformed;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  if (state != STATE_ACCEPTED) { /* pending, or rejected: an operator may change their mind */
    if (retry_after_s > 86400) retry_after_s = 86400;
    if (retry_after_s != 0) {
      a->enroll_at_ms =
          a->now_ms + retry_after_s * 1000 + covey_jitter(a, (uint32_t)retry_after_s * 250 + 1);
    }
    return COVEY_OK;
  }
  if (texts[0].size != COVEY_ORDER_KEY_BYTES || texts[1].size > COVEY_USERNAME_BYTES_MAX ||
      texts[2].size > COVEY_PASSWORD_BYTES_MAX || texts[3].size != COVEY_SHARD_BYTES ||
      !shard_valid(texts[3].bytes)) {
    ++a->counters.malformed;
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  memset(record, 0, sizeof record);
  covey_store32(record, MAGIC);
  record[4] = 1;
  memcpy(record + 5, texts[3].bytes, COVEY_SHARD_BYTES);
  record[7] = (uint8_t)texts[1].size;
  record[8] = (uint8_t)texts[2].size;
  covey_store64(record + 9, a->enroll_nonce);
  covey_store32(record + 17, site_epoch);
  memcpy(record + 21, texts[0].bytes, COVEY_ORDER_KEY_BYTES);
  if (texts[1].size != 0) memcpy(record + HEAD_BYTES, texts[1].bytes, texts[1].size);
  if (texts[2].size != 0) {
    memcpy(record + HEAD_BYTES + texts[1].size, texts[2].bytes, texts[2].size);
  }
  /* Counters of another enrolment mean nothing under the new key. If power fails between the two
   * writes, the journal is ahead and the old identity, if any, hears a goal twice. */
  a->site_epoch = site_epoch;
  a->goal_counter = 0;
  error = covey_journal_record(a, 0);
  if (error == 0) error = write(a, record, HEAD_BYTES + texts[1].size + texts[2].size);
  if (error != 0) return error;
  adopt(a, record);
  a->subscribed = 0;
  if (a->config->event != NULL) a->config->event(a->config->app, COVEY_EVENT_CREDENTIALS, 0);
  return COVEY_OK;
}
