/* SPDX-License-Identifier: Apache-2.0 */
/* Who needs how much stack: the test image's measurement. The stack is painted anew around every
 * call into somebody else's code, and a line is logged whenever one of the parts needed more than
 * before. Costs time that a product does not have. Thread: the main loop. */
#ifndef COVEY_FIRMWARE_STACK_WATCH_H
#define COVEY_FIRMWARE_STACK_WATCH_H

#include "covey/port.h"

/* Agent, MQTT client, drivers and the application; with their callers' frames, the code of: */
typedef enum stack_part { STACK_AGENT = 0, STACK_CRYPTO = 1, STACK_RUNTIME = 2 } stack_part_t;
#define STACK_PARTS 3

/* What runs from here on belongs to `part`; returns whose it was. */
stack_part_t stack_watch_enter(stack_part_t part);

/* Puts the watch in front of every function of `crypto`. Once. */
void stack_watch_crypto(covey_crypto_t* crypto);

#endif
