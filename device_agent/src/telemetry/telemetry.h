/* SPDX-License-Identifier: Apache-2.0 */
/* Counting what models do, exactly: the hot path, windows on their way to the gateway, and what
 * waits over a reboot. Knows the active model by its slot; not why it is active. The rules that
 * keep the count exact, also while somebody records, are in covey/telemetry.h. */
#ifndef COVEY_SRC_TELEMETRY_H
#define COVEY_SRC_TELEMETRY_H

#include "../core/core.h"
#include "../wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- window.c */
/* May be NULL: that model is not counted. */
void covey_window_reset(covey_telemetry_t* t);

/* ---- stream.c */
/* May another manifest become active without losing a count? */
bool covey_stream_room(covey_agent_t* a, const covey_model_t* m, const uint8_t* manifest);
/* Counts for the active model from now on, under its manifest; or for none. Where somebody is
 * recording just now, poll does it when that is over. */
void covey_stream_switch(covey_agent_t* a, const covey_model_t* m);

/* ---- delivery.c */
/* covey.device.v1.StreamAck */
typedef struct covey_stream_ack {
  const uint8_t* manifest; /* prefix */
  uint64_t bitmap;
  uint32_t cumulative;
} covey_stream_ack_t;
void covey_delivery_step(covey_agent_t* a);
void covey_delivery_connected(covey_agent_t* a);
/* What the gateway has of this boot, or of an earlier one. */
void covey_delivery_ack(covey_agent_t* a, uint64_t boot_id, const covey_stream_ack_t* ack);
/* Nothing that was counted waits, of this boot or of an earlier one. */
bool covey_delivery_drained(const covey_agent_t* a);

/* ---- tables.c */
/* Checks only when `out` is NULL. Errors: TABLES_INVALID. */
int covey_tables_parse(covey_bytes_t message, covey_tables_t* out);

/* ---- outbox.c: what waits, where a loss of power does not reach it */
#if COVEY_OUTBOX
/* Finds what earlier boots left. */
void covey_outbox_open(covey_agent_t* a);
/* Empties all places: what they hold is another identity's. */
void covey_outbox_clear(covey_agent_t* a);
#else
static inline void covey_outbox_open(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_clear(covey_agent_t* a) { (void)a; }
#endif

#ifdef __cplusplus
}
#endif

#endif
