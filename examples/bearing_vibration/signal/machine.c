/* SPDX-License-Identifier: Apache-2.0 */
#include "examples/bearing_vibration/signal/machine.h"

#include <stddef.h>
#include <string.h>

const int covey_bearing_class_percent[COVEY_BEARING_CLASSES] = {40, 20, 20, 20};

static const char* const class_names[COVEY_BEARING_CLASSES] = {"normal", "outer-race", "inner-race",
                                                               "unbalance"};
static const char* const machine_names[COVEY_BEARING_MACHINES] = {"pump", "fan", "press"};

/* The press turns slowly and has many rollers, so that its inner-race rate (81 Hz) is where a
 * pump's outer-race rate (78 Hz) is, and its strokes hit the frame in every condition: a model that
 * never saw a press has no way to know. */
static const covey_bearing_physics_t models[COVEY_BEARING_MACHINES] = {
    [COVEY_BEARING_PUMP] = {.shaft_hz = 24.5,
                            .rolling_elements = 8,
                            .diameter_ratio = 0.20,
                            .resonance_hz = 2100,
                            .damping = 0.05,
                            .harmonic = {450, 220, 110},
                            .tone_order = 5,
                            .tone = 300,
                            .noise = 420,
                            .excitation = 160,
                            .stroke_hz = 0,
                            .stroke = 0,
                            .impact = 2600,
                            .unbalance = 950},
    [COVEY_BEARING_FAN] = {.shaft_hz = 48.5,
                           .rolling_elements = 8,
                           .diameter_ratio = 0.20,
                           .resonance_hz = 2500,
                           .damping = 0.06,
                           .harmonic = {520, 160, 90},
                           .tone_order = 7,
                           .tone = 420,
                           .noise = 340,
                           .excitation = 120,
                           .stroke_hz = 0,
                           .stroke = 0,
                           .impact = 2300,
                           .unbalance = 950},
    [COVEY_BEARING_PRESS] = {.shaft_hz = 10.0,
                             .rolling_elements = 14,
                             .diameter_ratio = 0.16,
                             .resonance_hz = 1600,
                             .damping = 0.05,
                             .harmonic = {480, 300, 200},
                             .tone_order = 12,
                             .tone = 260,
                             .noise = 380,
                             .excitation = 140,
                             .stroke_hz = 30,
                             .stroke = 1400,
                             .impact = 2900,
                             .unbalance = 950},
};

const char* covey_bearing_class_name(covey_bearing_class_t class_id) {
  return class_names[class_id];
}

const char* covey_bearing_machine_name(covey_bearing_machine_t machine) {
  return machine_names[machine];
}

bool covey_bearing_machine_from_name(const char* name, covey_bearing_machine_t* machine) {
  for (int i = 0; i < COVEY_BEARING_MACHINES; i++) {
    if (strcmp(name, machine_names[i]) == 0) {
      *machine = (covey_bearing_machine_t)i;
      return true;
    }
  }
  return false;
}

const covey_bearing_physics_t* covey_bearing_physics_of(covey_bearing_machine_t machine) {
  return &models[machine];
}
