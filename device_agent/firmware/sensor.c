/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor.h"

#include "examples/bearing_vibration/signal/features.h"
#include "examples/bearing_vibration/signal/generator.h"

static covey_bearing_device_t device;
static int16_t samples[COVEY_BEARING_WINDOW];

void sensor_init(const char* device_id) {
  uint64_t seed = 1469598103934665603U; /* FNV-1a */
  while (*device_id != '\0') seed = (seed ^ (uint8_t)*device_id++) * 1099511628211U;
  covey_bearing_device_init(&device, seed,
                            (covey_bearing_machine_t)(seed % COVEY_BEARING_MACHINES));
}

bool sensor_read(const uint8_t* parameters, size_t size, int8_t features[SENSOR_FEATURES]) {
  (void)covey_bearing_next_window(&device, samples);
  if (parameters == NULL) {
    int32_t raw[COVEY_BEARING_FEATURES];
    size_t i;
    if (covey_bearing_features_raw(samples, COVEY_BEARING_WINDOW, raw) != COVEY_BEARING_OK) {
      return false;
    }
    for (i = 0; i < SENSOR_FEATURES; ++i) {
      features[i] = (int8_t)(raw[i] < -128 ? -128 : raw[i] > 127 ? 127 : raw[i]);
    }
    return true;
  } else {
    covey_bearing_params_t parsed;
    return covey_bearing_params_parse(parameters, size, &parsed) == COVEY_BEARING_OK &&
           covey_bearing_features(samples, COVEY_BEARING_WINDOW, &parsed, features) ==
               COVEY_BEARING_OK;
  }
}
