/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. Order: record, report; window; stream and outbox; delivery.
 */
#ifndef COVEY_SRC_TELEMETRY_PARTS_H
#define COVEY_SRC_TELEMETRY_PARTS_H

#include <string.h>

#include "../flash/flash.h"
#include "../link/link.h"
#include "telemetry.h"

/* ---- record.c */
/* Among all that came and will come, those with the least lots stay. */
void covey_record_keep(covey_samples_t* samples, const covey_sample_t* sample);

/* ---- report.c */
/* The window as a Report, not sealed. */
void covey_report_encode(covey_writer_t* w, uint64_t boot_id, const covey_telemetry_t* t,
                         const covey_window_t* window);

/* ---- window.c */
static inline bool covey_window_is_cell(const covey_window_t* w) {
  return w->merged != 0 && w->sequence == 0;
}
static inline bool covey_window_empty(const covey_open_window_t* open) {
  return (open->tally.inferences | open->tally.errors) == 0;
}
/* Neither cells nor frozen windows. */
bool covey_window_none_held(const covey_telemetry_t* t);
/* What was closed goes into its stream's cell, if the recorder has left it. */
void covey_window_merge(covey_agent_t* a, covey_telemetry_t* t);
/* The open window into its stream's cell, or, where somebody is inside, at a later merge. */
void covey_window_close(covey_agent_t* a, covey_telemetry_t* t);
/* The number that the cell has when it is frozen next, and what goes with it. */
void covey_window_number(const covey_telemetry_t* t, covey_window_t* cell);
/* Whether the acknowledgement covers the window with this number. */
bool covey_window_acknowledged(const covey_stream_ack_t* ack, uint32_t sequence);

/* ---- stream.c */
/* What waited for the recorder to leave; false: it still does. */
bool covey_stream_catch_up(covey_agent_t* a, const covey_model_t* m);

/* ---- outbox.c; all use the send buffer */
#if COVEY_OUTBOX
/* Keeps the windows whose acknowledgement is late, and what could not be sent. */
void covey_outbox_step(covey_agent_t* a);
/* Keeps every window. */
void covey_outbox_keep_all(covey_agent_t* a);
/* What an earlier boot left is sent at once, not when its repetition is due. */
void covey_outbox_restart(covey_agent_t* a);
/* Nothing is left of an earlier boot. */
bool covey_outbox_drained(const covey_agent_t* a);
/* The window was acknowledged. */
void covey_outbox_release(covey_agent_t* a, covey_window_t* window);
/* Sends what earlier boots left; true: this boot's windows may go. */
bool covey_outbox_send(covey_agent_t* a);
/* An acknowledgement for an earlier boot. */
void covey_outbox_ack(covey_agent_t* a, uint64_t boot_id, const covey_stream_ack_t* ack);
/* Requests for the acknowledgement of an earlier boot's window, after which others go as well. */
#define COVEY_OUTBOX_TRIES 16U
#else
static inline void covey_outbox_step(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_keep_all(covey_agent_t* a) { (void)a; }
static inline void covey_outbox_restart(covey_agent_t* a) { (void)a; }
static inline bool covey_outbox_drained(const covey_agent_t* a) { return a != NULL; }
static inline void covey_outbox_release(covey_agent_t* a, covey_window_t* window) {
  (void)a;
  (void)window;
}
static inline bool covey_outbox_send(covey_agent_t* a) { return a != NULL; }
static inline void covey_outbox_ack(covey_agent_t* a, uint64_t boot_id,
                                    const covey_stream_ack_t* ack) {
  (void)a;
  (void)boot_id;
  (void)ack;
}
#endif

#endif
