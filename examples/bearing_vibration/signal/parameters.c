/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "examples/bearing_vibration/signal/features.h"

enum { kHeaderSize = 8, kEntrySize = 6, kVersion = 1 };

static int32_t read_u16(const uint8_t* p) { return p[0] | p[1] << 8; }

static int32_t read_i16(const uint8_t* p) {
  const int32_t value = read_u16(p);
  return value < 32768 ? value : value - 65536;
}

static covey_bearing_status_t parse_entry(const uint8_t* p, covey_bearing_scaling_t* scaling) {
  scaling->offset = read_i16(p);
  scaling->multiplier = read_u16(p + 2);
  scaling->shift = p[4];
  if (scaling->offset < -32767) return COVEY_BEARING_BAD_OFFSET;
  if (scaling->multiplier < 1 || scaling->multiplier > 32767) return COVEY_BEARING_BAD_MULTIPLIER;
  if (scaling->shift < 1 || scaling->shift > 30) return COVEY_BEARING_BAD_SHIFT;
  if (p[5] != 0) return COVEY_BEARING_BAD_PADDING;
  return COVEY_BEARING_OK;
}

covey_bearing_status_t covey_bearing_params_parse(const uint8_t* blob, size_t size,
                                                  covey_bearing_params_t* params) {
  static const uint8_t magic[4] = {'C', 'B', 'V', 'P'};
  if (size < kHeaderSize) return COVEY_BEARING_BAD_SIZE;
  if (memcmp(blob, magic, sizeof magic) != 0) return COVEY_BEARING_BAD_MAGIC;
  if (blob[4] != kVersion) return COVEY_BEARING_BAD_VERSION;
  if (blob[5] != COVEY_BEARING_FEATURES) return COVEY_BEARING_BAD_FEATURE_COUNT;
  if (read_u16(blob + 6) != 0) return COVEY_BEARING_BAD_PADDING;
  if (size != COVEY_BEARING_PARAMS_SIZE) return COVEY_BEARING_BAD_SIZE;

  covey_bearing_params_t parsed;
  for (size_t i = 0; i < COVEY_BEARING_FEATURES; i++) {
    const covey_bearing_status_t status =
        parse_entry(blob + kHeaderSize + i * kEntrySize, &parsed.feature[i]);
    if (status != COVEY_BEARING_OK) return status;
  }
  *params = parsed;
  return COVEY_BEARING_OK;
}

const char* covey_bearing_status_text(covey_bearing_status_t status) {
  switch (status) {
    case COVEY_BEARING_OK:
      return "ok";
    case COVEY_BEARING_BAD_SAMPLE_COUNT:
      return "sample count is not a multiple of 4 from 256 to 512";
    case COVEY_BEARING_BAD_SIZE:
      return "preprocessing parameters are truncated or have bytes left over";
    case COVEY_BEARING_BAD_MAGIC:
      return "preprocessing parameters do not start with CBVP";
    case COVEY_BEARING_BAD_VERSION:
      return "preprocessing parameters have a version that this firmware does not know";
    case COVEY_BEARING_BAD_FEATURE_COUNT:
      return "preprocessing parameters are not for 8 features";
    case COVEY_BEARING_BAD_MULTIPLIER:
      return "a feature's multiplier is outside 1 to 32767";
    case COVEY_BEARING_BAD_SHIFT:
      return "a feature's shift is outside 1 to 30";
    case COVEY_BEARING_BAD_OFFSET:
      return "a feature's offset is outside -32767 to 32767";
    case COVEY_BEARING_BAD_PADDING:
      return "reserved bytes of the preprocessing parameters are not 0";
  }
  return "unknown status";
}

const char* covey_bearing_feature_name(size_t i) {
  static const char* const names[COVEY_BEARING_FEATURES] = {
      "rms",       "kurtosis",       "zero_crossings", "low_band",
      "high_band", "envelope_crest", "impact_period",  "impact_strength"};
  return names[i];
}
