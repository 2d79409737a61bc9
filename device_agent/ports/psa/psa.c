/* SPDX-License-Identifier: Apache-2.0 */
#include <psa/crypto.h>
#include <string.h>

#include "covey/error.h"
#include "covey/port_psa.h"

/* Operations are as large as an implementation likes, may hold a resource elsewhere, and the agent
 * may abandon a hash: so they are here. It has two at a time at most: of an image, from poll to
 * poll, and one that ends in the call in which it began. A third can only mean that one was
 * abandoned: that which was used longest ago is. */
#define HASHES 2

static struct {
  const covey_hash_t* owner; /* NULL: free */
  uint32_t used;
  psa_hash_operation_t operation;
} hashes[HASHES];
static uint32_t uses;

/* The place of this hash, or of none. */
static int place_of(const covey_hash_t* owner) {
  int i;
  for (i = 0; i < HASHES; ++i) {
    if (hashes[i].owner == owner) return i;
  }
  return -1;
}

static int place_for(const covey_hash_t* owner) {
  int place = place_of(owner);
  if (place < 0) place = place_of(NULL);
  /* The difference stays right when the counter wraps. */
  if (place < 0) place = hashes[0].used - hashes[1].used <= UINT32_MAX / 2 ? 1 : 0;
  return place;
}

static void hash_begin(void* ctx, covey_hash_t* hash) {
  const int place = place_for(hash);
  const psa_hash_operation_t fresh = PSA_HASH_OPERATION_INIT;
  (void)ctx;
  if (hashes[place].owner != NULL) (void)psa_hash_abort(&hashes[place].operation);
  hashes[place].owner = hash;
  hashes[place].used = ++uses;
  hashes[place].operation = fresh;
  /* One that could not begin says so at its end. */
  (void)psa_hash_setup(&hashes[place].operation, PSA_ALG_SHA_256);
}

static void hash_update(void* ctx, covey_hash_t* hash, const void* bytes, size_t size) {
  const int place = place_of(hash);
  (void)ctx;
  if (place < 0 || size == 0) return;
  hashes[place].used = ++uses;
  if (psa_hash_update(&hashes[place].operation, (const uint8_t*)bytes, size) != PSA_SUCCESS) {
    (void)psa_hash_abort(&hashes[place].operation);
  }
}

/* An accelerator that fails leaves no digest: zeros match nothing, so the caller refuses. */
static void hash_finish(void* ctx, covey_hash_t* hash, uint8_t digest[COVEY_DIGEST_BYTES]) {
  const int place = place_of(hash);
  psa_status_t status = PSA_ERROR_BAD_STATE;
  size_t size = 0;
  (void)ctx;
  if (place >= 0) {
    status = psa_hash_finish(&hashes[place].operation, digest, COVEY_DIGEST_BYTES, &size);
    if (status != PSA_SUCCESS) (void)psa_hash_abort(&hashes[place].operation);
    hashes[place].owner = NULL;
  }
  if (status != PSA_SUCCESS || size != COVEY_DIGEST_BYTES) memset(digest, 0, COVEY_DIGEST_BYTES);
}

static int verify(void* ctx, const covey_public_key_t* key,
                  const uint8_t digest[COVEY_DIGEST_BYTES],
                  const uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_key_id_t id = 0;
  psa_status_t status;
  (void)ctx;
  if (key->algorithm != COVEY_ALGORITHM_ES256) return COVEY_ERROR_ALGORITHM_UNSUPPORTED;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
  status = psa_import_key(&attributes, key->key, key->key_size, &id);
  if (status == PSA_ERROR_INSUFFICIENT_MEMORY) return COVEY_ERROR_CRYPTO;
  if (status != PSA_SUCCESS) return COVEY_ERROR_KEY_UNKNOWN;
  status = psa_verify_hash(id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, COVEY_DIGEST_BYTES,
                           signature, COVEY_SIGNATURE_BYTES);
  (void)psa_destroy_key(id);
  if (status == PSA_ERROR_INSUFFICIENT_MEMORY) return COVEY_ERROR_CRYPTO;
  return status == PSA_SUCCESS ? COVEY_OK : COVEY_ERROR_SIGNATURE_INVALID;
}

static psa_status_t mac_parts(psa_key_id_t id, const covey_bytes_t* parts, size_t count,
                              uint8_t* out) {
  psa_mac_operation_t operation = PSA_MAC_OPERATION_INIT;
  psa_status_t status = psa_mac_sign_setup(&operation, id, PSA_ALG_HMAC(PSA_ALG_SHA_256));
  size_t size = 0;
  size_t i;
  for (i = 0; i < count && status == PSA_SUCCESS; ++i) {
    if (parts[i].size != 0) status = psa_mac_update(&operation, parts[i].bytes, parts[i].size);
  }
  if (status == PSA_SUCCESS) {
    status = psa_mac_sign_finish(&operation, out, COVEY_DIGEST_BYTES, &size);
  }
  if (status == PSA_SUCCESS && size != COVEY_DIGEST_BYTES) status = PSA_ERROR_GENERIC_ERROR;
  if (status != PSA_SUCCESS) (void)psa_mac_abort(&operation);
  return status;
}

static int mac(void* ctx, const uint8_t key[COVEY_ORDER_KEY_BYTES], const covey_bytes_t* parts,
               size_t count, uint8_t out[COVEY_DIGEST_BYTES]) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_key_id_t id = 0;
  psa_status_t status;
  (void)ctx;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
  psa_set_key_algorithm(&attributes, PSA_ALG_HMAC(PSA_ALG_SHA_256));
  status = psa_import_key(&attributes, key, COVEY_ORDER_KEY_BYTES, &id);
  if (status != PSA_SUCCESS) return COVEY_ERROR_CRYPTO;
  status = mac_parts(id, parts, count, out);
  (void)psa_destroy_key(id);
  return status == PSA_SUCCESS ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

static int random_bytes(void* ctx, void* into, size_t size) {
  (void)ctx;
  return psa_generate_random((uint8_t*)into, size) == PSA_SUCCESS ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

int covey_psa_crypto(covey_crypto_t* crypto) {
  if (psa_crypto_init() != PSA_SUCCESS) return COVEY_ERROR_CRYPTO;
  crypto->ctx = NULL;
  crypto->hash_begin = hash_begin;
  crypto->hash_update = hash_update;
  crypto->hash_finish = hash_finish;
  crypto->verify = verify;
  crypto->mac = mac;
  crypto->random = random_bytes;
  return COVEY_OK;
}

void covey_psa_public_key(const uint8_t* key, size_t size, covey_public_key_t* public_key) {
  uint8_t digest[COVEY_DIGEST_BYTES];
  size_t digest_size = 0;
  if (psa_crypto_init() != PSA_SUCCESS ||
      psa_hash_compute(PSA_ALG_SHA_256, key, size, digest, sizeof digest, &digest_size) !=
          PSA_SUCCESS) {
    memset(digest, 0, sizeof digest); /* no manifest is signed by this key id */
  }
  public_key->algorithm = COVEY_ALGORITHM_ES256;
  memcpy(public_key->key_id, digest, sizeof public_key->key_id);
  public_key->key = key;
  public_key->key_size = size;
}
