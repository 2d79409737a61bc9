/* SPDX-License-Identifier: Apache-2.0 */
#include "covey/flash_store.h"

#include <stdbool.h>
#include <string.h>

#include "covey/error.h"

#define MAGIC 0x31534643U /* "CFS1" */
#define HEAD_BYTES 12U
#define TAIL_BYTES 4U
#define ROW_BYTES 64U /* the largest write unit: records are written and read by it */

static uint32_t load32(const uint8_t* at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void store32(uint8_t* at, uint32_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
  at[2] = (uint8_t)(value >> 16);
  at[3] = (uint8_t)(value >> 24);
}

/* CRC-32 (IEEE 802.3), bit by bit: records are small and rare. Begins with, and gives, what
 * crc_end() makes the sum of. */
#define CRC_BEGIN 0xffffffffU
static uint32_t crc_add(uint32_t crc, const uint8_t* bytes, size_t size) {
  size_t i;
  int bit;
  for (i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return crc;
}

static uint32_t crc_end(uint32_t crc) { return ~crc; }

uint32_t covey_flash_store_record_bytes(const covey_flash_t* flash, uint32_t size) {
  const uint32_t unit = flash->write_align_bytes;
  return (HEAD_BYTES + size + TAIL_BYTES + unit - 1) / unit * unit;
}

static uint32_t area_end(const covey_flash_store_t* store, uint32_t at) {
  const uint32_t second = store->offset + store->area_bytes;
  return at < second ? second : second + store->area_bytes;
}

/* Whether there is a whole record at `at`, and its head. */
static bool read_record(const covey_flash_store_t* store, uint32_t at, uint8_t head[HEAD_BYTES]) {
  const covey_flash_t* flash = store->flash;
  const uint32_t room = area_end(store, at) - at;
  uint8_t piece[ROW_BYTES];
  uint32_t crc;
  uint32_t left;
  if (room < HEAD_BYTES + TAIL_BYTES || flash->read(flash->ctx, at, head, HEAD_BYTES) != 0 ||
      load32(head) != MAGIC) {
    return false;
  }
  left = (uint32_t)head[8] | (uint32_t)head[9] << 8;
  if (covey_flash_store_record_bytes(flash, left) > room) return false;
  crc = crc_add(CRC_BEGIN, head, HEAD_BYTES);
  at += HEAD_BYTES;
  while (left > 0) {
    const uint32_t size = left < ROW_BYTES ? left : ROW_BYTES;
    if (flash->read(flash->ctx, at, piece, size) != 0) return false;
    crc = crc_add(crc, piece, size);
    at += size;
    left -= size;
  }
  return flash->read(flash->ctx, at, piece, TAIL_BYTES) == 0 && load32(piece) == crc_end(crc);
}

int covey_flash_store_open(covey_flash_store_t* store, const covey_flash_t* flash, uint32_t offset,
                           uint32_t area_bytes) {
  const uint32_t unit = flash->erase_unit_bytes;
  uint8_t head[HEAD_BYTES];
  uint32_t area;
  if (unit == 0 || offset % unit != 0 || area_bytes == 0 || area_bytes % unit != 0 ||
      flash->write_align_bytes > ROW_BYTES ||
      covey_flash_store_record_bytes(flash, COVEY_STORE_BYTES_MAX) > area_bytes ||
      offset > flash->size_bytes || area_bytes > (flash->size_bytes - offset) / 2) {
    return COVEY_ERROR_FLASH_GEOMETRY;
  }
  memset(store, 0, sizeof *store);
  store->flash = flash;
  store->offset = offset;
  store->area_bytes = area_bytes;
  for (area = 0; area < 2; ++area) {
    const uint32_t end = offset + (area + 1) * area_bytes;
    uint32_t at = offset + area * area_bytes;
    while (at < end && read_record(store, at, head)) {
      if (load32(head + 4) > store->generation) {
        store->generation = load32(head + 4);
        store->at = at;
      }
      at += covey_flash_store_record_bytes(flash, (uint32_t)head[8] | (uint32_t)head[9] << 8);
    }
  }
  return COVEY_OK;
}

static int store_read(void* ctx, uint8_t* into, size_t capacity) {
  const covey_flash_store_t* store = (const covey_flash_store_t*)ctx;
  const covey_flash_t* flash = store->flash;
  uint8_t head[HEAD_BYTES];
  uint32_t size;
  if (store->generation == 0) return 0;
  if (!read_record(store, store->at, head)) return COVEY_ERROR_FLASH_READ;
  size = (uint32_t)head[8] | (uint32_t)head[9] << 8;
  if (size > capacity) return COVEY_ERROR_STORE;
  if (size != 0 && flash->read(flash->ctx, store->at + HEAD_BYTES, into, size) != 0) {
    return COVEY_ERROR_FLASH_READ;
  }
  return (int)size;
}

/* The `count` bytes of the record from `begin` on; behind its end the erased value. */
static void record_piece(const uint8_t head[HEAD_BYTES], const uint8_t* from, uint32_t size,
                         const uint8_t tail[TAIL_BYTES], uint32_t begin, uint8_t* into,
                         uint32_t count) {
  uint32_t i;
  for (i = begin; i < begin + count; ++i, ++into) {
    if (i < HEAD_BYTES) {
      *into = head[i];
    } else if (i < HEAD_BYTES + size) {
      *into = from[i - HEAD_BYTES];
    } else if (i < HEAD_BYTES + size + TAIL_BYTES) {
      *into = tail[i - HEAD_BYTES - size];
    }
  }
}

static int write_record(const covey_flash_t* flash, uint32_t at, const uint8_t head[HEAD_BYTES],
                        const uint8_t* from, uint32_t size) {
  const uint32_t bytes = covey_flash_store_record_bytes(flash, size);
  uint8_t tail[TAIL_BYTES];
  uint32_t done;
  store32(tail, crc_end(crc_add(crc_add(CRC_BEGIN, head, HEAD_BYTES), from, size)));
  for (done = 0; done < bytes; done += ROW_BYTES) {
    const uint32_t count = bytes - done < ROW_BYTES ? bytes - done : ROW_BYTES;
    uint8_t row[ROW_BYTES];
    int error;
    memset(row, flash->erased_value, sizeof row);
    record_piece(head, from, size, tail, done, row, count);
    error = flash->write(flash->ctx, at + done, row, count);
    if (error != 0) return error;
  }
  return COVEY_OK;
}

static int erase_area(const covey_flash_store_t* store, uint32_t begin) {
  const covey_flash_t* flash = store->flash;
  uint32_t at;
  int error = COVEY_OK;
  for (at = begin; at < begin + store->area_bytes && error == 0; at += flash->erase_unit_bytes) {
    error = flash->erase(flash->ctx, at);
  }
  return error;
}

static int store_write(void* ctx, const uint8_t* from, size_t size) {
  covey_flash_store_t* store = (covey_flash_store_t*)ctx;
  const covey_flash_t* flash = store->flash;
  uint8_t head[HEAD_BYTES];
  uint32_t at = store->next;
  uint32_t bytes;
  int error;
  if (size > UINT16_MAX) return COVEY_ERROR_STORE;
  bytes = covey_flash_store_record_bytes(flash, (uint32_t)size);
  if (bytes > store->area_bytes) return COVEY_ERROR_STORE;
  if (at == 0 || bytes > area_end(store, at - 1) - at) {
    /* The other area; the newest record stays where it is until the new one is whole. */
    at = store->offset;
    if (store->generation != 0 && store->at < store->offset + store->area_bytes) {
      at += store->area_bytes;
    }
    store->next = 0;
    error = erase_area(store, at);
    if (error != 0) return error;
  }
  memset(head, 0, sizeof head);
  store32(head, MAGIC);
  store32(head + 4, store->generation + 1);
  store32(head + 8, (uint32_t)size);
  store->next = 0; /* whatever happens now, this place was touched */
  error = write_record(flash, at, head, from, (uint32_t)size);
  if (error != 0) return error;
  if (!read_record(store, at, head) || load32(head + 4) != store->generation + 1) {
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
