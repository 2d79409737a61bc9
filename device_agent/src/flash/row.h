/* SPDX-License-Identifier: Apache-2.0 */
/* A row of state, in the journal or in a slot, as it is in memory: only this device reads it. For
 * the files of this folder. */
#ifndef COVEY_SRC_ROW_H
#define COVEY_SRC_ROW_H

#include "flash.h"

typedef struct covey_row {
  uint32_t tag; /* magic, version and key */
  uint32_t value;
  union {
    covey_model_goal_t goal;
    struct {
      uint32_t goal_counter[2];
      uint32_t site_epoch;
      covey_model_record_t state;
    } record;
    uint8_t room[52];
  } payload;
  uint32_t crc; /* of all before it */
} covey_row_t;

#define COVEY_ROW_HEADER 0x80 /* keys; those below are the journal's */
#define COVEY_ROW_ERASED 0x81 /* all that the image needs was erased */
#define COVEY_ROW_TABLES 0x82
/* Writes with this key and reads back: afterwards `row` is what was read. */
int covey_row_write(covey_agent_t* a, uint32_t offset, uint8_t key, covey_row_t* row);
/* Returns the key; negative: torn, foreign or unreadable. */
int covey_row_read(covey_agent_t* a, uint32_t offset, covey_row_t* row);

#endif
