/* SPDX-License-Identifier: Apache-2.0 */
#include "row.h"

#define ROW_TAG 0x43565300U /* "CVS", then the key */
COVEY_STATIC_ASSERT(sizeof(covey_row_t) == COVEY_ROW_BYTES);

static uint32_t crc_of(const covey_row_t* row) {
  return covey_bytes_crc32((const uint8_t*)row, offsetof(covey_row_t, crc));
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
