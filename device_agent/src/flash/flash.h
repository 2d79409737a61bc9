/* SPDX-License-Identifier: Apache-2.0 */
/* What is in flash: bytes through the port, rows of state, the journal of goals and records, the
 * slots and their signed manifests, and the transitions that are durable before they are true.
 * Knows nothing of messages but how a manifest is written; nothing of how slots come to be full. */
#ifndef COVEY_SRC_FLASH_H
#define COVEY_SRC_FLASH_H

#include "../core/core.h"
#include "../wire/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COVEY_ROW_BYTES 64U /* everything in flash begins on a row: fits write units of 1 to 64 */

/* ---- flash.c: the port's flash in the agent's terms; errors FLASH_*, port code in flash_error */
int covey_flash_read(covey_agent_t* a, uint32_t offset, void* into, size_t size);
/* The tail of the last write unit is filled with the erased value. */
int covey_flash_write(covey_agent_t* a, uint32_t offset, const void* from, size_t size);
/* Every unit that begins within. */
int covey_flash_erase(covey_agent_t* a, uint32_t offset, uint32_t size);
/* Whether all is as an erase leaves it. False also when it cannot be read. */
bool covey_flash_blank(covey_agent_t* a, uint32_t offset, uint32_t size);
/* Where the processor sees it. */
static inline const uint8_t* covey_flash_bytes(const covey_agent_t* a, uint32_t offset) {
  return covey_core_port(a)->flash.xip_base + offset;
}

/* ---- digest.c: SHA-256 of memory and of flash */
typedef struct covey_section {
  uint32_t at; /* offset in flash */
  uint32_t size;
  const uint8_t* digest;
} covey_section_t;
/* Adds flash bytes to a hash, read through the port. Errors: FLASH_READ. */
int covey_digest_add(covey_agent_t* a, covey_hash_t* hash, uint32_t offset, uint32_t size);
/* Whether flash has what the digest, of so many bytes, says; false also when it cannot be read. */
bool covey_digest_matches(covey_agent_t* a, const covey_section_t* section, size_t digest_size);
void covey_digest_of(covey_agent_t* a, const void* bytes, size_t size,
                     uint8_t digest[COVEY_DIGEST_BYTES]);

/* ---- journal.c: the append-only journal of docs/design/agent.md, "Journal" */
/* Reads goals and records of all models, epoch and counter; without a journal nothing changes. */
void covey_journal_replay(covey_agent_t* a);
/* Makes the model's present goal or record durable. */
int covey_journal_goal(covey_agent_t* a, const covey_model_t* m);
int covey_journal_record(covey_agent_t* a, const covey_model_t* m);

#if COVEY_ROOT
/* Makes this root document durable, in one step: after a power cut it is there or the one before
 * is. */
int covey_journal_root(covey_agent_t* a, covey_bytes_t root);
/* What is there, of so many rows, into the send buffer. Errors: FLASH_READ, JOURNAL_CORRUPT. */
int covey_journal_read_root(covey_agent_t* a, uint8_t rows, covey_bytes_t* root);
/* Rows that a document of the largest size takes. */
#define COVEY_ROOT_ROWS_MAX 12U
#endif

/* ---- signature.c; errors, the worst first: SIGNATURE_INVALID, KEY_UNKNOWN, ALGORITHM_UNSUPPORTED
 */
/* One good signature by any of the firmware's keys is enough. */
int covey_signature_any(const covey_agent_config_t* config, covey_bytes_t message,
                        const uint8_t* digest);
#if COVEY_ROOT
/* The keys of a role, and how many of them it takes. */
typedef struct covey_keyring {
  uint32_t version;
  uint32_t threshold;
  size_t count;
  covey_public_key_t keys[COVEY_ROOT_KEYS_MAX]; /* these point into the document */
} covey_keyring_t;
/* Good signatures by so many distinct keys of the ring, among the first `most`. Errors: also
 * SIGNATURES_TOO_FEW. */
int covey_signature_check(const covey_agent_config_t* config, covey_bytes_t message,
                          const uint8_t* digest, const covey_keyring_t* ring, unsigned most);

/* ---- root.c */
enum covey_role { COVEY_ROLE_ROOT = 1, COVEY_ROLE_AUTHOR = 2 };
/* Errors: MESSAGE_MALFORMED: a rule of the document is broken. */
int covey_root_read(covey_agent_t* a, covey_bytes_t bytes, enum covey_role role,
                    covey_keyring_t* ring);
/* Who has the role now. Its keys are in the send buffer, or the firmware's. */
int covey_root_now(covey_agent_t* a, enum covey_role role, covey_keyring_t* ring);
/* After the journal was read: the newer one of firmware and journal. Errors: CONFIG: the firmware's
 * can't be read. */
int covey_root_load(covey_agent_t* a);
/* The next version, if thresholds of both have signed it: durable, then in force. */
int covey_root_accept(covey_agent_t* a, covey_bytes_t message);
#endif

