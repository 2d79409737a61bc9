/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include "covey/error.h"

static board_stream_t open_stream;

int stream_init(const provisioning_t* unit) {
  (void)unit;
  return COVEY_OK;
}

void stream_open(board_stream_t stream) { open_stream = stream; }

stream_state_t stream_step(void) { return STREAM_OPEN; }

size_t stream_write(const uint8_t* bytes, size_t size) {
  return board_write(open_stream, bytes, size);
}

size_t stream_read(uint8_t* bytes, size_t capacity) {
  return board_read(open_stream, bytes, capacity);
}

bool stream_shows_certificate(void) { return false; }
