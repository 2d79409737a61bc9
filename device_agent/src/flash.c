#include "internal.h"

#define ROW_TAG 0x43565300U /* "CVS", then the key */
COVEY_STATIC_ASSERT(sizeof(covey_row_t) == COVEY_ROW_BYTES);

static int told(covey_agent_t* a, int port_code, int error) {
  if (port_code == 0) return COVEY_OK;
  a->flash_error = port_code;
  return error;
}

int covey_flash_read(covey_agent_t* a, uint32_t offset, void* into, size_t size) {
  const covey_flash_t* flash = &covey_port(a)->flash;
  return told(a, flash->read(flash->ctx, offset, into, size), COVEY_ERROR_FLASH_READ);
}

int covey_flash_write(covey_agent_t* a, uint32_t offset, const void* from, size_t size) {
  const covey_flash_t* flash = &covey_port(a)->flash;
  const uint8_t* at = (const uint8_t*)from;
  /* Through a row on the stack: the source may lie in the very flash that is written. */
  uint8_t row[COVEY_ROW_BYTES];
  int code = 0;
  while (size > 0 && code == 0) {
    const size_t used = size < sizeof row ? size : sizeof row;
    memset(row, flash->erased_value, sizeof row);
    memcpy(row, at, used);
    code = flash->write(flash->ctx, offset, row,
                        covey_align((uint32_t)used, flash->write_align_bytes));
    at += used;
    size -= used;
    offset += (uint32_t)used;
  }
  return told(a, code, COVEY_ERROR_FLASH_WRITE);
}

int covey_flash_erase(covey_agent_t* a, uint32_t offset, uint32_t size) {
  const covey_flash_t* flash = &covey_port(a)->flash;
  const uint32_t end = offset + size;
  int code = 0;
  for (; offset < end && code == 0; offset += flash->erase_unit_bytes) {
    code = flash->erase(flash->ctx, offset);
  }
  return told(a, code, COVEY_ERROR_FLASH_ERASE);
}

int covey_flash_hash(covey_agent_t* a, covey_hash_t* hash, uint32_t offset, uint32_t size) {
  const covey_port_t* port = covey_port(a);
  uint8_t piece[128];
  while (size > 0) {
    const uint32_t n = size < sizeof piece ? size : (uint32_t)sizeof piece;
    const int error = covey_flash_read(a, offset, piece, n);
    uint32_t i;
    if (error != 0) return error;
    if (hash != NULL) port->crypto.hash_update(port->crypto.ctx, hash, piece, n);
    for (i = 0; hash == NULL && i < n; ++i) {
      if (piece[i] != port->flash.erased_value) return 1;
    }
    offset += n;
    size -= n;
  }
  return COVEY_OK;
}

/* Of bytes in memory, or, NULL, in flash. */
static int digest_of(covey_agent_t* a, const void* bytes, uint32_t offset, uint32_t size,
                     uint8_t digest[COVEY_DIGEST_BYTES]) {
  const covey_crypto_t* crypto = &covey_port(a)->crypto;
  covey_hash_t hash;
  int error = COVEY_OK;
  crypto->hash_begin(crypto->ctx, &hash);
  if (bytes != NULL) {
    crypto->hash_update(crypto->ctx, &hash, bytes, size);
  } else {
    error = covey_flash_hash(a, &hash, offset, size);
  }
  crypto->hash_finish(crypto->ctx, &hash, digest);
  return error;
}

bool covey_flash_matches(covey_agent_t* a, const covey_section_t* section, size_t digest_size) {
  uint8_t found[COVEY_DIGEST_BYTES];
  return digest_of(a, NULL, section->at, section->size, found) == 0 &&
         memcmp(found, section->digest, digest_size) == 0;
}

void covey_digest(covey_agent_t* a, const void* bytes, size_t size,
                  uint8_t digest[COVEY_DIGEST_BYTES]) {
  (void)digest_of(a, bytes, 0, (uint32_t)size, digest);
}

static uint32_t crc_of(const covey_row_t* row) {
  return covey_crc32((const uint8_t*)row, offsetof(covey_row_t, crc));
}

int covey_row_write(covey_agent_t* a, uint32_t offset, uint8_t key, covey_row_t* row) {
  int error;
  row->tag = ROW_TAG | key;
  row->crc = crc_of(row);
  error = covey_flash_write(a, offset, row, sizeof *row);
  if (error == 0 && covey_row_read(a, offset, row) != key) error = COVEY_ERROR_FLASH_WRITE;
  return error;
}

int covey_row_read(covey_agent_t* a, uint32_t offset, covey_row_t* row) {
  if (covey_flash_read(a, offset, row, sizeof *row) != 0 || row->crc != crc_of(row) ||
      (row->tag ^ ROW_TAG) > UINT8_MAX) {
    return -1;
  }
  return (int)(row->tag ^ ROW_TAG);
}