/* ---- transition.c: edit the record, then one of these */
/* It becomes durable, then true: on a flash error nothing has changed. */
int covey_transition_commit(covey_model_t* m);
/* What is true without being durable. */
void covey_transition_shown(covey_model_t* m);
/* True from now on, durable if the journal can: a journal that fails must neither keep a bad model
 * running nor the device without a model. */
void covey_transition_insist(covey_model_t* m);
/* The model with this manifest is not tried again in this attempt. */
void covey_transition_reject(covey_model_t* m, const uint8_t* digest);
/* The candidate's attempt ended without success: phase FAILED, DECLINED or REVERTED. Whoever runs
 * it must have stopped. */
void covey_transition_end(covey_model_t* m, covey_phase_t phase, int error);
/* Numbers of the runtime's or the application's own have no reason: MODEL_FAULTING. */
uint16_t covey_transition_reason(int error);

/* ---- manifest.c */
typedef struct covey_manifest {
  covey_bytes_t model;
  const uint8_t* artifact_digest; /* these point into the manifest's bytes */
  const uint8_t* chunk_table_digest;
  const uint8_t* preprocessing_digest;
  const uint8_t* selftest_digest;
  const uint8_t* tables_digest;
  uint64_t operator_set;
  uint32_t format;
  uint32_t image_size;
  uint32_t chunk_size;
  uint32_t chunk_count;
  uint32_t runtime;
  uint32_t arena_bytes;
  uint32_t input_bytes;
  uint32_t output_bytes;
  uint32_t model_size;
  uint32_t preprocessing_size;
  uint32_t selftest_size;
  uint32_t security_version;
  uint32_t preprocessing_id;
} covey_manifest_t;

/* Structure only. Errors: MANIFEST_MALFORMED, UNSUPPORTED (format). */
int covey_manifest_parse(covey_bytes_t bytes, covey_manifest_t* out);
/* The exact bytes inside a SignedManifest. */
int covey_manifest_open(covey_bytes_t message, covey_bytes_t* manifest);
/* Whether this firmware has what the model was made for. Errors: RUNTIME_MISMATCH,
 * PREPROCESSING_MISMATCH. */
int covey_manifest_fits(const covey_agent_config_t* config, const covey_manifest_t* m);

/* ---- slot.c: what a slot holds, and where
 *      0  header row, row "erased", signed manifest, chunk table, tables row, telemetry tables,
 *         image: each from a row on, the image from an erase unit on where units are small. */
#define COVEY_SLOT_BYTES_MIN 8192U
enum { COVEY_CHUNK_TABLE = 0, COVEY_TELEMETRY_TABLES = 1, COVEY_STREAMED_TABLES };
typedef struct {
  uint32_t base; /* offset of the slot in flash; the others are offsets in flash too */
  uint32_t image;
  covey_section_t tables[COVEY_STREAMED_TABLES];
  bool tables_present;    /* the telemetry tables have their row, so their size is known */
  covey_bytes_t message;  /* SignedManifest */
  covey_bytes_t contents; /* the manifest in it, that the digest is of */
  covey_manifest_t manifest;
} covey_slot_view_t;

uint32_t covey_slot_usable(const covey_agent_t* a, const covey_model_t* m); /* what hello says */
/* Finds the slots whose header and manifest are whole, and their digests. */
void covey_slot_scan(covey_model_t* m);
/* Manifest digest of what is in the slot; NULL: nothing, or no such slot. */
const uint8_t* covey_slot_digest(const covey_model_t* m, uint8_t slot);
bool covey_slot_holds(const covey_model_t* m, uint8_t slot, const uint8_t* digest);
uint8_t covey_slot_find(const covey_model_t* m, const uint8_t* digest); /* COVEY_NO_SLOT: none */
/* Offsets from view->manifest. Errors: SLOT_TOO_SMALL. */
int covey_slot_layout(const covey_agent_t* a, const covey_model_t* m, uint8_t slot,
                      covey_slot_view_t* view);
/* Errors: MANIFEST_MALFORMED: not present. */
int covey_slot_view(const covey_model_t* m, uint8_t slot, covey_slot_view_t* view);
/* Erases what header and manifest need, and writes them. */
int covey_slot_begin(covey_model_t* m, uint8_t slot, covey_bytes_t message);
/* All that the image needs was erased. */
int covey_slot_erased(covey_agent_t* a, const covey_slot_view_t* view);
/* The telemetry tables have this size. */
int covey_slot_tables(covey_agent_t* a, const covey_slot_view_t* view, uint32_t size);

/* ---- selftest.c: the last section of an image. Little endian: u16 count, u16 input bytes, u16
 *      output bytes, u8 tolerance, u8 zero; then per vector its input and its output. */
#define COVEY_SELFTEST_HEADER_BYTES 8U
enum { COVEY_SELFTEST_TOLERANCE = 6 };                     /* its place in the header */
uint32_t covey_selftest_at(const covey_slot_view_t* view); /* offset of the section in flash */
uint32_t covey_selftest_count(const uint8_t* section);     /* vectors in it */
/* Errors: SELFTEST_INVALID. */
int covey_selftest_check(const covey_agent_t* a, const covey_slot_view_t* view);

#ifdef __cplusplus
}
#endif

#endif
