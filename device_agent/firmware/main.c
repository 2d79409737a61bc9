/* The firmware: an agent, its ports, a sensor, one loop. */
#include <mbedtls/memory_buffer_alloc.h>
#include <string.h>

#include "board.h"
#include "covey/port_psa.h"
#include "entropy.h"
#include "link.h"
#include "log.h"
#include "provisioning.h"
#include "runtime.h"
#include "sensor.h"

/* Flash, in erase units of 4 KB: the provisioning page, then what the agent keeps. */
#define FLASH_IDENTITY 0x1000U
#define FLASH_BOOTS 0x3000U
#define FLASH_JOURNAL 0x8000U
#define FLASH_JOURNAL_BYTES 0x2000U
#define FLASH_SLOT_0 0x10000U
#define FLASH_SLOT_1 0x70000U
#define FLASH_SLOT_BYTES 0x60000U

#define ARENA_BYTES (96U * 1024U)
#define CRYPTO_HEAP_BYTES (6U * 1024U)
#define RECEIVE_BYTES (4096U + COVEY_CHUNK_OVERHEAD_BYTES)
#define INPUT_BYTES_MAX 4096U
#define OUTPUT_BYTES_MAX 64U
#define INFERENCE_INTERVAL_MS 1000U
#define WAIT_MS_MAX 5000U

static covey_agent_t agent;
static covey_telemetry_t telemetry;
static covey_port_t port;
static covey_agent_config_t config;
static covey_model_config_t model;
static covey_public_key_t trusted_key;
static covey_flash_store_t identity;
static covey_flash_store_t boots;
static link_t link;
static uint8_t send_buffer[COVEY_SEND_BYTES_MIN];
static uint8_t receive_buffer[RECEIVE_BYTES];
static uint8_t crypto_heap[CRYPTO_HEAP_BYTES];
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(COVEY_ARENA_ALIGN)));
static bool credentials_new;
static uint64_t inferences;

static const char* phase_name(covey_phase_t phase) {
  static const char* const names[] = {"?",         "IDLE",      "DOWNLOADING", "VERIFYING",
                                      "STAGED",    "SHADOWING", "PROBATION",   "PROBATION_OK",
                                      "CONFIRMED", "DECLINED",  "FAILED",      "REVERTED"};
  return (size_t)phase < sizeof names / sizeof names[0] ? names[phase] : names[0];
}

static const char* reason_name(int reason) {
  const char* name = covey_error_name(reason);
  return name != NULL ? name : "?";
}

