/* SPDX-License-Identifier: Apache-2.0 */
/* From a window of accelerometer samples to the int8 input of the model, as firmware does it.
 *
 * Integers only, no malloc, no state between windows, no global: reentrant, callable from any
 * thread or task (not from an ISR: some ten thousand operations per window). Stack: under 1 KB.
 *
 * The features, in the order of the model's input. "Q8" is a number times 256; all logarithms are
 * base 2. Only `rms` depends on the sensor's gain; the others are ratios, rates and shapes.
 *
 *   0 rms              log2 of the root mean square, in LSB, Q8
 *   1 kurtosis         log2 of (fourth moment / squared second moment), Q8
 *   2 zero_crossings   sign changes per window of 512 samples
 *   3 low_band         log2 of (energy below about 120 Hz / all energy), Q8
 *   4 high_band        log2 of (energy above about 1 kHz / all energy), Q8
 *   5 envelope_crest   log2 of (peak / mean) of the high band's envelope, Q8
 *   6 impact_period    log2 of the lag, in samples, where that envelope best repeats itself, Q8
 *   7 impact_strength  the envelope's autocorrelation at that lag / at lag 0, Q8
 *
 * A flat-lined sensor has no energy: every feature of it is defined (logarithm of 0 is 0). So is an
 * envelope without any peak: its period and strength are 0. */
#ifndef COVEY_BEARING_FEATURES_H
#define COVEY_BEARING_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COVEY_BEARING_FEATURES 8
#define COVEY_BEARING_SAMPLES_MIN 256 /* fewer hold too few beats of a slow machine */
#define COVEY_BEARING_SAMPLES_MAX 512

typedef enum covey_bearing_status {
  COVEY_BEARING_OK = 0,
  COVEY_BEARING_BAD_SAMPLE_COUNT = -1, /* not a multiple of 4 within the bounds above */
  COVEY_BEARING_BAD_SIZE = -2,         /* the blob is not exactly as long as its version says */
  COVEY_BEARING_BAD_MAGIC = -3,        /* not a preprocessing blob: does not start with "CBVP" */
  COVEY_BEARING_BAD_VERSION = -4,      /* written by a newer train.py: update the firmware */
  COVEY_BEARING_BAD_FEATURE_COUNT = -5,
  COVEY_BEARING_BAD_MULTIPLIER = -6, /* outside 1 .. 32767 */
  COVEY_BEARING_BAD_SHIFT = -7,      /* outside 1 .. 30 */
  COVEY_BEARING_BAD_OFFSET = -8,     /* outside +-32767 */
  COVEY_BEARING_BAD_PADDING = -9     /* reserved bytes are not 0 */
} covey_bearing_status_t;

/* Static text for a status: what is wrong, in words. */
const char* covey_bearing_status_text(covey_bearing_status_t status);

/* Static name of feature i ("rms", ...), as used in stats.json; i below COVEY_BEARING_FEATURES. */
const char* covey_bearing_feature_name(size_t i);

/* int8 = clamp(round((raw - offset) * multiplier / 2^shift), -128, 127), halves rounded up. */
typedef struct covey_bearing_scaling {
  int32_t offset;
  int32_t multiplier;
  int32_t shift;
} covey_bearing_scaling_t;

typedef struct covey_bearing_params {
  covey_bearing_scaling_t feature[COVEY_BEARING_FEATURES];
} covey_bearing_params_t;

/* The blob, little-endian: "CBVP", version u8 (1), feature count u8 (8), u16 0; then per feature
 * offset i16, multiplier u16, shift u8, u8 0. It travels with the model, so every value is checked;
 * on an error *params is unchanged. */
#define COVEY_BEARING_PARAMS_SIZE (8 + 6 * COVEY_BEARING_FEATURES)
covey_bearing_status_t covey_bearing_params_parse(const uint8_t* blob, size_t size,
                                                  covey_bearing_params_t* params);

/* The features in their natural units; n as bounded above. On an error raw is unchanged. */
covey_bearing_status_t covey_bearing_features_raw(const int16_t* samples, size_t n,
                                                  int32_t raw[COVEY_BEARING_FEATURES]);
int8_t covey_bearing_scale(const covey_bearing_scaling_t* scaling, int32_t raw);
/* Both: what firmware calls. On an error out is unchanged. */
covey_bearing_status_t covey_bearing_features(const int16_t* samples, size_t n,
                                              const covey_bearing_params_t* params,
                                              int8_t out[COVEY_BEARING_FEATURES]);

#ifdef __cplusplus
}
#endif
#endif
