/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware: an agent, its ports, a sensor, one loop. */
#include <mbedtls/memory_buffer_alloc.h>
#include <string.h>

#include "board.h"
#include "covey/port_psa.h"
#include "entropy.h"
#include "inference.h"
#include "link.h"
#include "log.h"
#include "own_key.h"
#include "provisioning.h"
#include "runtime.h"
#include "sensor.h"
#include "status_log.h"
#include "stream.h"

/* Flash, in erase units of 1 KB: the provisioning page, three stores of two units each, the
 * journal's two halves, the slots, the outbox, the certificate. */
#define FLASH_IDENTITY 0x400U
#define FLASH_BOOTS 0xc00U
#define FLASH_OWN_KEY 0x1400U
#define FLASH_JOURNAL 0x2000U
#define FLASH_JOURNAL_BYTES 0x2000U
#define FLASH_SLOTS 0x4000U
#define FLASH_BYTES 0x180000U

/* What this firmware runs. Every model has two slots and an arena, all of one size: a device class
 * has one number for each. */
#define SLOT_BYTES 0x50000U
#define ARENA_BYTES (48U * 1024U)
static const char* const models[] = {"bearing-vibration", "keyword-spotting"};
#define MODELS (sizeof models / sizeof models[0])

/* What every model counted in one boot of an outage. */
#define FLASH_OUTBOX (FLASH_SLOTS + 2U * MODELS * SLOT_BYTES)
#define OUTBOX_PLACES (MODELS * (COVEY_WINDOWS_IN_FLIGHT + 1U))
#define OUTBOX_BYTES 0x1000U
COVEY_STATIC_ASSERT(OUTBOX_BYTES >=
                    COVEY_OUTBOX_BYTES_MAX + 64); /* covey_flash_store_record_bytes */
#define FLASH_CERTIFICATE (FLASH_OUTBOX + OUTBOX_PLACES * 2 * OUTBOX_BYTES)
COVEY_STATIC_ASSERT(FLASH_CERTIFICATE + 0x800U <= FLASH_BYTES);

#ifndef CRYPTO_HEAP_BYTES
#define CRYPTO_HEAP_BYTES (6U * 1024U)
#endif
#define RECEIVE_BYTES (4096U + COVEY_CHUNK_OVERHEAD_BYTES)
#define INFERENCE_INTERVAL_MS 1000U
#define WAIT_MS_MAX 5000U
#define REPORTS_PER_KEEP 60U

static covey_agent_t agent;
static covey_telemetry_t telemetry[MODELS];
static covey_port_t port;
static covey_agent_config_t config;
static covey_model_config_t model_configs[MODELS];
static covey_public_key_t trusted_key;
static covey_flash_store_t identity;
static covey_flash_store_t boots;
static covey_flash_store_t waiting[OUTBOX_PLACES];
static covey_store_t outbox[OUTBOX_PLACES];
static link_t link;
static uint8_t send_buffer[COVEY_SEND_BYTES_MIN];
static uint8_t receive_buffer[RECEIVE_BYTES];
static uint8_t crypto_heap[CRYPTO_HEAP_BYTES];
static uint8_t arenas[MODELS][ARENA_BYTES] __attribute__((aligned(COVEY_ARENA_ALIGN)));
static bool credentials_new;

static const char* reason_name(int reason) {
  const char* name = covey_error_name(reason);
  return name != NULL ? name : "?";
}

static void on_event(void* app, covey_event_t event, size_t index) {
  (void)app;
  (void)index;
  if (event == COVEY_EVENT_CREDENTIALS) credentials_new = true;
}

__attribute__((noreturn)) static void give_up(const char* what, int error) {
  log_line("firmware: cannot start: %s: %s", what, reason_name(error));
  for (;;) {
    board_feed_watchdog();
    board_wait(WAIT_MS_MAX);
  }
}

/* It is taken from the beginning on, and nobody else writes there. */
size_t crypto_heap_used(void) {
  size_t used = sizeof crypto_heap;
  while (used > 0 && crypto_heap[used - 1] == 0) --used;
  return used;
}

void crypto_heap_corrupt(int code) {
  (void)code;
  covey_cortex_m_reset(COVEY_START_FAULT);
}

