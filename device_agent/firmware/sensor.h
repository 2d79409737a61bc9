/* SPDX-License-Identifier: Apache-2.0 */
/* The sensor of the emulated board: the accelerometer of examples/bearing_vibration, and the
 * preprocessing that a release may bring parameters for. */
#ifndef COVEY_FIRMWARE_SENSOR_H
#define COVEY_FIRMWARE_SENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What this preprocessing code is known as in manifests (preprocessing_id). */
#define SENSOR_PREPROCESSING 1U
#define SENSOR_FEATURES 8U

/* The name of the unit decides which machine it sits on. */
void sensor_init(const char* device_id);

/* Takes the next window. Without parameters features are the raw ones, clamped. False when the
 * parameters are not for this firmware. */
bool sensor_read(const uint8_t* parameters, size_t size, int8_t features[SENSOR_FEATURES]);

#endif
