/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "flash.h"

int covey_digest_add(covey_agent_t* a, covey_hash_t* hash, uint32_t offset, uint32_t size) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  uint8_t piece[128];
  while (size > 0) {
    const uint32_t n = size < sizeof piece ? size : (uint32_t)sizeof piece;
    const int error = covey_flash_read(a, offset, piece, n);
    if (error != 0) return error;
    crypto->hash_update(crypto->ctx, hash, piece, n);
    offset += n;
    size -= n;
  }
  return COVEY_OK;
}

/* Of bytes in memory, or, NULL, in flash. */
static int digest_of(covey_agent_t* a, const void* bytes, uint32_t offset, uint32_t size,
                     uint8_t digest[COVEY_DIGEST_BYTES]) {
  const covey_crypto_t* crypto = &covey_core_port(a)->crypto;
  covey_hash_t hash;
  int error = COVEY_OK;
  crypto->hash_begin(crypto->ctx, &hash);
  if (bytes != NULL) {
    crypto->hash_update(crypto->ctx, &hash, bytes, size);
  } else {
    error = covey_digest_add(a, &hash, offset, size);
  }
  crypto->hash_finish(crypto->ctx, &hash, digest);
  return error;
}

bool covey_digest_matches(covey_agent_t* a, const covey_section_t* section, size_t digest_size) {
  uint8_t found[COVEY_DIGEST_BYTES];
  return digest_of(a, NULL, section->at, section->size, found) == 0 &&
         memcmp(found, section->digest, digest_size) == 0;
}

void covey_digest_of(covey_agent_t* a, const void* bytes, size_t size,
                     uint8_t digest[COVEY_DIGEST_BYTES]) {
  (void)digest_of(a, bytes, 0, (uint32_t)size, digest);
}
