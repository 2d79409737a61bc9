/* SPDX-License-Identifier: Apache-2.0 */
#include "entropy.h"

#include <mbedtls/sha256.h>
#include <psa/crypto.h>
#include <stdbool.h>
#include <string.h>

#include "covey/error.h"

static struct {
  uint8_t seed[32];
  uint32_t boot;
  uint32_t block;
  bool ready;
} entropy;

int entropy_init(const uint8_t seed[32], covey_flash_store_t* boots, uint32_t* boot) {
  const covey_store_t store = covey_flash_store_port(boots);
  uint32_t count = 0;
  const int size = store.read(store.ctx, (uint8_t*)&count, sizeof count);
  if (size != 0 && size != (int)sizeof count) return COVEY_ERROR_STORE;
  ++count;
  if (store.write(store.ctx, (const uint8_t*)&count, sizeof count) != 0) return COVEY_ERROR_STORE;
  memcpy(entropy.seed, seed, sizeof entropy.seed);
  entropy.boot = count;
  entropy.block = 0;
  entropy.ready = true;
  *boot = count;
  return COVEY_OK;
}

/* What Mbed TLS asks (MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG). */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t* context,
                                             uint8_t* output, size_t output_size,
                                             size_t* output_length) {
  uint8_t digest[32];
  size_t at = 0;
  (void)context;
  if (!entropy.ready) return PSA_ERROR_INSUFFICIENT_ENTROPY;
  while (at < output_size) {
    const size_t n = output_size - at < sizeof digest ? output_size - at : sizeof digest;
    ++entropy.block;
    if (mbedtls_sha256_ret((const unsigned char*)&entropy, 40, digest, 0) != 0) {
      return PSA_ERROR_GENERIC_ERROR;
    }
    memcpy(output + at, digest, n);
    at += n;
  }
  *output_length = output_size;
  return PSA_SUCCESS;
}
