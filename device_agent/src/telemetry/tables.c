/* SPDX-License-Identifier: Apache-2.0 */
/* The telemetry tables of a release: bin edges, classes, sampling probabilities. */
#include "parts.h"

/* Values are 16 bits wide; an edge beyond them separates nothing. */
static int16_t narrow(int32_t value) {
  return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

/* The numbers of a packed field; negative: more than there is room for, or no numbers. */
static int unpack(covey_bytes_t packed, uint32_t* numbers, int room) {
  int count;
  for (count = 0; packed.size != 0; ++count) {
    uint64_t number;
    if (count == room || !covey_read_varint(&packed, &number) || number > UINT32_MAX) return -1;
    numbers[count] = (uint32_t)number;
  }
  return count;
}

/* covey.device.v1.FeatureTable, numbers as they come: zigzag */
typedef struct feature {
  covey_bytes_t edges;
  uint32_t training_min;
  uint32_t training_max;
} feature_t;

static const covey_member_t feature_members[] = {
    COVEY_MEMBER(2, COVEY_MEMBER_BYTES, feature_t, edges),
    COVEY_MEMBER(3, COVEY_MEMBER_U32, feature_t, training_min),
    COVEY_MEMBER(4, COVEY_MEMBER_U32, feature_t, training_max), COVEY_MEMBERS_END(feature_t)};

static bool parse_feature(covey_bytes_t message, covey_tables_t* out, unsigned index) {
  uint32_t edges[COVEY_BINS_MAX - 1];
  feature_t feature;
  int32_t last = 0;
  int count;
  int i;
  if (!covey_read_members(message, feature_members, &feature)) return false;
  count = unpack(feature.edges, edges, COVEY_BINS_MAX - 1);
  if (count < 0) return false;
  for (i = 0; i < COVEY_BINS_MAX; ++i) {
    const int32_t edge = i < count ? covey_read_unzigzag(edges[i]) : INT32_MAX;
    if (i != 0 && i < count && edge <= last) return false;
    last = edge;
    if (out != NULL) out->features[index].edges[i] = narrow(edge);
  }
  if (out != NULL) {
    out->edge_counts[index] = (uint8_t)count;
    out->features[index].training_min = narrow(covey_read_unzigzag(feature.training_min));
    out->features[index].training_max = narrow(covey_read_unzigzag(feature.training_max));
  }
  return true;
}

#if COVEY_JOINT_LEAVES_MAX > 0
/* covey.device.v1.QuantTreeNode */
typedef struct node {
  uint32_t feature;
  uint32_t threshold;
  uint32_t above;
} node_t;

static const covey_member_t node_members[] = {COVEY_MEMBER(1, COVEY_MEMBER_U32, node_t, feature),
                                              COVEY_MEMBER(2, COVEY_MEMBER_U32, node_t, threshold),
                                              COVEY_MEMBER(3, COVEY_MEMBER_U32, node_t, above),
                                              COVEY_MEMBERS_END(node_t)};

static bool parse_joint(covey_bytes_t message, covey_tables_t* out, unsigned features) {
  covey_bytes_t r = message;
  covey_bytes_t item;
  unsigned count;
  for (count = 0; covey_read_next(&r, 4, &item); ++count) {
    node_t node;
    if (count == COVEY_JOINT_LEAVES_MAX - 1 || !covey_read_members(item, node_members, &node) ||
        node.feature >= features) {
      return false;
    }
    if (out == NULL) continue;
    out->nodes[count].threshold = narrow(covey_read_unzigzag(node.threshold));
    out->nodes[count].feature = (uint8_t)node.feature;
    out->nodes[count].above = node.above != 0;
    out->node_count = (uint8_t)(count + 1);
  }
  return true;
}
#endif

#if COVEY_SAMPLES_MAX > 0
#define PROBABILITY_ONE 65536U

static bool parse_probabilities(covey_bytes_t packed, covey_tables_t* out) {
  uint32_t probabilities[COVEY_CONFIDENCE_BINS];
  int i = unpack(packed, probabilities, COVEY_CONFIDENCE_BINS);
  if (i < 0) return false;
  while (i-- > 0) {
    if (probabilities[i] > PROBABILITY_ONE) return false;
    if (out != NULL) out->sample_probability[i] = probabilities[i];
  }
  return true;
}

#endif

/* covey.device.v1.TelemetryTables */
typedef struct tables {
#if COVEY_SAMPLES_MAX > 0
  covey_bytes_t probabilities;
#endif
  uint32_t classes;
} tables_t;

static const covey_member_t tables_members[] = {
    COVEY_MEMBER(2, COVEY_MEMBER_U32, tables_t, classes),
#if COVEY_SAMPLES_MAX > 0
    COVEY_MEMBER(3, COVEY_MEMBER_BYTES, tables_t, probabilities),
#endif
    COVEY_MEMBERS_END(tables_t)};

int covey_tables_parse(covey_bytes_t message, covey_tables_t* out) {
  covey_bytes_t feature;
  covey_bytes_t r = message;
  tables_t tables;
  unsigned features;
  if (out != NULL) memset(out, 0, sizeof *out);
  if (!covey_read_members(message, tables_members, &tables) || tables.classes > COVEY_CLASSES_MAX) {
    return COVEY_ERROR_TABLES_INVALID;
  }
#if COVEY_SAMPLES_MAX > 0
  if (!parse_probabilities(tables.probabilities, out)) return COVEY_ERROR_TABLES_INVALID;
#endif
  for (features = 0; covey_read_next(&r, 1, &feature); ++features) {
    if (features == COVEY_FEATURES_MAX || !parse_feature(feature, out, features)) {
      return COVEY_ERROR_TABLES_INVALID;
    }
  }
#if COVEY_JOINT_LEAVES_MAX > 0
  if (!parse_joint(message, out, features)) return COVEY_ERROR_TABLES_INVALID;
#endif
  if (out != NULL) {
    out->feature_count = (uint8_t)features;
    out->class_count = (uint8_t)(tables.classes != 0 ? tables.classes : COVEY_CLASSES_MAX);
  }
  return COVEY_OK;
}
