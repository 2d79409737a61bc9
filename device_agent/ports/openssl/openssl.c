/* SPDX-License-Identifier: Apache-2.0 */
/* The low-level SHA-256 keeps its whole state in the caller's memory, which the port demands; the
 * EVP interface would allocate per hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#include "covey/error.h"
#include "covey/port_openssl.h"

COVEY_STATIC_ASSERT(sizeof(SHA256_CTX) <= sizeof(covey_hash_t));

static void hash_begin(void* ctx, covey_hash_t* hash) {
  (void)ctx;
  SHA256_Init((SHA256_CTX*)hash);
}

static void hash_update(void* ctx, covey_hash_t* hash, const void* bytes, size_t size) {
  (void)ctx;
  SHA256_Update((SHA256_CTX*)hash, bytes, size);
}

static void hash_finish(void* ctx, covey_hash_t* hash, uint8_t digest[COVEY_DIGEST_BYTES]) {
  (void)ctx;
  SHA256_Final(digest, (SHA256_CTX*)hash);
}

static EVP_PKEY* ed25519_key(const covey_public_key_t* key) {
  return key->key_size == 32
             ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->key, key->key_size)
             : NULL;
}

static EVP_PKEY* p256_key(const covey_public_key_t* key) {
  char group[] = "P-256";
  uint8_t point[COVEY_PUBLIC_KEY_BYTES_MAX];
  OSSL_PARAM params[3];
  EVP_PKEY* pkey = NULL;
  EVP_PKEY_CTX* context;
  if (key->key_size != sizeof point) return NULL;
  memcpy(point, key->key, sizeof point);
  params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
  params[2] = OSSL_PARAM_construct_end();
  context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    pkey = NULL;
  }
  EVP_PKEY_CTX_free(context);
  return pkey;
}

static bool verify_ed25519(EVP_PKEY* pkey, const uint8_t* digest, const uint8_t* signature) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool good =
      context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
      EVP_DigestVerify(context, signature, COVEY_SIGNATURE_BYTES, digest, COVEY_DIGEST_BYTES) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

/* The wire has r | s (RFC 7518); OpenSSL wants DER. */
static bool verify_p256(EVP_PKEY* pkey, const uint8_t* digest, const uint8_t* signature) {
  ECDSA_SIG* raw = ECDSA_SIG_new();
  BIGNUM* r = BN_bin2bn(signature, 32, NULL);
  BIGNUM* s = BN_bin2bn(signature + 32, 32, NULL);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
  unsigned char* der = NULL;
  int size = -1;
  bool good = false;
  if (raw != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(raw, r, s) == 1) {
    r = NULL; /* they are raw's now */
    s = NULL;
    size = i2d_ECDSA_SIG(raw, &der);
  }
  if (size > 0 && context != NULL && EVP_PKEY_verify_init(context) == 1) {
    good = EVP_PKEY_verify(context, der, (size_t)size, digest, COVEY_DIGEST_BYTES) == 1;
  }
  OPENSSL_free(der);
  EVP_PKEY_CTX_free(context);
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(raw);
  return good;
}

static int verify(void* ctx, const covey_public_key_t* key,
                  const uint8_t digest[COVEY_DIGEST_BYTES],
                  const uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  EVP_PKEY* pkey;
  bool good;
  (void)ctx;
  switch (key->algorithm) {
    case COVEY_ALGORITHM_ES256:
      pkey = p256_key(key);
      good = pkey != NULL && verify_p256(pkey, digest, signature);
      break;
    case COVEY_ALGORITHM_ED25519:
      pkey = ed25519_key(key);
      good = pkey != NULL && verify_ed25519(pkey, digest, signature);
      break;
    default:
      return COVEY_ERROR_ALGORITHM_UNSUPPORTED;
  }
  if (pkey == NULL) return COVEY_ERROR_KEY_UNKNOWN;
  EVP_PKEY_free(pkey);
  return good ? COVEY_OK : COVEY_ERROR_SIGNATURE_INVALID;
}

/* HMAC (RFC 2104) over the hash above: no allocation, a few lines. */
static int mac(void* ctx, const uint8_t key[COVEY_ORDER_KEY_BYTES], const covey_bytes_t* parts,
               size_t count, uint8_t out[COVEY_DIGEST_BYTES]) {
  uint8_t pad[SHA256_CBLOCK];
  SHA256_CTX hash;
  size_t i;
  (void)ctx;
  memset(pad, 0x36, sizeof pad);
  for (i = 0; i < COVEY_ORDER_KEY_BYTES; ++i) pad[i] ^= key[i];
  SHA256_Init(&hash);
  SHA256_Update(&hash, pad, sizeof pad);
  for (i = 0; i < count; ++i) SHA256_Update(&hash, parts[i].bytes, parts[i].size);
  SHA256_Final(out, &hash);
  for (i = 0; i < sizeof pad; ++i) pad[i] ^= 0x36 ^ 0x5c;
  SHA256_Init(&hash);
  SHA256_Update(&hash, pad, sizeof pad);
  SHA256_Update(&hash, out, COVEY_DIGEST_BYTES);
  SHA256_Final(out, &hash);
  OPENSSL_cleanse(pad, sizeof pad);
  return 0;
}

