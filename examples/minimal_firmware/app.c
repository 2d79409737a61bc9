/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest firmware around the agent: one model, one sensor, the template's port. */
#include "app.h"

#include <string.h>

#include "covey/port_psa.h"
#include "port_template.h"
#include "reference_runtime.h"

#define UNIT 4096U /* the part's erase unit */
#define SLOT_BYTES (24U * UNIT)
#define READING_INTERVAL_MS 1000U
#define INPUT_BYTES_MAX 512U
#define OUTPUT_BYTES_MAX 16U
#define FEATURES (sizeof(app_features_t) / sizeof(int16_t))

/* The public half of the key that signs models: `covey key generate`, then the last 65 bytes of the
 * DER form of author.pub.pem. */
static const uint8_t author_key[65] = {
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
    0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
    0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
    0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};

/* All memory of the agent is here. */
static covey_agent_t agent;
static covey_agent_config_t config;
static covey_model_config_t model;
static covey_telemetry_t telemetry;
static covey_port_t port;
static covey_public_key_t trusted;
static covey_reference_t reference;
static covey_runtime_t runtime;
static covey_retained_t retained __attribute__((section(".noinit")));
static uint8_t send_buffer[COVEY_SEND_BYTES_MIN];
static uint8_t receive_buffer[1024 + COVEY_CHUNK_OVERHEAD_BYTES];
static uint8_t arena[8 * 1024] __attribute__((aligned(COVEY_ARENA_ALIGN)));
static uint64_t reading_at_ms;

int app_start(covey_start_cause_t cause) {
  int error = port_open(&port); /* units 0 and 1: identity */
  if (error != 0) return error;
  covey_psa_public_key(author_key, sizeof author_key, &trusted);
  covey_reference_init(&reference);
  runtime = covey_reference_runtime(&reference);

  model.name = "bearing-vibration";
  model.slot_count = 2;
  model.slots[0].offset = 4 * UNIT; /* units 2 and 3: journal */
  model.slots[0].size_bytes = SLOT_BYTES;
  model.slots[1].offset = 4 * UNIT + SLOT_BYTES;
  model.slots[1].size_bytes = SLOT_BYTES;
  model.runtime = &runtime;
  model.arena = arena;
  model.arena_bytes = sizeof arena;
  model.telemetry = &telemetry;

  config.device_id = "press-17";
  config.device_class = "my-board";
  config.firmware = "my-firmware-1.0.0";
  config.runtime = 1; /* int8 .tflite */
  config.algorithms = COVEY_PSA_ALGORITHMS;
  config.keys = &trusted;
  config.key_count = 1;
  config.models = &model;
  config.model_count = 1;
  config.journal_offset = 2 * UNIT;
  config.journal_bytes = 2 * UNIT;
  config.send_buffer = send_buffer;
  config.send_bytes = sizeof send_buffer;
  config.receive_buffer = receive_buffer;
  config.receive_bytes = sizeof receive_buffer;
  config.port = &port;
  config.retained = &retained;

  error = covey_agent_init(&agent, &config);
  if (error != 0) return error;
  return covey_agent_start(&agent, cause, board_now_ms());
}

/* One reading through the model that is active, if there is one, and all that the gateway can use
 * of it (README.md, "What is recorded"). */
static void read_and_infer(void) {
  static int8_t input[INPUT_BYTES_MAX];
  static int8_t output[OUTPUT_BYTES_MAX];
  app_features_t features;
  covey_model_view_t view;
  covey_inference_t inference;
  uint32_t start_us;
  if (covey_agent_model(&agent, 0, &view) != COVEY_OK ||
      view.format.input.size_bytes > sizeof input ||
      view.format.output.size_bytes > sizeof output ||
      !app_read_sensor(input, view.format.input.size_bytes, features)) {
    return;
  }
  memset(&inference, 0, sizeof inference);
  start_us = app_now_us();
  inference.failed = covey_agent_invoke(&agent, 0, input, view.format.input.size_bytes, output,
                                        view.format.output.size_bytes) != COVEY_OK;
  inference.latency_us = app_now_us() - start_us;
  inference.uptime_ms = board_now_ms();
  inference.features = features;
  inference.feature_count = FEATURES;
  if (!inference.failed) covey_classify(output, view.format.output.size_bytes, &inference);
  (void)covey_agent_record_inference(&agent, 0, &inference);
  /* inference.class_index is the answer: act on it here. */
}

uint32_t app_step(void) {
  const uint64_t now_ms = board_now_ms();
  uint32_t wait_ms;
  if (now_ms >= reading_at_ms) {
    read_and_infer();
    reading_at_ms = now_ms + READING_INTERVAL_MS;
  }
  wait_ms = covey_agent_poll(&agent, board_now_ms());
  return wait_ms < READING_INTERVAL_MS ? wait_ms : READING_INTERVAL_MS;
}

void app_connected(void) { covey_agent_connected(&agent, board_now_ms()); }

void app_disconnected(void) { covey_agent_disconnected(&agent, board_now_ms()); }

void app_message(const char* topic, const uint8_t* payload, size_t size) {
  (void)covey_agent_receive(&agent, topic, strlen(topic), payload, size, 0, size);
}

bool app_credentials(covey_credentials_t* credentials) {
  return covey_agent_credentials(&agent, credentials) == COVEY_OK;
}