static uint32_t prefix_of(const uint8_t* digest) {
  return digest == NULL ? 0
                        : (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
                              (uint32_t)digest[2] << 8 | digest[3];
}

static void on_event(void* app, covey_event_t event, size_t index) {
  (void)app;
  (void)index;
  if (event == COVEY_EVENT_CREDENTIALS) credentials_new = true;
}

/* What changed since the last line; one line for each change. */
static void log_changes(void) {
  static covey_model_status_t seen;
  static uint32_t seen_active;
  covey_model_status_t now;
  uint32_t active;
  if (covey_agent_model_status(&agent, 0, &now) != COVEY_OK) return;
  active = prefix_of(now.active);
  if (now.phase != seen.phase || now.reason != seen.reason) {
    size_t size;
    const size_t unused = board_stack_unused(&size);
    log_line(
        "model: %s, reason %s; since boot: %u chunks fetched, %u bytes in, %u out; stack %u of %u",
        phase_name(now.phase), reason_name(now.reason),
        (unsigned)covey_agent_counters(&agent)->chunks_fetched, (unsigned)link.bytes_in,
        (unsigned)link.bytes_out, (unsigned)(size - unused), (unsigned)size);
  }
  if (now.fallback_reason != seen.fallback_reason) {
    log_line("model: fallback, reason %s", reason_name(now.fallback_reason));
  }
  if (active != seen_active) log_line("model: %08x is active", (unsigned)active);
  if (now.chunks_have != seen.chunks_have && now.chunks_total != 0) {
    log_line("download: %u of %u chunks are here", (unsigned)now.chunks_have,
             (unsigned)now.chunks_total);
  }
  seen = now;
  seen_active = active;
}

/* One reading through the active model. */
static void infer(void) {
  static int8_t input[INPUT_BYTES_MAX];
  static int8_t output[OUTPUT_BYTES_MAX];
  int8_t reading[SENSOR_FEATURES];
  int16_t features[SENSOR_FEATURES];
  covey_model_view_t view;
  covey_inference_t inference;
  uint64_t start_us;
  size_t classes;
  size_t i;
  int error = COVEY_ERROR_ARGUMENT;
  if (covey_agent_model(&agent, 0, &view) != COVEY_OK ||
      view.format.input.size_bytes > sizeof input ||
      view.format.output.size_bytes > sizeof output) {
    return;
  }
  memset(&inference, 0, sizeof inference);
  start_us = board_now_us();
  if (sensor_read(view.preprocessing, view.preprocessing_size, reading)) {
    /* A model of another kind, e.g. for keywords, gets the reading over and over. */
    for (i = 0; i < view.format.input.size_bytes; ++i) input[i] = reading[i % SENSOR_FEATURES];
    error = covey_agent_invoke(&agent, 0, input, view.format.input.size_bytes, output,
                               view.format.output.size_bytes);
  }
  inference.failed = error != COVEY_OK;
  if (!inference.failed) {
    classes = view.format.output.size_bytes;
    covey_classify(output, classes < COVEY_CLASSES_MAX ? classes : COVEY_CLASSES_MAX, &inference);
  }
  for (i = 0; i < SENSOR_FEATURES; ++i) features[i] = reading[i];
  inference.features = features;
  inference.feature_count = inference.failed ? 0 : SENSOR_FEATURES;
  inference.latency_us = (uint32_t)(board_now_us() - start_us);
  inference.uptime_ms = board_now_ms();
  (void)covey_agent_record_inference(&agent, 0, &inference);
  ++inferences;
  if (inferences % 32 == 1) {
    log_line("inference: number %u of this boot, class %u, confidence %u, %u us",
             (unsigned)inferences, (unsigned)inference.class_index, (unsigned)inference.confidence,
             (unsigned)inference.latency_us);
  }
}

__attribute__((noreturn)) static void give_up(const char* what, int error) {
  log_line("firmware: cannot start: %s: %s", what, reason_name(error));
  for (;;) {
    board_feed_watchdog();
    board_wait(WAIT_MS_MAX);
  }
}

void crypto_heap_corrupt(int code) {
  (void)code;
  covey_cortex_m_reset(COVEY_START_FAULT);
}

static void configure(const provisioning_t* unit, covey_start_cause_t cause) {
  uint32_t boot = 0;
  int error = covey_flash_store_open(&identity, &port.flash, FLASH_IDENTITY);
  if (error == 0) error = covey_flash_store_open(&boots, &port.flash, FLASH_BOOTS);
  if (error == 0) error = entropy_init(unit->seed, &boots, &boot);
  if (error != 0) give_up("flash", error);
  mbedtls_memory_buffer_alloc_init(crypto_heap, sizeof crypto_heap);
  error = covey_psa_crypto(&port.crypto);
  if (error != 0) give_up("crypto", error);
  covey_psa_public_key(unit->trusted_key, sizeof unit->trusted_key, &trusted_key);
  port.store = covey_flash_store_port(&identity);
  port.link = link_port(&link);

  model.name = "bearing-vibration";
  model.slots[0].offset = FLASH_SLOT_0;
  model.slots[0].size_bytes = FLASH_SLOT_BYTES;
  model.slots[1].offset = FLASH_SLOT_1;
  model.slots[1].size_bytes = FLASH_SLOT_BYTES;
  model.slot_count = 2;
  model.runtime = firmware_runtime();
  model.arena = arena;
  model.arena_bytes = sizeof arena;
  model.telemetry = &telemetry;

  config.device_id = unit->device_id;
  config.device_class = unit->device_class;
  config.firmware = "covey-firmware-" COVEY_AGENT_VERSION;
  config.runtime = 1; /* covey.device.v1.RUNTIME_TFLITE_INT8 */
  config.algorithms = COVEY_PSA_ALGORITHMS;
  config.preprocessing_id = SENSOR_PREPROCESSING;
  config.keys = &trusted_key;
  config.key_count = 1;
  config.models = &model;
  config.model_count = 1;
  config.journal_offset = FLASH_JOURNAL;
  config.journal_bytes = FLASH_JOURNAL_BYTES;
  config.send_buffer = send_buffer;
  config.send_bytes = sizeof send_buffer;
  config.receive_buffer = receive_buffer;
  config.receive_bytes = sizeof receive_buffer;
  config.port = &port;
  config.retained = covey_cortex_m_retained();
  config.times.report_interval_ms = unit->report_interval_ms;
  config.times.probation_inferences = unit->probation_inferences;
  config.event = on_event;
  log_line("firmware: %s, class %s, boot %u, start cause %u", unit->device_id, unit->device_class,
           (unsigned)boot, (unsigned)cause);
}

int main(void) {
  covey_fault_t fault;
  const covey_start_cause_t cause = covey_cortex_m_start_cause(&fault);
  const provisioning_t* unit;
  uint64_t infer_at_ms = 0;
  uint32_t interval_ms;
  int error;
  board_init();
  if (cause == COVEY_START_FAULT) {
    log_line("firmware: faulted before at pc %08x, status %08x, address %08x", (unsigned)fault.pc,
             (unsigned)fault.status, (unsigned)fault.address);
  }
  port.flash = covey_mapped_flash_port(&board_flash);
  unit = provisioning_read(&port.flash);
  if (unit == NULL) give_up("no provisioning page (see provision.py)", COVEY_ERROR_CONFIG);
  configure(unit, cause);
  interval_ms =
      unit->inference_interval_ms != 0 ? unit->inference_interval_ms : INFERENCE_INTERVAL_MS;
  sensor_init(unit->device_id);
  error = covey_agent_init(&agent, &config);
  if (error != 0) give_up("agent", error);
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
      infer();
      infer_at_ms = now_ms + interval_ms;
    }
    other_ms = covey_agent_poll(&agent, board_now_ms());
    log_changes();
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
