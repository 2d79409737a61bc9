/* SPDX-License-Identifier: Apache-2.0 */
#include "inference.h"

#include <string.h>

#include "board.h"
#include "log.h"
#include "sensor.h"

#define INPUT_BYTES_MAX 4096U
#define OUTPUT_BYTES_MAX 1024U
#define LOG_EVERY 32U

void inference_run(covey_agent_t* agent, size_t model) {
  static int8_t input[INPUT_BYTES_MAX];
  static int8_t output[OUTPUT_BYTES_MAX];
  static uint32_t counts[COVEY_MODELS_MAX];
  int8_t reading[SENSOR_FEATURES];
  int16_t features[SENSOR_FEATURES];
  covey_model_view_t view;
  covey_inference_t inference;
  const uint64_t start_us = board_now_us();
  uint32_t number;
  size_t classes;
  size_t i;
  int error = COVEY_ERROR_ARGUMENT;
  if (covey_agent_model(agent, model, &view) != COVEY_OK ||
      view.format.input.size_bytes > sizeof input ||
      view.format.output.size_bytes > sizeof output) {
    return;
  }
  memset(&inference, 0, sizeof inference);
  if (sensor_read(view.preprocessing, view.preprocessing_size, reading)) {
    /* The board has no microphone: a keyword model gets the same reading over and over. */
    for (i = 0; i < view.format.input.size_bytes; ++i) input[i] = reading[i % SENSOR_FEATURES];
    error = covey_agent_invoke(agent, model, input, view.format.input.size_bytes, output,
                               view.format.output.size_bytes);
  }
  inference.failed = error != COVEY_OK;
  if (!inference.failed) {
    classes = view.format.output.size_bytes;
    covey_classify(output, classes < COVEY_CLASSES_MAX ? classes : COVEY_CLASSES_MAX, &inference);
    for (i = 0; i < SENSOR_FEATURES; ++i) features[i] = reading[i];
    inference.features = features;
    inference.feature_count = SENSOR_FEATURES;
  }
  inference.latency_us = (uint32_t)(board_now_us() - start_us);
  inference.uptime_ms = board_now_ms();
  number = covey_agent_record_inference(agent, model, &inference);
  if (counts[model]++ % LOG_EVERY == 0) {
    log_line("inference: number %u of this boot, model %u, class %u, confidence %u, %u us",
             (unsigned)number, (unsigned)model, (unsigned)inference.class_index,
             (unsigned)inference.confidence, (unsigned)inference.latency_us);
  }
}
