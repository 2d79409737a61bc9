/* SPDX-License-Identifier: Apache-2.0 */
/* The physical world of the example: a rotating machine, its bearing and the accelerometer on it.
 *
 * One covey_bearing_device_t is one sensor; it is a plain value that the caller owns (copyable, no
 * pointers inside, no allocation). Not thread-safe per device, different devices are independent.
 * Nothing fails. The same seed and the same calls give the same samples on every x86-64 build.
 *
 * Modifiers change what the sensor shows from the next window on. They draw from random streams
 * of their own, so a device with a modifier sees the same world, window by window, as without it.
 */
#ifndef COVEY_BEARING_GENERATOR_H
#define COVEY_BEARING_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "examples/bearing_vibration/signal/machine.h"
#include "examples/bearing_vibration/signal/random.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COVEY_BEARING_SAMPLE_HZ 6400
#define COVEY_BEARING_WINDOW 512 /* samples of one inference, 80 ms */

typedef struct covey_bearing_device {
  covey_bearing_machine_t machine;

  /* How this unit differs from its data sheet; drawn once from the seed. */
  double unit_gain;
  double unit_noise; /* the sensor's own noise, LSB */
  double unit_resonance;
  double unit_speed;

  /* Modifiers. */
  double gain_factor; /* 1: healthy; 0.5: the sensor lost half its gain */
  double added_noise; /* standard deviation in LSB, 0: none */
  bool stuck;         /* repeats the last good sample for ever */
  int class_dwell;    /* mean windows a class lasts, at least 1; 1: every window is drawn anew */

  covey_bearing_class_t class_id;
  int16_t last_sample;
  covey_bearing_random_t classes; /* one stream per concern: see above */
  covey_bearing_random_t world;
  covey_bearing_random_t disturbance;
} covey_bearing_device_t;

/* A healthy device; the seed decides the unit's spread, its classes and its signals. */
void covey_bearing_device_init(covey_bearing_device_t* device, uint64_t seed,
                               covey_bearing_machine_t machine);
/* The sensor was moved to another machine (the unit keeps its own spread). */
void covey_bearing_set_machine(covey_bearing_device_t* device, covey_bearing_machine_t machine);
/* Clamped to [0, 16]. */
void covey_bearing_set_gain_factor(covey_bearing_device_t* device, double factor);
/* Clamped to [0, 32767] LSB. */
void covey_bearing_set_added_noise(covey_bearing_device_t* device, double lsb);
void covey_bearing_set_stuck(covey_bearing_device_t* device, bool stuck);
/* Below 1 is 1. The stationary mix is covey_bearing_class_percent whatever the dwell. */
void covey_bearing_set_class_dwell(covey_bearing_device_t* device, int windows);

/* Draws the next window; returns what the machine's true condition was while it was taken. */
covey_bearing_class_t covey_bearing_next_window(covey_bearing_device_t* device,
                                                int16_t samples[COVEY_BEARING_WINDOW]);

#ifdef __cplusplus
}
#endif
#endif
