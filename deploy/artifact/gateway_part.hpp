// SPDX-License-Identifier: Apache-2.0
// The gateway part of a release: what an MCU never sees and the gateway judges by. True baseline
// counts, calibration map, confusion matrix, provenance. Its exact bytes (canonical JSON: keys
// sorted, no spaces) are bound by the manifest's gateway_part_digest. Pure; any thread.
// Errors: GATEWAY_PART_INVALID, the message names the path, e.g. "features[2].edges[4]".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "deploy/artifact/selftest.hpp"
#include "deploy/artifact/telemetry_tables.hpp"

namespace covey {

inline constexpr size_t kGatewayPartBytesMax = 256U << 10U;
inline constexpr uint64_t kBaselineCountMax = 1ULL << 40U;  // sums of them fit 64 bits

struct FeatureBaseline {
  std::string name;
  std::vector<int32_t> edges;    // strictly ascending, right-closed
  std::vector<uint64_t> counts;  // edges + 1
  int32_t min = 0;               // of the training data
  int32_t max = 0;

  bool operator==(const FeatureBaseline&) const = default;
};

struct CalibrationBin {
  uint64_t n = 0;
  uint64_t correct = 0;

  bool operator==(const CalibrationBin&) const = default;
};

struct GatewayPart {
  ModelName model;
  Version version;
  std::vector<std::string> classes;
  std::vector<FeatureBaseline> features;
  std::vector<uint64_t> class_counts;
  std::vector<uint64_t> confidence_counts;        // 16 bins, or empty: no confidence
  std::vector<CalibrationBin> calibration;        // per confidence bin
  std::vector<std::vector<uint64_t>> confusion;   // [truth][predicted]
  std::map<std::string, std::string> provenance;  // free text: data set, commit, pipeline
  std::string validation = "{}";                  // canonical JSON object, shown, never judged by

  bool operator==(const GatewayPart&) const = default;
};

Result<Bytes> encode(const GatewayPart& part);
Result<GatewayPart> decode_gateway_part(ByteView json);

// What a training pipeline writes beside a .tflite (stats.json): the gateway part and the self-test
// vectors ("selftest": [{"input": [int8...], "output": [int8...]}], "selftest_tolerance"). It may
// have a QuantTree ("joint": [{"feature": NAME, "threshold": int, "above": bool}, ...]).
struct TrainingStatistics {
  GatewayPart part;
  Selftest selftest;
  std::vector<JointNode> joint;  // of the tables
};
Result<TrainingStatistics> decode_training_statistics(ByteView json);

// The edges a device needs to count as the baseline did. `sample_probability`: see TelemetryTables.
TelemetryTables tables_of(const GatewayPart& part, std::vector<uint32_t> sample_probability);

}  // namespace covey
