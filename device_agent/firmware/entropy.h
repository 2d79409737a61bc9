/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes for a board without a TRNG: SHA-256 in counter mode over the provisioned seed and a
 * boot counter in flash, which makes every boot's bytes differ.
 *
 * Only for the emulated board. Whoever knows the seed knows every nonce and boot id of the unit: a
 * real board must put its TRNG behind mbedtls_psa_external_get_random(), or use Mbed TLS's entropy
 * and DRBG. */
#ifndef COVEY_FIRMWARE_ENTROPY_H
#define COVEY_FIRMWARE_ENTROPY_H

#include "covey/flash_store.h"

/* Counts the boot; then psa_generate_random() has bytes. Errors: STORE. */
int entropy_init(const uint8_t seed[32], covey_flash_store_t* boots, uint32_t* boot);

#endif
