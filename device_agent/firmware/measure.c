/* SPDX-License-Identifier: Apache-2.0 */
/* How many instructions covey_agent_record_inference takes. An image of its own, for an emulator
 * whose clock counts them: under `qemu-system-arm -icount shift=0` one nanosecond is one
 * instruction. What it says on the log port is checked by tests/e2e/firmware.
 *
 * The clock's unit, a microsecond, is 1,000 instructions; over RECORDS of them that is nothing. */
#include <string.h>

#include "board.h"
#include "covey/agent.h"
#include "log.h"

#define RECORDS 8192U
#define INSTRUCTIONS_PER_US 1000U
#define CLASSES 4U
#define BINS 10U /* by feature, as in the examples' releases; the edges are one less */
#define SAMPLED_ALWAYS 65536U
#define SAMPLED_SELDOM 655U /* 1 % */

typedef uint32_t (*record_t)(covey_agent_t*, size_t, const covey_inference_t*);

static covey_agent_t agent;
static covey_telemetry_t telemetry;
static covey_port_t port;
static covey_agent_config_t config;
static covey_model_config_t model;

/* What the agent is when a model with such tables has just become active. */
static void begin(uint8_t features, uint32_t sample_probability) {
  covey_tables_t* tables = &telemetry.tables;
  uint8_t i;
  uint8_t k;
  memset(&agent, 0, sizeof agent);
  memset(&telemetry, 0, sizeof telemetry);
  model.telemetry = &telemetry;
  config.port = &port;
  config.models = &model;
  config.model_count = 1;
  agent.config = &config;
  agent.models[0].config = &model;
  agent.models[0].active = 0;
  agent.random = 1;
  telemetry.stream = 0;
  telemetry.counting = true;
  tables->class_count = CLASSES;
  tables->feature_count = features;
  for (i = 0; i < COVEY_CONFIDENCE_BINS; ++i) tables->sample_probability[i] = sample_probability;
  for (i = 0; i < features; ++i) {
    tables->edge_counts[i] = BINS - 1;
    tables->features[i].training_min = -120;
    tables->features[i].training_max = 120;
    for (k = 0; k < COVEY_BINS_MAX; ++k) {
      tables->features[i].edges[k] = (int16_t)(k < BINS - 1 ? -100 + 25 * k : INT16_MAX);
    }
  }
}

/* The same loop around it: what is left of the difference is the recording alone. */
static uint32_t record_nothing(covey_agent_t* a, size_t index, const covey_inference_t* inference) {
  (void)a;
  (void)index;
  (void)inference;
  return 1;
}

static uint64_t microseconds(record_t volatile record, uint8_t features, uint32_t* counted) {
  int16_t values[COVEY_FEATURES_MAX];
  covey_inference_t inference;
  uint32_t random = 1;
  const uint64_t start_us = board_now_us();
  uint32_t n;
  memset(&inference, 0, sizeof inference);
  inference.features = values;
  inference.feature_count = features;
  *counted = 0;
  for (n = 0; n < RECORDS; ++n) {
    uint8_t i;
    for (i = 0; i < features; ++i) { /* all over int8, as preprocessing gives them */
      random = random * 1664525U + 1013904223U;
      values[i] = (int16_t)((int32_t)(random >> 24) - 128);
    }
    inference.class_index = random >> 8 & 3U;
    inference.confidence = (uint8_t)(random >> 16);
    inference.latency_us = random >> 20;
    inference.uptime_ms = n;
    if (record(&agent, 0, &inference) != 0) ++*counted;
  }
  return board_now_us() - start_us;
}

static void measure(const char* what, uint8_t features, uint32_t sample_probability) {
  uint32_t counted;
  uint32_t unused;
  uint64_t us;
  begin(features, sample_probability);
  us = microseconds(covey_agent_record_inference, features, &counted);
  us -= microseconds(record_nothing, features, &unused);
  log_line("record_inference: %s: %u instructions, %u of %u counted", what,
           (unsigned)((us * INSTRUCTIONS_PER_US + RECORDS / 2) / RECORDS), (unsigned)counted,
           RECORDS);
}

int main(void) {
  board_init();
  measure("0 features", 0, SAMPLED_SELDOM);
  measure("4 features", 4, SAMPLED_SELDOM);
  measure("8 features", 8, SAMPLED_SELDOM);
  measure("8 features, each sampled", 8, SAMPLED_ALWAYS);
  log_line("measured");
  for (;;) {
    board_feed_watchdog();
    board_wait(1000);
  }
}
