/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "flash.h"

static int told(covey_agent_t* a, int port_code, int error) {
  if (port_code == 0) return COVEY_OK;
  a->flash_error = port_code;
  return error;
}

int covey_flash_read(covey_agent_t* a, uint32_t offset, void* into, size_t size) {
  const covey_flash_t* flash = &covey_core_port(a)->flash;
  return told(a, flash->read(flash->ctx, offset, into, size), COVEY_ERROR_FLASH_READ);
}

int covey_flash_write(covey_agent_t* a, uint32_t offset, const void* from, size_t size) {
  const covey_flash_t* flash = &covey_core_port(a)->flash;
  const uint8_t* at = (const uint8_t*)from;
  /* Through a row on the stack: the source may lie in the very flash that is written. */
  uint8_t row[COVEY_ROW_BYTES];
  int code = 0;
  while (size > 0 && code == 0) {
    const size_t used = size < sizeof row ? size : sizeof row;
    memset(row, flash->erased_value, sizeof row);
    memcpy(row, at, used);
    code = flash->write(flash->ctx, offset, row,
                        covey_core_align((uint32_t)used, flash->write_align_bytes));
    at += used;
    size -= used;
    offset += (uint32_t)used;
  }
  return told(a, code, COVEY_ERROR_FLASH_WRITE);
}

int covey_flash_erase(covey_agent_t* a, uint32_t offset, uint32_t size) {
  const covey_flash_t* flash = &covey_core_port(a)->flash;
  const uint32_t end = offset + size;
  int code = 0;
  for (; offset < end && code == 0; offset += flash->erase_unit_bytes) {
    code = flash->erase(flash->ctx, offset);
  }
  return told(a, code, COVEY_ERROR_FLASH_ERASE);
}

bool covey_flash_blank(covey_agent_t* a, uint32_t offset, uint32_t size) {
  const uint8_t erased = covey_core_port(a)->flash.erased_value;
  uint8_t piece[COVEY_ROW_BYTES];
  while (size > 0) {
    const uint32_t n = size < sizeof piece ? size : (uint32_t)sizeof piece;
    uint32_t i;
    if (covey_flash_read(a, offset, piece, n) != 0) return false;
    for (i = 0; i < n; ++i) {
      if (piece[i] != erased) return false;
    }
    offset += n;
    size -= n;
  }
  return true;
}
