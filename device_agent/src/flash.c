#include "internal.h"

static int failed(covey_agent_t* a, int port_code, int error) {
  a->flash_error = port_code;
  return error;
}

int covey_flash_read(covey_agent_t* a, uint32_t offset, void* into, size_t size) {
  const covey_flash_t* flash = &covey_port(a)->flash;
  const int code = flash->read(flash->ctx, offset, into, size);
  return code == 0 ? COVEY_OK : failed(a, code, COVEY_ERROR_FLASH_READ);
}

int covey_flash_write(covey_agent_t* a, uint32_t offset, const void* from, size_t size) {
  const covey_flash_t* flash = &covey_port(a)->flash;
  const uint8_t* at = (const uint8_t*)from;
  const size_t unit = flash->write_align_bytes;
  /* Through a row on the stack: the source may lie in the very flash that is written. */
  uint8_t row[COVEY_ROW_BYTES];
  while (size > 0) {
    const size_t used = size < sizeof row ? size : sizeof row;
    const size_t padded = (used + unit - 1) / unit * unit;
    size_t begin = 0;
    size_t i;
    int code = 0;
    memset(row, flash->erased_value, sizeof row);
    memcpy(row, at, used);
    /* Runs of units that are not all erased. */
    for (i = 0; i <= padded && code == 0; i += unit) {
      size_t k = 0;
      while (i < padded && k < unit && row[i + k] == flash->erased_value) ++k;
      if (i < padded && k < unit) continue;
      if (i > begin)
        code = flash->write(flash->ctx, offset + (uint32_t)begin, row + begin, i - begin);
      begin = i + unit;
    }
    if (code != 0) return failed(a, code, COVEY_ERROR_FLASH_WRITE);
    at += used;
    size -= used;
    offset += (uint32_t)used;
  }
  return COVEY_OK;
}

int covey_flash_erase(covey_agent_t* a, uint32_t offset, uint32_t size) {
  const covey_flash_t* flash = &covey_port(a)->flash;
  const uint32_t end = offset + size;
  for (; offset < end; offset += flash->erase_unit_bytes) {
    const int code = flash->erase(flash->ctx, offset);
    if (code != 0) return failed(a, code, COVEY_ERROR_FLASH_ERASE);
  }
  return COVEY_OK;
}

int covey_flash_blank(covey_agent_t* a, uint32_t offset, uint32_t size, bool* blank) {
  const uint8_t erased = covey_port(a)->flash.erased_value;
  uint8_t row[COVEY_ROW_BYTES];
  *blank = true;
  while (size > 0 && *blank) {
    const uint32_t n = size < sizeof row ? size : (uint32_t)sizeof row;
    const int error = covey_flash_read(a, offset, row, n);
    uint32_t i;
    if (error != 0) return error;
    for (i = 0; i < n; ++i) *blank = *blank && row[i] == erased;
    offset += n;
    size -= n;
  }
  return COVEY_OK;
}

int covey_flash_hash(covey_agent_t* a, covey_hash_t* hash, uint32_t offset, uint32_t size) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
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

int covey_flash_digest(covey_agent_t* a, uint32_t offset, uint32_t size,
                       uint8_t digest[COVEY_DIGEST_BYTES]) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  covey_hash_t hash;
  int error;
  crypto->hash_begin(crypto->ctx, &hash);
  error = covey_flash_hash(a, &hash, offset, size);
  crypto->hash_finish(crypto->ctx, &hash, digest);
  return error;
}

bool covey_flash_matches(covey_agent_t* a, uint32_t offset, uint32_t size, const uint8_t* digest) {
  uint8_t found[COVEY_DIGEST_BYTES];
  return covey_flash_digest(a, offset, size, found) == 0 && covey_digest_equal(found, digest);
}

void covey_digest(const covey_agent_t* a, const void* bytes, size_t size,
                  uint8_t digest[COVEY_DIGEST_BYTES]) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  covey_hash_t hash;
  crypto->hash_begin(crypto->ctx, &hash);
  crypto->hash_update(crypto->ctx, &hash, bytes, size);
  crypto->hash_finish(crypto->ctx, &hash, digest);
}
