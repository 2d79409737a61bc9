/* SPDX-License-Identifier: Apache-2.0 */
/* The root document: who may sign, named by those who may change that. The newest that this device
 * took is in the journal; until then the firmware's counts. Read anew at each use, into the send
 * buffer: nothing of it is held in memory but its number. */
#include <string.h>

#include "flash.h"

#if COVEY_ROOT

enum { FORMAT = 1, ALL_ROLES = COVEY_ROLE_ROOT | COVEY_ROLE_AUTHOR };

/* covey.device.v1.Root, all but its keys */
typedef struct numbers {
  uint32_t format;
  uint32_t version;
  uint32_t root_threshold;
  uint32_t author_threshold;
} numbers_t;

static const covey_member_t root_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, numbers_t, format),
    COVEY_MEMBER(2, COVEY_MEMBER_U32, numbers_t, version),
    COVEY_MEMBER(3, COVEY_MEMBER_U32, numbers_t, root_threshold),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, numbers_t, author_threshold), COVEY_MEMBERS_END(numbers_t)};

/* covey.device.v1.RootKey */
typedef struct root_key {
  covey_bytes_t key;
  uint32_t algorithm;
  uint32_t roles;
} root_key_t;

static const covey_member_t key_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_U32, root_key_t, algorithm),
    COVEY_MEMBER(2, COVEY_MEMBER_BYTES, root_key_t, key),
    COVEY_MEMBER(3, COVEY_MEMBER_U32, root_key_t, roles), COVEY_MEMBERS_END(root_key_t)};

/* Whether it can be a key: that its point is on the curve is the port's to say, when it verifies.
 */
static bool read_key(covey_bytes_t message, root_key_t* key) {
  if (!covey_read_members(message, key_members, key) || key->roles == 0 ||
      (key->roles & ~(uint32_t)ALL_ROLES) != 0) {
    return false;
  }
  return key->algorithm == COVEY_ALGORITHM_ES256
             ? key->key.size == COVEY_POINT_BYTES && key->key.bytes[0] == 4
             : key->algorithm == COVEY_ALGORITHM_ED25519 && key->key.size == 32;
}

static void id_of(covey_agent_t* a, covey_bytes_t key, uint8_t id[COVEY_KEY_ID_BYTES]) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  covey_digest_of(a, key.bytes, key.size, digest);
  covey_bytes_copy(id, digest, COVEY_KEY_ID_BYTES);
}

int covey_root_read(covey_agent_t* a, covey_bytes_t bytes, enum covey_role role,
                    covey_keyring_t* ring) {
  uint8_t ids[COVEY_ROOT_KEYS_MAX][COVEY_KEY_ID_BYTES];
  uint32_t having[2] = {0, 0}; /* keys of the root, authors */
  covey_bytes_t rest = bytes;
  covey_bytes_t item;
  numbers_t numbers;
  root_key_t key;
  uint32_t count = 0;
  uint32_t k;
  memset(ring, 0, sizeof *ring);
  if (bytes.size > COVEY_ROOT_BYTES_MAX || !covey_read_members(bytes, root_members, &numbers) ||
      numbers.format != FORMAT || numbers.version == 0) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  while (covey_read_next(&rest, 5, &item)) {
    if (count == COVEY_ROOT_KEYS_MAX || !read_key(item, &key)) {
      return COVEY_ERROR_MESSAGE_MALFORMED;
    }
    id_of(a, key.key, ids[count]);
    for (k = 0; k < count; ++k) { /* two signatures of one key are one */
      if (covey_bytes_same_prefix(ids[k], ids[count])) return COVEY_ERROR_MESSAGE_MALFORMED;
    }
    having[0] += key.roles & 1;
    having[1] += key.roles >> 1;
    if ((key.roles & (uint32_t)role) != 0) {
      covey_public_key_t* mine = &ring->keys[ring->count];
      mine->algorithm = key.algorithm;
      covey_bytes_copy(mine->key_id, ids[count], COVEY_KEY_ID_BYTES);
      mine->key = key.key.bytes;
      mine->key_size = key.key.size;
      ++ring->count;
    }
    ++count;
  }
  if (numbers.root_threshold - 1U >= having[0] || numbers.author_threshold - 1U >= having[1] ||
      numbers.root_threshold > COVEY_ROOT_SIGNATURES_MAX ||
      numbers.author_threshold > COVEY_SIGNATURES_MAX) {
    return COVEY_ERROR_MESSAGE_MALFORMED;
  }
  ring->version = numbers.version;
  ring->threshold = role == COVEY_ROLE_ROOT ? numbers.root_threshold : numbers.author_threshold;
  return COVEY_OK;
}

