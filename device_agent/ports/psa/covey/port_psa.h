/* SPDX-License-Identifier: Apache-2.0 */
/* Crypto of the agent's port by PSA Crypto, as Mbed TLS 2.28 and later, Zephyr, ESP-IDF and TF-M
 * bring it: ES256 verification, HMAC-SHA-256 and random bytes by PSA calls, which a secure element
 * or a crypto accelerator may serve. SHA-256 is Mbed TLS's own: the agent may abandon a hash, and a
 * psa_hash_operation_t can hold a resource elsewhere.
 *
 * Needs in the Mbed TLS configuration: MBEDTLS_PSA_CRYPTO_C, SHA256, MD, ECDSA and SECP256R1, a
 * random source (entropy and DRBG, or MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG) and one free key slot.
 * Thread: the agent's; no state of its own.
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

#ifdef __cplusplus
}
#endif

#endif
