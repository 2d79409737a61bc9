/* SPDX-License-Identifier: Apache-2.0 */
#include "own_key.h"

#include "covey/error.h"
#include "covey/flash_store.h"

static struct {
  covey_flash_store_t key_store;
  covey_flash_store_t certificate_store;
  covey_store_t certificates;
  covey_psa_own_key_t key;
  covey_device_key_t port;
  uint8_t scalar[COVEY_PSA_SCALAR_BYTES];
  uint8_t certificate[COVEY_CERTIFICATE_BYTES_MAX];
} own;

/* Kept before it is used: a unit that names a key has it after a power cut, too. */
static int make(const covey_store_t* keys) {
  const int error = covey_psa_make_scalar(own.scalar);
  if (error != COVEY_OK) return error;
  return keys->write(keys->ctx, own.scalar, sizeof own.scalar) == 0 ? COVEY_OK : COVEY_ERROR_STORE;
}

int own_key_open(const covey_flash_t* flash, uint32_t key_offset, uint32_t certificate_offset,
                 bool certificate) {
  const uint32_t unit = flash->erase_unit_bytes;
  covey_store_t keys;
  int error = covey_flash_store_open(&own.key_store, flash, key_offset, unit);
  if (error == COVEY_OK) {
    error = covey_flash_store_open(&own.certificate_store, flash, certificate_offset, unit);
  }
  if (error != COVEY_OK) return error;
  keys = covey_flash_store_port(&own.key_store);
  own.certificates = covey_flash_store_port(&own.certificate_store);
  if (keys.read(keys.ctx, own.scalar, sizeof own.scalar) != (int)sizeof own.scalar) {
    error = make(&keys);
    if (error != COVEY_OK) return error;
  }
  error = covey_psa_load_key(own.scalar, &own.key);
  if (error != COVEY_OK) return error;
  covey_psa_device_key(&own.key, certificate ? &own.certificates : NULL, &own.port);
  return COVEY_OK;
}

const covey_device_key_t* own_key_port(void) { return &own.port; }

const uint8_t* own_key_scalar(void) { return own.scalar; }

size_t own_key_certificate(const uint8_t** der) {
  int size = 0;
  if (own.port.certificate != NULL) {
    size = own.certificates.read(own.certificates.ctx, own.certificate, sizeof own.certificate);
  }
  *der = own.certificate;
  return size > 0 ? (size_t)size : 0;
}