/* The exact bytes inside a SignedRoot. */
static bool open_document(covey_bytes_t message, covey_bytes_t* root) {
  static const covey_member_t members[] = {{1 << 3 | COVEY_BYTES, 0},
                                           COVEY_MEMBERS_END(covey_bytes_t)};
  return covey_read_members(message, members, root);
}

/* The document of now. Its bytes are the firmware's, or in the send buffer. */
static int bytes_of_now(covey_agent_t* a, covey_bytes_t* bytes) {
  if (a->root_rows != 0) return covey_journal_read_root(a, a->root_rows, bytes);
  return open_document(a->config->root, bytes) ? COVEY_OK : COVEY_ERROR_CONFIG;
}

int covey_root_now(covey_agent_t* a, enum covey_role role, covey_keyring_t* ring) {
  covey_bytes_t bytes;
  const int error = bytes_of_now(a, &bytes);
  return error != 0 ? error : covey_root_read(a, bytes, role, ring);
}

int covey_root_load(covey_agent_t* a) {
  covey_keyring_t ring;
  covey_bytes_t bytes;
  const uint8_t rows = a->root_rows;
  a->root_rows = 0;
  if (a->config->root.size == 0) return COVEY_OK;
  if (covey_root_now(a, COVEY_ROLE_ROOT, &ring) != 0) return COVEY_ERROR_CONFIG;
  a->root_version = ring.version;
  if (rows != 0 && covey_journal_read_root(a, rows, &bytes) == 0 &&
      covey_root_read(a, bytes, COVEY_ROLE_ROOT, &ring) == 0 && ring.version > a->root_version) {
    a->root_version = ring.version;
    a->root_rows = rows;
  } /* else the firmware has a newer one; or what rotted is as if it had never been */
  return COVEY_OK;
}

/* What is signed: no manifest begins like that. */
static void digest_of(covey_agent_t* a, covey_bytes_t root, uint8_t digest[COVEY_DIGEST_BYTES]) {
  static const char prefix[] = "covey root"; /* and its NUL */
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  covey_hash_t hash;
  crypto->hash_begin(crypto->ctx, &hash);
  crypto->hash_update(crypto->ctx, &hash, prefix, sizeof prefix);
  crypto->hash_update(crypto->ctx, &hash, root.bytes, root.size);
  crypto->hash_finish(crypto->ctx, &hash, digest);
}

int covey_root_accept(covey_agent_t* a, covey_bytes_t message) {
  covey_keyring_t ring;
  covey_bytes_t root;
  uint8_t digest[COVEY_DIGEST_BYTES];
  int error = COVEY_ERROR_MESSAGE_MALFORMED;
  if (open_document(message, &root)) {
    error = covey_root_read(a, root, COVEY_ROLE_ROOT, &ring);
  }
  /* Never back, and none is skipped. */
  if (error == 0 && ring.version != a->root_version + 1) error = COVEY_ERROR_MESSAGE_MALFORMED;
  if (error != 0) return error;
  digest_of(a, root, digest);
  error = covey_signature_check(a->config, message, digest, &ring, COVEY_ROOT_SIGNATURES_MAX);
  if (error == 0) error = covey_root_now(a, COVEY_ROLE_ROOT, &ring);
  if (error == 0) {
    error = covey_signature_check(a->config, message, digest, &ring, COVEY_ROOT_SIGNATURES_MAX);
  }
  if (error == 0) error = covey_journal_root(a, root);
  if (error == 0) ++a->root_version;
  return error;
}

#endif
