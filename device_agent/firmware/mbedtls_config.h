/* SPDX-License-Identifier: Apache-2.0 */
/* Mbed TLS 2.28 for the firmware: what device_agent/ports/psa needs and nothing else. Small rather
 * than fast: a signature is checked once per release. */
#ifndef COVEY_FIRMWARE_MBEDTLS_CONFIG_H
#define COVEY_FIRMWARE_MBEDTLS_CONFIG_H

#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG /* entropy.c */
#ifndef MBEDTLS_PSA_KEY_SLOT_COUNT
#define MBEDTLS_PSA_KEY_SLOT_COUNT 2
#endif

#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_MD_C

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_WINDOW_SIZE 2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_ECP_NO_INTERNAL_RNG /* verification has no secrets to blind */
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ASN1_PARSE_C /* what ECDSA's configuration check asks for */
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_MPI_WINDOW_SIZE 1
#define MBEDTLS_MPI_MAX_SIZE 48

/* No heap of the C library: main.c gives Mbed TLS a buffer. */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_NO_STD_FUNCTIONS
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#define MBEDTLS_PLATFORM_EXIT_MACRO crypto_heap_corrupt
void crypto_heap_corrupt(int code); /* main.c */
#define MBEDTLS_HAVE_ASM

#include "mbedtls/check_config.h"

#endif
