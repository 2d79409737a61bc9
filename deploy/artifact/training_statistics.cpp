// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "deploy/artifact/gateway_part.hpp"
#include "deploy/artifact/gateway_part_json.hpp"

namespace covey {
namespace {

constexpr size_t kStatisticsBytesMax = 4U << 20U;  // self-test vectors as text
constexpr size_t kTensorBytesMax = 65'535;

Bytes read_tensor(JsonDecoder& in, const nlohmann::json& parent, const std::string& path,
                  std::string_view name) {
  Bytes bytes;
  const std::string where = JsonDecoder::join(path, name);
  for (const nlohmann::json& value : in.array(parent, path, name, kTensorBytesMax)) {
    const std::string entry = JsonDecoder::at(where, bytes.size());
    bytes.push_back(static_cast<uint8_t>(in.integer_value(value, entry, -128, 127)));
  }
  return bytes;
}

// Nodes name features as everything else in the file does; on the wire they are indices.
JointNode read_node(JsonDecoder& in, const nlohmann::json& value, const std::string& path,
                    const GatewayPart& part) {
  JointNode node;
  const std::string name = in.text(value, path, "feature", kFeatureNameBytesMax);
  const auto named = [&](const FeatureBaseline& feature) { return feature.name == name; };
  const auto found = std::find_if(part.features.begin(), part.features.end(), named);
  if (in.ok() && found == part.features.end()) {
    in.fail(JsonDecoder::join(path, "feature"), "there is no feature '" + name + "'");
  }
  node.feature = static_cast<uint32_t>(found - part.features.begin());
  node.threshold = static_cast<int32_t>(in.integer(value, path, "threshold", INT16_MIN, INT16_MAX));
  if (in.ok() && (!value.contains("above") || !value["above"].is_boolean())) {
    in.fail(JsonDecoder::join(path, "above"), "expected true or false");
  }
  if (in.ok()) node.above = value["above"].get<bool>();
  return node;
}

}  // namespace

Result<TrainingStatistics> decode_training_statistics(ByteView bytes) {
  JsonDecoder in;
  const nlohmann::json json = in.parse(bytes, kStatisticsBytesMax);
  TrainingStatistics statistics;
  statistics.part = read_gateway_part(in, json);
  for (const nlohmann::json& value : in.array(json, "", "selftest", kSelftestVectorsMax)) {
    const std::string path = JsonDecoder::at("selftest", statistics.selftest.vectors.size());
    SelftestVector vector;
    vector.input = read_tensor(in, value, path, "input");
    vector.output = read_tensor(in, value, path, "output");
    statistics.selftest.vectors.push_back(std::move(vector));
  }
  if (in.ok() && json.contains("selftest_tolerance")) {
    statistics.selftest.tolerance =
        static_cast<uint8_t>(in.integer(json, "", "selftest_tolerance", 0, 255));
  }
  if (in.ok() && json.contains("joint")) {
    for (const nlohmann::json& value : in.array(json, "", "joint", kJointNodesMax)) {
      const std::string path = JsonDecoder::at("joint", statistics.joint.size());
      statistics.joint.push_back(read_node(in, value, path, statistics.part));
    }
  }
  if (!in.ok()) return in.error();
  if (Result<Bytes> part = encode(statistics.part); !part) return part.error();
  if (Result<Bytes> selftest = encode(statistics.selftest); !selftest) return selftest.error();
  return statistics;
}

}  // namespace covey
