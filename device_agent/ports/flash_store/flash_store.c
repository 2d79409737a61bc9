#include "covey/flash_store.h"

#include <string.h>

#include "covey/error.h"

#define MAGIC 0x31534643U /* "CFS1" */
#define HEAD_BYTES 12U
#define TAIL_BYTES 4U
/* The largest record, padded to the largest write unit. */
#define RECORD_BYTES_MAX ((HEAD_BYTES + COVEY_STORE_BYTES_MAX + TAIL_BYTES + 63U) / 64U * 64U)

static uint32_t load32(const uint8_t* at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void store32(uint8_t* at, uint32_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
  at[2] = (uint8_t)(value >> 16);
  at[3] = (uint8_t)(value >> 24);
}

/* CRC-32 (IEEE 802.3), bit by bit: records are small and rare. */
static uint32_t crc32(const uint8_t* bytes, size_t size) {
  uint32_t crc = 0xffffffffU;
  size_t i;
  int bit;
  for (i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

static uint32_t padded(const covey_flash_t* flash, uint32_t size) {
  const uint32_t unit = flash->write_align_bytes;
  return (HEAD_BYTES + size + TAIL_BYTES + unit - 1) / unit * unit;
}

/* Reads the record at `at`; its padded size, or 0 when there is no whole one. */
static uint32_t read_record(const covey_flash_store_t* store, uint32_t at, uint32_t end,
                            uint8_t* record) {
  const covey_flash_t* flash = store->flash;
  uint32_t size;
  if (end - at < HEAD_BYTES + TAIL_BYTES || flash->read(flash->ctx, at, record, HEAD_BYTES) != 0) {
    return 0;
  }
  size = (uint32_t)record[8] | (uint32_t)record[9] << 8;
  if (load32(record) != MAGIC || size > COVEY_STORE_BYTES_MAX || padded(flash, size) > end - at ||
      flash->read(flash->ctx, at + HEAD_BYTES, record + HEAD_BYTES, size + TAIL_BYTES) != 0 ||
      crc32(record, HEAD_BYTES + size) != load32(record + HEAD_BYTES + size)) {
    return 0;
  }
  return padded(flash, size);
}

int covey_flash_store_open(covey_flash_store_t* store, const covey_flash_t* flash,
                           uint32_t offset) {
  const uint32_t unit = flash->erase_unit_bytes;
  uint8_t record[RECORD_BYTES_MAX];
  uint32_t area;
  if (unit == 0 || offset % unit != 0 || padded(flash, COVEY_STORE_BYTES_MAX) > unit ||
      offset > flash->size_bytes || 2 * unit > flash->size_bytes - offset) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  memset(store, 0, sizeof *store);
  store->flash = flash;
  store->offset = offset;
  for (area = 0; area < 2; ++area) {
    const uint32_t end = offset + (area + 1) * unit;
    uint32_t at = offset + area * unit;
    uint32_t size;
    while (at < end && (size = read_record(store, at, end, record)) != 0) {
      if (load32(record + 4) > store->generation) {
        store->generation = load32(record + 4);
        store->at = at;
      }
      at += size;
    }
  }
  return COVEY_OK;
}

static int store_read(void* ctx, uint8_t* into, size_t capacity) {
  const covey_flash_store_t* store = (const covey_flash_store_t*)ctx;
  const uint32_t unit = store->flash->erase_unit_bytes;
  uint8_t record[RECORD_BYTES_MAX];
  uint32_t size;
  if (store->generation == 0) return 0;
  if (read_record(store, store->at, store->at / unit * unit + unit, record) == 0) {
    return COVEY_ERROR_FLASH_READ;
  }
  size = (uint32_t)record[8] | (uint32_t)record[9] << 8;
  if (size > capacity) return COVEY_ERROR_STORE;
  memcpy(into, record + HEAD_BYTES, size);
  return (int)size;
}

static int store_write(void* ctx, const uint8_t* from, size_t size) {
  covey_flash_store_t* store = (covey_flash_store_t*)ctx;
  const covey_flash_t* flash = store->flash;
  const uint32_t unit = flash->erase_unit_bytes;
  uint8_t record[RECORD_BYTES_MAX];
  uint8_t check[RECORD_BYTES_MAX];
  uint32_t at = store->next;
  uint32_t bytes;
  int error;
  if (size > COVEY_STORE_BYTES_MAX) return COVEY_ERROR_STORE;
  bytes = padded(flash, (uint32_t)size);
  if (at == 0 || at % unit == 0 || bytes > unit - at % unit) {
    /* The other area; the newest record stays where it is until the new one is whole. */
    at = store->offset;
    if (store->generation != 0 && store->at < store->offset + unit) at += unit;
    error = flash->erase(flash->ctx, at);
    if (error != 0) return error;
  }
  memset(record, flash->erased_value, sizeof record);
  store32(record, MAGIC);
  store32(record + 4, store->generation + 1);
  store32(record + 8, (uint32_t)size);
  if (size != 0) memcpy(record + HEAD_BYTES, from, size);
  store32(record + HEAD_BYTES + size, crc32(record, HEAD_BYTES + size));
  store->next = 0; /* whatever happens now, this place was touched */
  error = flash->write(flash->ctx, at, record, bytes);
  if (error != 0) return error;
  if (read_record(store, at, at / unit * unit + unit, check) == 0 ||
      memcmp(check, record, HEAD_BYTES + size) != 0) {
    return COVEY_ERROR_FLASH_WRITE;
  }
  ++store->generation;
  store->at = at;
  store->next = at + bytes;
  return COVEY_OK;
}

covey_store_t covey_flash_store_port(covey_flash_store_t* store) {
  covey_store_t port;
  port.ctx = store;
  port.read = store_read;
  port.write = store_write;
  return port;
}