/* Returns the number of this boot, from 1. */
static uint32_t configure(const provisioning_t* unit, covey_start_cause_t cause) {
  uint32_t boot = 0;
  uint32_t slot = FLASH_SLOTS;
  const uint32_t page = port.flash.erase_unit_bytes;
  unsigned i;
  int error = covey_flash_store_open(&identity, &port.flash, FLASH_IDENTITY, page);
  if (error == 0) error = covey_flash_store_open(&boots, &port.flash, FLASH_BOOTS, page);
  for (i = 0; i < OUTBOX_PLACES && error == 0; ++i) {
    error = covey_flash_store_open(&waiting[i], &port.flash, FLASH_OUTBOX + i * 2 * OUTBOX_BYTES,
                                   OUTBOX_BYTES);
    outbox[i] = covey_flash_store_port(&waiting[i]);
  }
  if (error == 0) error = entropy_init(unit->seed, &boots, &boot);
  if (error != 0) give_up("flash", error);
  mbedtls_memory_buffer_alloc_init(crypto_heap, sizeof crypto_heap);
  error = covey_psa_crypto(&port.crypto);
#if COVEY_DEVICE_KEY
  if (error == 0) {
    error = own_key_open(&port.flash, FLASH_OWN_KEY, FLASH_CERTIFICATE, unit->certificate == 1);
    port.device_key = own_key_port();
  }
#endif
  if (error != 0) give_up("crypto", error);
  covey_psa_public_key(unit->trusted_key, sizeof unit->trusted_key, &trusted_key);
  port.store = covey_flash_store_port(&identity);
  port.outbox = outbox;
  port.outbox_places = OUTBOX_PLACES;
  port.link = link_port(&link);

  for (i = 0; i < MODELS; ++i) {
    covey_model_config_t* model = &model_configs[i];
    unsigned k;
    model->name = models[i];
    model->slot_count = 2;
    for (k = 0; k < model->slot_count; ++k) {
      model->slots[k].offset = slot;
      model->slots[k].size_bytes = SLOT_BYTES;
      slot += SLOT_BYTES;
    }
    model->runtime = firmware_runtime(i);
    model->arena = arenas[i];
    model->arena_bytes = ARENA_BYTES;
    model->telemetry = &telemetry[i];
  }
  config.device_id = unit->device_id;
  config.device_class = unit->device_class;
  config.firmware = "covey-firmware-" COVEY_AGENT_VERSION;
  config.runtime = 1; /* covey.device.v1.RUNTIME_TFLITE_INT8 */
  config.algorithms = COVEY_PSA_ALGORITHMS;
  config.preprocessing_id = SENSOR_PREPROCESSING;
  config.keys = &trusted_key;
  config.key_count = 1;
  config.models = model_configs;
  config.model_count = MODELS;
  config.journal_offset = FLASH_JOURNAL;
  config.journal_bytes = FLASH_JOURNAL_BYTES;
  config.send_buffer = send_buffer;
  config.send_bytes = sizeof send_buffer;
  config.receive_buffer = receive_buffer;
  config.receive_bytes = sizeof receive_buffer;
  config.port = &port;
  config.retained = covey_cortex_m_retained();
  config.times.report_interval_ms = unit->report_interval_ms;
  config.times.keep_ms = REPORTS_PER_KEEP * unit->report_interval_ms;
  config.times.probation_inferences = unit->probation_inferences;
  config.event = on_event;
  log_line("firmware: %s, class %s, boot %u, start cause %u", unit->device_id, unit->device_class,
           (unsigned)boot, (unsigned)cause);
  return boot;
}

static uint32_t outbox_changes(void) {
  uint32_t changes = 0;
  unsigned i;
  for (i = 0; i < OUTBOX_PLACES; ++i) changes += waiting[i].generation;
  return changes;
}

/* `told`: the changes that were logged. */
static void outbox_log(uint32_t* told) {
  const uint32_t changes = outbox_changes();
  if (changes == *told) return;
  log_line("outbox: %u changes; %u inferences of the first model wait", (unsigned)(changes - *told),
           (unsigned)covey_agent_unacknowledged(&agent, 0));
  *told = changes;
}

/* At the first start of a factory-new unit, when there is nothing yet that it could overwrite. */
static void prove_port(void) {
  const char* what = "";
  const int error = covey_port_selftest(&config, &what);
  if (error != 0) give_up(what, error);
  log_line("firmware: the port passes its self-test");
  board_feed_watchdog();
}

int main(void) {
  covey_fault_t fault;
  const covey_start_cause_t cause = covey_cortex_m_start_cause(&fault);
  const provisioning_t* unit;
  uint64_t infer_at_ms = 0;
  uint32_t outbox_told;
  uint32_t interval_ms;
  unsigned i;
  int error;
  board_init();
  if (cause == COVEY_START_FAULT) {
    log_line("firmware: faulted before at pc %08x, status %08x, address %08x", (unsigned)fault.pc,
             (unsigned)fault.status, (unsigned)fault.address);
  }
  port.flash = covey_mapped_flash_port(&board_flash);
  unit = provisioning_read(&port.flash);
  if (unit == NULL) give_up("no provisioning page (see provision.py)", COVEY_ERROR_CONFIG);
  if (configure(unit, cause) == 1) prove_port();
  interval_ms =
      unit->inference_interval_ms != 0 ? unit->inference_interval_ms : INFERENCE_INTERVAL_MS;
  sensor_init(unit->device_id);
  firmware_watch(&port.crypto);
  outbox_told = outbox_changes();
  error = covey_agent_init(&agent, &config);
  if (error != 0) give_up("agent", error);
  error = stream_init(unit);
  if (error != 0) give_up("stream", error);
  link_init(&link, &agent, unit->device_id, unit->enroll_token, cause == COVEY_START_POWER_ON);
  error = covey_agent_start(&agent, cause, board_now_ms());
  if (error != 0) log_line("firmware: no model could be started: %s", reason_name(error));

  for (;;) {
    uint32_t wait_ms;
    uint32_t other_ms;
    uint64_t now_ms;
    board_feed_watchdog();
    wait_ms = link_step(&link);
    now_ms = board_now_ms();
    if (now_ms >= infer_at_ms) {
      for (i = 0; i < MODELS; ++i) inference_run(&agent, i);
      infer_at_ms = board_now_ms() + interval_ms; /* the agent's turns come between, many */
    }
    other_ms = covey_agent_poll(&agent, board_now_ms());
    if (board_flash.overwritten != 0) {
      log_line("flash: %u words were programmed twice", (unsigned)board_flash.overwritten);
      board_flash.overwritten = 0;
    }
    for (i = 0; i < MODELS; ++i) status_log(&agent, i, models[i], &link);
    outbox_log(&outbox_told);
    if (credentials_new) {
      credentials_new = false;
      log_line("firmware: enrolled");
      link_close(&link);
      continue;
    }
    if (other_ms < wait_ms) wait_ms = other_ms;
    now_ms = board_now_ms();
    other_ms = infer_at_ms > now_ms ? (uint32_t)(infer_at_ms - now_ms) : 0;
    if (other_ms < wait_ms) wait_ms = other_ms;
    board_wait(wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX);
  }
}
