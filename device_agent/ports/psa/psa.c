/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <string.h>

#include "covey/error.h"
#include "covey/port_psa.h"

COVEY_STATIC_ASSERT(sizeof(mbedtls_sha256_context) <= sizeof(covey_hash_t));

/* Mbed TLS 3 dropped the suffix of the functions that return an error. */
#if MBEDTLS_VERSION_MAJOR < 3
#define SHA256_STARTS mbedtls_sha256_starts_ret
#define SHA256_UPDATE mbedtls_sha256_update_ret
#define SHA256_FINISH mbedtls_sha256_finish_ret
#else
#define SHA256_STARTS mbedtls_sha256_starts
#define SHA256_UPDATE mbedtls_sha256_update
#define SHA256_FINISH mbedtls_sha256_finish
#endif

/* An accelerator that fails leaves no digest: zeros match nothing, so the caller refuses. */
static void hash_begin(void* ctx, covey_hash_t* hash) {
  (void)ctx;
  mbedtls_sha256_init((mbedtls_sha256_context*)hash);
  (void)SHA256_STARTS((mbedtls_sha256_context*)hash, 0);
}

static void hash_update(void* ctx, covey_hash_t* hash, const void* bytes, size_t size) {
  (void)ctx;
  (void)SHA256_UPDATE((mbedtls_sha256_context*)hash, (const unsigned char*)bytes, size);
}

static void hash_finish(void* ctx, covey_hash_t* hash, uint8_t digest[COVEY_DIGEST_BYTES]) {
  (void)ctx;
  if (SHA256_FINISH((mbedtls_sha256_context*)hash, digest) != 0) {
    memset(digest, 0, COVEY_DIGEST_BYTES);
  }
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
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
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
  covey_hash_t hash;
  uint8_t digest[COVEY_DIGEST_BYTES];
  hash_begin(NULL, &hash);
  hash_update(NULL, &hash, key, size);
  hash_finish(NULL, &hash, digest);
  public_key->algorithm = COVEY_ALGORITHM_ES256;
  memcpy(public_key->key_id, digest, sizeof public_key->key_id);
  public_key->key = key;
  public_key->key_size = size;
}
