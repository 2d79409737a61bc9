// SPDX-License-Identifier: Apache-2.0
// What a device counts: bin edges per feature, classes, sampling probabilities
// (covey.device.v1.TelemetryTables). Same encoding rules as manifest.hpp. Pure; any thread.
// Errors: TABLES_INVALID, the message names the field.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey {

inline constexpr size_t kTablesBytesMax = 2304;
inline constexpr size_t kFeaturesMax = 16;
inline constexpr size_t kEdgesMax = 15;  // 16 bins
inline constexpr size_t kClassesMax = 16;
inline constexpr size_t kJointNodesMax = 15;  // 16 leaves
inline constexpr size_t kConfidenceBins = 16;
inline constexpr size_t kFeatureNameBytesMax = 32;
inline constexpr uint32_t kProbabilityOne = 65'536;

struct FeatureTable {
  std::string name;
  std::vector<int32_t> edges;  // strictly ascending, right-closed; bins = edges + 1
  int32_t training_min = 0;
  int32_t training_max = 0;

  bool operator==(const FeatureTable&) const = default;
};

// Of a QuantTree: see device.proto.
struct JointNode {
  uint32_t feature = 0;   // index
  int32_t threshold = 0;  // right-closed
  bool above = false;     // matches value > threshold; else value <= threshold

  bool operator==(const JointNode&) const = default;
};

struct TelemetryTables {
  std::vector<FeatureTable> features;
  uint32_t classes = 0;
  std::vector<uint32_t> sample_probability;  // of 65,536 per confidence bin; empty: no sampling
  std::vector<JointNode> joint;              // empty: leaves are not counted

  bool operator==(const TelemetryTables&) const = default;
};

Status validate(const TelemetryTables& tables);
Result<Bytes> encode(const TelemetryTables& tables);
Result<TelemetryTables> decode_tables(ByteView bytes);

}  // namespace covey
