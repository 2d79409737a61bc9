/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes between the MQTT client and the board's serial streams: as they are (plain_stream.c),
 * or inside TLS 1.2 (tls_stream.c). An image has one of the two. One connection at a time.
 *
 * Thread: the main loop. */
#ifndef COVEY_FIRMWARE_STREAM_H
#define COVEY_FIRMWARE_STREAM_H

#include <stdbool.h>

#include "board.h"
#include "provisioning.h"

/* Once. COVEY_OK, or a covey error with what is wrong in the log. */
int stream_init(const provisioning_t* unit);

/* A new connection begins on `stream`: nothing of an earlier one is there any more. */
void stream_open(board_stream_t stream);

typedef enum stream_state {
  STREAM_OPENING, /* call stream_step() again when bytes have come */
  STREAM_OPEN,    /* read and write */
  STREAM_FAILED   /* over; why is in the log */
} stream_state_t;
/* Works on the connection until it needs bytes that are not there yet. */
stream_state_t stream_step(void);

/* While STREAM_OPEN: as board_write() and board_read(). */
size_t stream_write(const uint8_t* bytes, size_t size);
size_t stream_read(uint8_t* bytes, size_t capacity);

/* The connection tells by a certificate of the unit who it is. */
bool stream_shows_certificate(void);

/* The most of Mbed TLS's heap that was ever in use, in bytes (main.c). */
size_t crypto_heap_used(void);

#endif
