/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; job.c uses all others, which know nothing of it. */
#ifndef COVEY_SRC_TRANSFER_PARTS_H
#define COVEY_SRC_TRANSFER_PARTS_H

#include <string.h>

#include "../flash/flash.h"
#include "../link/link.h"
#include "../telemetry/telemetry.h"
#include "transfer.h"

/* ---- accept.c */
/* All that the device asks before it touches flash, cheap questions first, the signature last. */
int covey_accept_manifest(covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                          const covey_bytes_t* message);

/* ---- request.c: what was asked for, and when to ask again */
static inline covey_timer_t* covey_request_timer(covey_agent_t* a) {
  return &a->timers[COVEY_TIMER_JOB];
}
/* There was progress, or another thing is wanted: tries count anew, and it is due. */
void covey_request_reset(covey_agent_t* a);
/* A request went out, or could not (error): when to look again. */
void covey_request_sent(covey_agent_t* a, int error);
/* One more request without an answer, or with this one. Errors: too many; why. */
int covey_request_failed(covey_agent_t* a, int error);

/* ---- chunks.c; errors end the attempt, unless it says otherwise */
enum covey_chunks_result { COVEY_CHUNKS_MORE = 0, COVEY_CHUNKS_DONE = 1 };
/* No chunk is there. */
void covey_chunks_reset(covey_agent_t* a);
#if COVEY_RESUME
/* Looks at one more chunk that may be in the slot. Errors: CHUNK_TABLE_DIGEST and FLASH_GEOMETRY:
 * the slot must begin anew. */
int covey_chunks_scan(covey_agent_t* a, const covey_slot_view_t* view);
#endif
/* Copies or asks for what is missing. */
int covey_chunks_step(covey_agent_t* a, const covey_slot_view_t* view);
int covey_chunks_verify(covey_agent_t* a, const covey_slot_view_t* view);
/* Errors: also MESSAGE_MALFORMED and CHUNK_DIGEST: nothing was written, it may come again. */
int covey_chunks_receive(covey_agent_t* a, covey_bytes_t message);

#endif
