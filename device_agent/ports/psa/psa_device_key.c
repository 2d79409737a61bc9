/* SPDX-License-Identifier: Apache-2.0 */
#include <psa/crypto.h>
#include <string.h>

#include "covey/error.h"
#include "covey/port_psa.h"

enum { KEY_BYTES = 16, NONCE_BYTES = 12, TAG_BYTES = 16 };

static int answer(psa_status_t status, size_t size, size_t expected) {
  return status == PSA_SUCCESS && size == expected ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

static int public_key(void* ctx, uint8_t point[COVEY_POINT_BYTES]) {
  const covey_psa_own_key_t* own = (const covey_psa_own_key_t*)ctx;
  size_t size = 0;
  const psa_status_t status = psa_export_public_key(own->signing, point, COVEY_POINT_BYTES, &size);
  return answer(status, size, COVEY_POINT_BYTES);
}

static int sign(void* ctx, const uint8_t digest[COVEY_DIGEST_BYTES],
                uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  const covey_psa_own_key_t* own = (const covey_psa_own_key_t*)ctx;
  size_t size = 0;
  const psa_status_t status =
      psa_sign_hash(own->signing, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, COVEY_DIGEST_BYTES,
                    signature, COVEY_SIGNATURE_BYTES, &size);
  return answer(status, size, COVEY_SIGNATURE_BYTES);
}

static int agree(void* ctx, const uint8_t point[COVEY_POINT_BYTES],
                 uint8_t secret[COVEY_DIGEST_BYTES]) {
  const covey_psa_own_key_t* own = (const covey_psa_own_key_t*)ctx;
  size_t size = 0;
  const psa_status_t status = psa_raw_key_agreement(
      PSA_ALG_ECDH, own->agreeing, point, COVEY_POINT_BYTES, secret, COVEY_DIGEST_BYTES, &size);
  return answer(status, size, COVEY_DIGEST_BYTES);
}

static int decrypt(void* ctx, const uint8_t key[KEY_BYTES], const uint8_t nonce[NONCE_BYTES],
                   const uint8_t* sealed, size_t size, uint8_t* plain) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_key_id_t id = 0;
  psa_status_t status;
  size_t opened = 0;
  (void)ctx;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DECRYPT);
  psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
  status = psa_import_key(&attributes, key, KEY_BYTES, &id);
  if (status != PSA_SUCCESS) return COVEY_ERROR_CRYPTO;
  status = psa_aead_decrypt(id, PSA_ALG_GCM, nonce, NONCE_BYTES, NULL, 0, sealed, size + TAG_BYTES,
                            plain, size, &opened);
  (void)psa_destroy_key(id);
  return answer(status, opened, size);
}

static psa_status_t import(const uint8_t* scalar, psa_key_usage_t usage, psa_algorithm_t algorithm,
                           uint32_t* into) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_key_id_t id = 0;
  psa_status_t status;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, usage);
  psa_set_key_algorithm(&attributes, algorithm);
  status = psa_import_key(&attributes, scalar, COVEY_PSA_SCALAR_BYTES, &id);
  *into = id;
  return status;
}

int covey_psa_make_scalar(uint8_t scalar[COVEY_PSA_SCALAR_BYTES]) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_key_id_t id = 0;
  psa_status_t status;
  size_t size = 0;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, 256);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
  psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
  status = psa_generate_key(&attributes, &id);
  if (status != PSA_SUCCESS) return COVEY_ERROR_CRYPTO;
  status = psa_export_key(id, scalar, COVEY_PSA_SCALAR_BYTES, &size);
  (void)psa_destroy_key(id);
  return answer(status, size, COVEY_PSA_SCALAR_BYTES);
}

int covey_psa_load_key(const uint8_t scalar[COVEY_PSA_SCALAR_BYTES], covey_psa_own_key_t* own) {
  psa_status_t status =
      import(scalar, PSA_KEY_USAGE_SIGN_HASH, PSA_ALG_ECDSA(PSA_ALG_SHA_256), &own->signing);
  if (status != PSA_SUCCESS) return COVEY_ERROR_CRYPTO;
  status = import(scalar, PSA_KEY_USAGE_DERIVE, PSA_ALG_ECDH, &own->agreeing);
  if (status == PSA_SUCCESS) return COVEY_OK;
  (void)psa_destroy_key(own->signing);
  return COVEY_ERROR_CRYPTO;
}

void covey_psa_device_key(covey_psa_own_key_t* own, const covey_store_t* certificate,
                          covey_device_key_t* key) {
  key->ctx = own;
  key->public_key = public_key;
  key->sign = sign;
  key->agree = agree;
  key->decrypt = decrypt;
  key->certificate = certificate;
}
