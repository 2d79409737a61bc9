/* SPDX-License-Identifier: Apache-2.0 */
/* The one transfer at a time, from a manifest's digest to an image in a slot that was verified.
 * Says how an attempt ended by its record; never runs a model. */
#ifndef COVEY_SRC_TRANSFER_H
#define COVEY_SRC_TRANSFER_H

#include "../core/core.h"
#include "../wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- accept.c */
#if COVEY_ROOT
/* Whether who signed what is in the slot may still sign. Errors: SIGNATURE_INVALID, KEY_UNKNOWN,
 * SIGNATURES_TOO_FEW. */
int covey_accept_again(const covey_model_t* m, uint8_t slot);
#endif

/* ---- job.c */
enum covey_job_state {
  COVEY_JOB_NONE = 0,
  COVEY_JOB_MANIFEST, /* waits for the signed manifest */
  COVEY_JOB_ERASE,
  COVEY_JOB_TABLE,  /* waits for the chunk table */
  COVEY_JOB_TABLES, /* waits for the telemetry tables */
  COVEY_JOB_SCAN,   /* re-hashes what is there */
  COVEY_JOB_CHUNKS,
  COVEY_JOB_VERIFY
};
/* For the candidate of the model's goal: from the beginning, or on from what is in its slot. */
void covey_job_start(covey_model_t* m);
void covey_job_abort(covey_agent_t* a, const covey_model_t* m);
void covey_job_step(covey_agent_t* a);
/* A new session, or none: nothing is subscribed or asked. */
void covey_job_disconnected(covey_agent_t* a);
/* Digest of the retained message that the job waits for; NULL: none. */
const uint8_t* covey_job_wants(covey_agent_t* a);
/* Messages; errors: why one was refused. */
int covey_job_manifest(covey_agent_t* a, covey_bytes_t message);
int covey_job_chunk(covey_agent_t* a, covey_bytes_t message);
/* A piece of the message that is coming in. */
int covey_job_table(covey_agent_t* a, const uint8_t* piece, size_t size, size_t offset);

#ifdef __cplusplus
}
#endif

#endif
