/* SPDX-License-Identifier: Apache-2.0 */
/* Crypto of the agent's port by PSA Crypto, as Mbed TLS, TF-PSA-Crypto, Zephyr, ESP-IDF and TF-M
 * bring it: SHA-256, ES256 verification, HMAC-SHA-256 and random bytes by PSA calls alone, which a
 * secure element or a crypto accelerator may serve. No header but psa/crypto.h.
 *
 * Needs: PSA_WANT_ALG_SHA_256, PSA_WANT_ALG_HMAC, PSA_WANT_KEY_TYPE_HMAC, PSA_WANT_ALG_ECDSA,
 * PSA_WANT_ECC_SECP_R1_256, PSA_WANT_KEY_TYPE_ECC_PUBLIC_KEY and PSA_WANT_GENERATE_RANDOM where the
 * implementation is configured by these; in Mbed TLS 2.28 and 3 by MBEDTLS_PSA_CRYPTO_C, SHA256,
 * MD, ECDSA and SECP256R1; a random source and one free key slot. PORTING.md says with which
 * versions it was tried.
 *
 * Thread: the agent's. Two hash operations are static here (112 bytes each in a small Mbed TLS), so
 * there is one agent per program.
 * Errors: verify answers COVEY_ERROR_SIGNATURE_INVALID, COVEY_ERROR_ALGORITHM_UNSUPPORTED or
 * COVEY_ERROR_KEY_UNKNOWN (the key itself is no key); others COVEY_ERROR_CRYPTO. */
#ifndef COVEY_PORT_PSA_H
#define COVEY_PORT_PSA_H

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What `algorithms` of the agent's configuration is with this port. */
#define COVEY_PSA_ALGORITHMS (1U << COVEY_ALGORITHM_ES256)

/* Calls psa_crypto_init(). Errors: CRYPTO. */
int covey_psa_crypto(covey_crypto_t* crypto);

/* The trust anchor of a raw public key (65-byte point); `key` must outlive it. */
void covey_psa_public_key(const uint8_t* key, size_t size, covey_public_key_t* public_key);

/* ---- The device's own key (COVEY_DEVICE_KEY), in psa_device_key.c. It also needs
 * PSA_WANT_ALG_ECDH, PSA_WANT_KEY_TYPE_ECC_KEY_PAIR, PSA_WANT_ALG_GCM, PSA_WANT_KEY_TYPE_AES and
 * two more key slots. */
#define COVEY_PSA_SCALAR_BYTES 32U

/* The same key twice, since one of PSA is for one algorithm: ids (psa_key_id_t) of a key pair of
 * P-256 that may sign hashes by ECDSA, and of one that may agree by ECDH. In a secure element they
 * are made and used there; else covey_psa_load_key. */
typedef struct covey_psa_own_key {
  uint32_t signing;
  uint32_t agreeing;
} covey_psa_own_key_t;

/* A new private key, for whoever keeps it in a store of its own that no debugger reads: at the
 * first start. Errors: CRYPTO. */
int covey_psa_make_scalar(uint8_t scalar[COVEY_PSA_SCALAR_BYTES]);
/* That key as volatile keys of PSA, at each start. Errors: CRYPTO (it is none of P-256, no slots).
 */
int covey_psa_load_key(const uint8_t scalar[COVEY_PSA_SCALAR_BYTES], covey_psa_own_key_t* own);
/* `own` outlives the agent; `certificate` as in covey_device_key_t. */
void covey_psa_device_key(covey_psa_own_key_t* own, const covey_store_t* certificate,
                          covey_device_key_t* key);

#ifdef __cplusplus
}
#endif

#endif
