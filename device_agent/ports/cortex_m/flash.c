/* SPDX-License-Identifier: Apache-2.0 */
/* NOR rules over memory that takes plain stores: erase gives ones, programming only clears bits. */
#include <string.h>

#include "covey/error.h"
#include "covey/port_cortex_m.h"

#define ERASED 0xffU

static bool outside(const covey_mapped_flash_t* flash, uint32_t offset, size_t size) {
  return offset > flash->size_bytes || size > flash->size_bytes - offset;
}

static int flash_read(void* ctx, uint32_t offset, void* into, size_t size) {
  const covey_mapped_flash_t* flash = (const covey_mapped_flash_t*)ctx;
  if (outside(flash, offset, size)) return COVEY_ERROR_FLASH_READ;
  memcpy(into, (const uint8_t*)flash->base + offset, size);
  return COVEY_OK;
}

/* Word by word, so that a power cut tears between words, as it does in a real part. */
static int flash_write(void* ctx, uint32_t offset, const void* from, size_t size) {
  covey_mapped_flash_t* flash = (covey_mapped_flash_t*)ctx;
  const uint8_t* bytes = (const uint8_t*)from;
  size_t at;
  if (outside(flash, offset, size) || offset % flash->write_align_bytes != 0 ||
      size % flash->write_align_bytes != 0) {
    return COVEY_ERROR_FLASH_WRITE;
  }
  for (at = 0; at < size; at += 4) {
    volatile uint32_t* word = (volatile uint32_t*)(volatile void*)(flash->base + offset + at);
    uint32_t value;
    memcpy(&value, bytes + at, 4);
    if (*word != UINT32_MAX) ++flash->overwritten;
    *word &= value;
    if (*word != value) return COVEY_ERROR_FLASH_WRITE;
  }
  return COVEY_OK;
}

static int flash_erase(void* ctx, uint32_t offset) {
  covey_mapped_flash_t* flash = (covey_mapped_flash_t*)ctx;
  uint32_t at;
  if (outside(flash, offset, flash->erase_unit_bytes) || offset % flash->erase_unit_bytes != 0) {
    return COVEY_ERROR_FLASH_ERASE;
  }
  for (at = 0; at < flash->erase_unit_bytes; at += 4) {
    *(volatile uint32_t*)(volatile void*)(flash->base + offset + at) = UINT32_MAX;
  }
  return COVEY_OK;
}

covey_flash_t covey_mapped_flash_port(covey_mapped_flash_t* flash) {
  covey_flash_t port;
  port.ctx = flash;
  port.size_bytes = flash->size_bytes;
  port.erase_unit_bytes = flash->erase_unit_bytes;
  port.write_align_bytes = flash->write_align_bytes;
  port.erased_value = ERASED;
  port.xip_base = (const uint8_t*)flash->base;
  port.read = flash_read;
  port.write = flash_write;
  port.erase = flash_erase;
  return port;
}
