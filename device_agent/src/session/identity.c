/* SPDX-License-Identifier: Apache-2.0 */
/* The identity that enrolment gave, in the port's store. */
#include "parts.h"

#define MAGIC 0x32495643U /* "CVI2" */
COVEY_STATIC_ASSERT(sizeof(covey_identity_t) <= COVEY_STORE_BYTES_MAX);

static uint32_t crc_of(const covey_identity_t* id) {
  return covey_bytes_crc32((const uint8_t*)id, offsetof(covey_identity_t, crc));
}

/* False: there is none, or it rotted. */
static bool read_identity(const covey_agent_t* a, covey_identity_t* id) {
  const covey_store_t* store = &covey_core_port(a)->store;
  return store->read(store->ctx, (uint8_t*)id, sizeof *id) == (int)sizeof *id &&
         id->magic == MAGIC && id->crc == crc_of(id);
}

static int write_identity(const covey_store_t* store, covey_identity_t* id) {
  id->magic = MAGIC;
  id->crc = crc_of(id);
  return store->write(store->ctx, (const uint8_t*)id, sizeof *id) == 0 ? COVEY_OK
                                                                       : COVEY_ERROR_STORE;
}

static COVEY_OUTLINE void adopt(covey_agent_t* a, const covey_identity_t* id) {
  a->enrolled = id->enrolled != 0;
  a->enroll_nonce = id->nonce;
  covey_bytes_copy(a->shard, id->shard, sizeof a->shard);
  covey_bytes_copy(a->order_key, id->order_key, sizeof a->order_key);
}

#if COVEY_ENROLMENT
int covey_identity_keep(covey_agent_t* a, covey_identity_t* id) {
  const int error = write_identity(&covey_core_port(a)->store, id);
  if (error == 0) adopt(a, id);
  return error;
}

/* The factory's state. */
int covey_agent_forget_identity(covey_agent_t* a) {
  covey_identity_t id;
  int error;
  memset(&id, 0, sizeof id);
  covey_outbox_clear(a);
  error = covey_random_draw(a, &id.nonce);
  return error == 0 ? covey_identity_keep(a, &id) : error;
}
#endif

int covey_identity_load(covey_agent_t* a) {
  covey_identity_t id;
#if COVEY_DEVICE_KEY
  covey_certificate_load(a);
#endif
#if COVEY_ENROLMENT
  if (!read_identity(a, &id)) return covey_agent_forget_identity(a);
#else
  if (!read_identity(a, &id) || id.enrolled == 0) return COVEY_ERROR_NOT_ENROLLED;
#endif
  adopt(a, &id);
  return COVEY_OK;
}

int covey_agent_credentials(const covey_agent_t* a, covey_credentials_t* credentials) {
  covey_identity_t id;
  if (!covey_core_enrolled(a)) return COVEY_ERROR_NOT_ENROLLED;
  if (!read_identity(a, &id)) return COVEY_ERROR_STORE;
  covey_bytes_copy(credentials->username, id.username, sizeof id.username);
  covey_bytes_copy(credentials->password, id.password, sizeof id.password);
  covey_bytes_copy(credentials->shard, id.shard, sizeof id.shard);
  credentials->site_epoch = id.site_epoch;
  return COVEY_OK;
}

int covey_agent_provision(const covey_store_t* store, const covey_credentials_t* credentials,
                          const uint8_t order_key[COVEY_ORDER_KEY_BYTES]) {
  covey_identity_t id;
  memset(&id, 0, sizeof id);
  covey_bytes_copy(id.username, credentials->username, sizeof id.username);
  covey_bytes_copy(id.password, credentials->password, sizeof id.password);
  covey_bytes_copy(id.shard, credentials->shard, sizeof id.shard);
  covey_bytes_copy(id.order_key, order_key, sizeof id.order_key);
  id.site_epoch = credentials->site_epoch;
  id.enrolled = 1;
  return write_identity(store, &id);
}