static int random_bytes(void* ctx, void* into, size_t size) {
  (void)ctx;
  return RAND_bytes((unsigned char*)into, (int)size) == 1 ? 0 : COVEY_ERROR_CRYPTO;
}

covey_crypto_t covey_openssl_crypto(void) {
  covey_crypto_t crypto;
  crypto.ctx = NULL;
  crypto.hash_begin = hash_begin;
  crypto.hash_update = hash_update;
  crypto.hash_finish = hash_finish;
  crypto.verify = verify;
  crypto.mac = mac;
  crypto.random = random_bytes;
  return crypto;
}

covey_public_key_t covey_openssl_public_key(uint32_t algorithm, const uint8_t* key, size_t size) {
  covey_public_key_t public_key;
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(key, size, digest);
  public_key.algorithm = algorithm;
  memcpy(public_key.key_id, digest, sizeof public_key.key_id);
  public_key.key = key;
  public_key.key_size = size;
  return public_key;
}

/* ---- The device's own key. */

static int own_public_key(void* ctx, uint8_t point[COVEY_POINT_BYTES]) {
  size_t size = 0;
  return EVP_PKEY_get_octet_string_param((EVP_PKEY*)ctx, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         COVEY_POINT_BYTES, &size) == 1 &&
                 size == COVEY_POINT_BYTES
             ? COVEY_OK
             : COVEY_ERROR_CRYPTO;
}

static int own_sign(void* ctx, const uint8_t digest[COVEY_DIGEST_BYTES],
                    uint8_t signature[COVEY_SIGNATURE_BYTES]) {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_pkey(NULL, (EVP_PKEY*)ctx, NULL);
  unsigned char der[80];
  const unsigned char* at = der;
  size_t size = sizeof der;
  ECDSA_SIG* raw = NULL;
  bool good = false;
  if (context != NULL && EVP_PKEY_sign_init(context) == 1 &&
      EVP_PKEY_sign(context, der, &size, digest, COVEY_DIGEST_BYTES) == 1) {
    raw = d2i_ECDSA_SIG(NULL, &at, (long)size);
  }
  if (raw != NULL) {
    good = BN_bn2binpad(ECDSA_SIG_get0_r(raw), signature, 32) == 32 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(raw), signature + 32, 32) == 32;
  }
  ECDSA_SIG_free(raw);
  EVP_PKEY_CTX_free(context);
  return good ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

static int own_agree(void* ctx, const uint8_t point[COVEY_POINT_BYTES],
                     uint8_t secret[COVEY_DIGEST_BYTES]) {
  covey_public_key_t peer;
  EVP_PKEY* other;
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_pkey(NULL, (EVP_PKEY*)ctx, NULL);
  size_t size = COVEY_DIGEST_BYTES;
  bool good;
  memset(&peer, 0, sizeof peer);
  peer.key = point;
  peer.key_size = COVEY_POINT_BYTES;
  other = p256_key(&peer); /* NULL: not on the curve */
  good = other != NULL && context != NULL && EVP_PKEY_derive_init(context) == 1 &&
         EVP_PKEY_derive_set_peer(context, other) == 1 &&
         EVP_PKEY_derive(context, secret, &size) == 1 && size == COVEY_DIGEST_BYTES;
  EVP_PKEY_free(other);
  EVP_PKEY_CTX_free(context);
  return good ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

static int decrypt(void* ctx, const uint8_t key[16], const uint8_t nonce[12], const uint8_t* sealed,
                   size_t size, uint8_t* plain) {
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  uint8_t tag[16];
  int out = 0;
  bool good;
  (void)ctx;
  memcpy(tag, sealed + size, sizeof tag);
  good = cipher != NULL && EVP_DecryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, key, nonce) == 1 &&
         EVP_DecryptUpdate(cipher, plain, &out, sealed, (int)size) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
         EVP_DecryptFinal_ex(cipher, plain + out, &out) == 1;
  EVP_CIPHER_CTX_free(cipher);
  return good ? COVEY_OK : COVEY_ERROR_CRYPTO;
}

covey_device_key_t covey_openssl_device_key(void* key, const covey_store_t* certificate) {
  covey_device_key_t own;
  own.ctx = key;
  own.public_key = own_public_key;
  own.sign = own_sign;
  own.agree = own_agree;
  own.decrypt = decrypt;
  own.certificate = certificate;
  own.manufacturer_certificate = NULL;
  own.manufacturer_certificate_size = 0;
  return own;
}
