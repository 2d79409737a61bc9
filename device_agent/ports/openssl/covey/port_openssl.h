/* SPDX-License-Identifier: Apache-2.0 */
/* Crypto of the agent's port by OpenSSL 3: SHA-256, HMAC-SHA-256, ES256 and Ed25519 verification,
 * random bytes. No state: any number of agents in any threads may share it.
 * Errors: verify answers COVEY_ERROR_SIGNATURE_INVALID, COVEY_ERROR_ALGORITHM_UNSUPPORTED or
 * COVEY_ERROR_KEY_UNKNOWN (the key itself is no key). */
#ifndef COVEY_PORT_OPENSSL_H
#define COVEY_PORT_OPENSSL_H

#include "covey/port.h"

#ifdef __cplusplus
extern "C" {
#endif

covey_crypto_t covey_openssl_crypto(void);

/* The trust anchor of a raw public key (65-byte point or 32 bytes); `key` must outlive it. */
covey_public_key_t covey_openssl_public_key(uint32_t algorithm, const uint8_t* key, size_t size);

/* The device's own key (COVEY_DEVICE_KEY): `key` is an EVP_PKEY* of P-256 that outlives the agent;
 * `certificate` as in covey_device_key_t. */
covey_device_key_t covey_openssl_device_key(void* key, const covey_store_t* certificate);

#ifdef __cplusplus
}
#endif

#endif
