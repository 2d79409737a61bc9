/* SPDX-License-Identifier: Apache-2.0 */
/* The board as the firmware sees it; mps2_an386.c is the only one. A real board replaces that file,
 * start.c's table of interrupts and the linker script.
 *
 * Thread: the main loop, except where an interrupt is named. */
#ifndef COVEY_FIRMWARE_BOARD_H
#define COVEY_FIRMWARE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "covey/port_cortex_m.h"

/* Two byte streams that a modem in transparent mode would give: each leads to one listener of the
 * broker. */
typedef enum board_stream { BOARD_STREAM_DEVICE = 0, BOARD_STREAM_ENROLL = 1 } board_stream_t;
#define BOARD_STREAMS 2

/* Clocks, serial ports, watchdog (8 s). */
void board_init(void);

/* Since board_init. Must be called once in three minutes, which board_wait sees to. */
uint64_t board_now_us(void);
uint64_t board_now_ms(void);

/* Sleeps until an interrupt, at most wait_ms; returns at once when a stream has received bytes. */
void board_wait(uint32_t wait_ms);

void board_feed_watchdog(void);

/* One byte to the log port; waits for it. */
void board_put(char byte);

/* Takes what the port accepts now; the rest is the caller's. An interrupt ends board_wait when
 * there is room again. */
size_t board_write(board_stream_t stream, const uint8_t* bytes, size_t size);
/* Takes up to `capacity` received bytes. The receiver holds the line when its buffer is full. */
size_t board_read(board_stream_t stream, uint8_t* bytes, size_t capacity);

extern covey_mapped_flash_t board_flash;

/* The most bytes of the stack that were in use at any time since the start, and its size. */
size_t board_stack_used(size_t* size);
/* The same since the last call of this function, which paints the unused stack anew. */
size_t board_stack_mark(void);

/* The interrupts of start.c's table. */
void board_stream_interrupt(void);
void board_timer_interrupt(void);
void board_watchdog_interrupt(void);

#endif
