/* The telemetry tables of a release: bin edges, classes, sampling probabilities. */
#include "internal.h"

#define PROBABILITY_ONE 65536U

static bool int32_of(uint64_t raw, int32_t* value) {
  *value = covey_unzigzag(raw);
  return raw <= UINT32_MAX;
}

static bool parse_feature(covey_bytes_t bytes, covey_tables_t* out, unsigned index) {
  covey_reader_t r = covey_reader_of(bytes.bytes, bytes.size);
  covey_field_t f;
  unsigned edges = 0;
  int32_t value = 0;
  int32_t last = 0;
  int32_t bounds[2] = {0, 0};
  while (covey_read(&r, &f)) {
    if (f.number == 2 && f.type == COVEY_BYTES) {
      covey_reader_t packed = covey_reader_of(f.bytes, f.size);
      while (packed.at != packed.end) {
        uint64_t raw;
        if (!covey_read_varint(&packed, &raw) || !int32_of(raw, &value) ||
            edges == COVEY_BINS_MAX - 1 || (edges != 0 && value <= last)) {
          return false;
        }
        last = value;
        if (out != NULL) out->edges[index][edges] = value;
        ++edges;
      }
    }
    if ((f.number == 3 || f.number == 4) &&
        (f.type != COVEY_VARINT || !int32_of(f.value, &bounds[f.number - 3]))) {
      return false;
    }
  }
  if (out != NULL) {
    out->edge_counts[index] = (uint8_t)edges;
    out->training_min[index] = bounds[0];
    out->training_max[index] = bounds[1];
  }
  return !r.malformed;
}

int covey_tables_parse(covey_bytes_t message, covey_tables_t* out) {
  covey_reader_t r;
  covey_field_t f;
  unsigned features = 0;
  unsigned bins = 0;
  uint64_t classes = 0;
  if (out != NULL) {
    memset(out, 0, sizeof *out);
    out->class_count = COVEY_CLASSES_MAX;
  }
  if (message.size == 0) return COVEY_OK;
  r = covey_reader_of(message.bytes, message.size);
  while (covey_read(&r, &f)) {
    if (f.number == 1 && f.type == COVEY_BYTES) {
      covey_bytes_t feature;
      feature.bytes = f.bytes;
      feature.size = f.size;
      if (features == COVEY_FEATURES_MAX || !parse_feature(feature, out, features)) {
        return COVEY_ERROR_TABLES_INVALID;
      }
      ++features;
    } else if (f.number == 2 && f.type == COVEY_VARINT) {
      classes = f.value;
    } else if (f.number == 3 && f.type == COVEY_BYTES) {
      covey_reader_t packed = covey_reader_of(f.bytes, f.size);
      while (packed.at != packed.end) {
        uint64_t probability;
        if (!covey_read_varint(&packed, &probability) || probability > PROBABILITY_ONE ||
            bins == COVEY_CONFIDENCE_BINS) {
          return COVEY_ERROR_TABLES_INVALID;
        }
        if (out != NULL) out->sample_probability[bins] = (uint32_t)probability;
        ++bins;
      }
    }
  }
  if (r.malformed || classes > COVEY_CLASSES_MAX) return COVEY_ERROR_TABLES_INVALID;
  if (out != NULL) {
    out->feature_count = (uint8_t)features;
    if (classes != 0) out->class_count = (uint8_t)classes;
  }
  return COVEY_OK;
}
