/* The telemetry tables of a release: bin edges, classes, sampling probabilities. */
#include "internal.h"

#define PROBABILITY_ONE 65536U

/* Values are 16 bits wide; an edge beyond them separates nothing. */
static int16_t narrow(int32_t value) {
  return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

/* covey.device.v1.FeatureTable, numbers as they come: zigzag */
typedef struct feature {
  uint32_t training_min;
  uint32_t training_max;
} feature_t;

static const covey_member_t feature_members[] = {
    COVEY_MEMBER(3, COVEY_MEMBER_U32, feature_t, training_min),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, feature_t, training_max), COVEY_MEMBERS_END};

static bool parse_feature(covey_bytes_t message, covey_tables_t* out, unsigned index) {
  covey_reader_t r = covey_reader_of(message);
  covey_bytes_t packed;
  feature_t feature;
  unsigned edges = 0;
  int32_t last = 0;
  if (!covey_read_members(message, feature_members, &feature, sizeof feature)) return false;
  while (covey_read_next(&r, 2, &packed)) {
    covey_reader_t numbers = covey_reader_of(packed);
    while (numbers.at != numbers.end) {
      uint64_t raw;
      int32_t value;
      if (!covey_read_varint(&numbers, &raw) || raw > UINT32_MAX) return false;
      value = covey_unzigzag(raw);
      if (edges == COVEY_BINS_MAX - 1 || (edges != 0 && value <= last)) return false;
      last = value;
      if (out != NULL) out->edges[index][edges] = narrow(value);
      ++edges;
    }
  }
  if (out != NULL) {
    out->edge_counts[index] = (uint8_t)edges;
    out->training_min[index] = narrow(covey_unzigzag(feature.training_min));
    out->training_max[index] = narrow(covey_unzigzag(feature.training_max));
  }
  return true;
}

static bool parse_probabilities(covey_bytes_t packed, covey_tables_t* out) {
  covey_reader_t numbers = covey_reader_of(packed);
  unsigned bin;
  for (bin = 0; numbers.at != numbers.end; ++bin) {
    uint64_t probability;
    if (bin == COVEY_CONFIDENCE_BINS || !covey_read_varint(&numbers, &probability) ||
        probability > PROBABILITY_ONE) {
      return false;
    }
    if (out != NULL) out->sample_probability[bin] = (uint32_t)probability;
  }
  return true;
}

/* covey.device.v1.TelemetryTables */
typedef struct tables {
  covey_bytes_t probabilities;
  uint32_t classes;
} tables_t;

static const covey_member_t tables_members[] = {
    COVEY_MEMBER(2, COVEY_MEMBER_U32, tables_t, classes),
    COVEY_MEMBER(3, COVEY_MEMBER_BYTES, tables_t, probabilities), COVEY_MEMBERS_END};

int covey_tables_parse(covey_bytes_t message, covey_tables_t* out) {
  covey_reader_t r = covey_reader_of(message);
  covey_bytes_t feature;
  tables_t tables;
  unsigned features;
  if (out != NULL) memset(out, 0, sizeof *out);
  if (!covey_read_members(message, tables_members, &tables, sizeof tables) ||
      tables.classes > COVEY_CLASSES_MAX || !parse_probabilities(tables.probabilities, out)) {
    return COVEY_ERROR_TABLES_INVALID;
  }
  for (features = 0; covey_read_next(&r, 1, &feature); ++features) {
    if (features == COVEY_FEATURES_MAX || !parse_feature(feature, out, features)) {
      return COVEY_ERROR_TABLES_INVALID;
    }
  }
  if (out != NULL) {
    out->feature_count = (uint8_t)features;
    out->class_count = (uint8_t)(tables.classes != 0 ? tables.classes : COVEY_CLASSES_MAX);
  }
  return COVEY_OK;
}
