// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/gateway_part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "deploy/artifact/gateway_part_json.hpp"

namespace covey {
namespace {

using Json = nlohmann::json;
constexpr size_t kClassNameBytesMax = 64;
constexpr size_t kProvenanceMax = 32;
constexpr size_t kProvenanceBytesMax = 1024;
constexpr size_t kValidationBytesMax = 64U << 10U;
constexpr int64_t kCountMax = static_cast<int64_t>(kBaselineCountMax);

std::vector<uint64_t> read_counts(JsonDecoder& in, const Json& parent, const std::string& path,
                                  std::string_view name, size_t size_max) {
  std::vector<uint64_t> counts;
  const std::string where = name.empty() ? path : JsonDecoder::join(path, name);
  for (const Json& value : in.array(parent, path, name, size_max)) {
    const std::string entry = JsonDecoder::at(where, counts.size());
    counts.push_back(static_cast<uint64_t>(in.integer_value(value, entry, 0, kCountMax)));
  }
  return counts;
}

bool all_zero(const std::vector<uint64_t>& counts) {
  return std::all_of(counts.begin(), counts.end(), [](uint64_t count) { return count == 0; });
}

FeatureBaseline read_feature(JsonDecoder& in, const Json& json, const std::string& path) {
  constexpr int64_t kLow = std::numeric_limits<int32_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int32_t>::max();
  FeatureBaseline feature;
  feature.name = in.text(json, path, "name", kFeatureNameBytesMax);
  const std::string edges = JsonDecoder::join(path, "edges");
  for (const Json& value : in.array(json, path, "edges", kEdgesMax)) {
    const std::string entry = JsonDecoder::at(edges, feature.edges.size());
    const auto edge = static_cast<int32_t>(in.integer_value(value, entry, kLow, kHigh));
    if (!feature.edges.empty() && edge <= feature.edges.back()) {
      in.fail(entry, "edges must be strictly ascending");
    }
    feature.edges.push_back(edge);
  }
  feature.counts = read_counts(in, json, path, "counts", kEdgesMax + 1);
  feature.min = static_cast<int32_t>(in.integer(json, path, "min", kLow, kHigh));
  feature.max = static_cast<int32_t>(in.integer(json, path, "max", kLow, kHigh));
  if (feature.counts.size() != feature.edges.size() + 1) {
    in.fail(JsonDecoder::join(path, "counts"),
            fmt::format("expected one count for each of the {} bins, got {}",
                        feature.edges.size() + 1, feature.counts.size()));
  }
  if (all_zero(feature.counts)) {
    in.fail(JsonDecoder::join(path, "counts"), "counts nothing: a baseline needs data");
  }
  if (feature.min > feature.max) in.fail(JsonDecoder::join(path, "min"), "is above max");
  return feature;
}

void read_confidence(JsonDecoder& in, const Json& json, GatewayPart& part) {
  part.confidence_counts = read_counts(in, json, "", "confidence_counts", kConfidenceBins);
  for (const Json& value : in.array(json, "", "calibration", kConfidenceBins)) {
    const std::string path = JsonDecoder::at("calibration", part.calibration.size());
    CalibrationBin bin;
    bin.n = static_cast<uint64_t>(in.integer(value, path, "n", 0, kCountMax));
    bin.correct = static_cast<uint64_t>(in.integer(value, path, "correct", 0, kCountMax));
    if (bin.correct > bin.n) in.fail(path, "has more correct ones than samples");
    part.calibration.push_back(bin);
  }
  for (const auto& [name, size] : {std::pair{"confidence_counts", part.confidence_counts.size()},
                                   std::pair{"calibration", part.calibration.size()}}) {
    if (size != 0 && size != kConfidenceBins) {
      in.fail(name, "expected one entry for each of 16 confidence bins, or none");
    }
  }
}

void read_confusion(JsonDecoder& in, const Json& json, GatewayPart& part) {
  for (const Json& row : in.array(json, "", "confusion", kClassesMax)) {
    const std::string path = JsonDecoder::at("confusion", part.confusion.size());
    part.confusion.push_back(read_counts(in, row, path, "", kClassesMax));
    if (part.confusion.back().size() != part.classes.size()) {
      in.fail(path, "expected one count per class");
    }
  }
  if (part.confusion.size() != part.classes.size()) {
    in.fail("confusion", "expected one row per class");
  }
}

void read_texts(JsonDecoder& in, const Json& json, GatewayPart& part) {
  if (in.ok() && json.contains("provenance")) {
    const Json& provenance = in.object(json, "", "provenance");
    if (provenance.size() > kProvenanceMax) in.fail("provenance", "has more than 32 entries");
    for (const auto& [key, value] : provenance.items()) {
      const std::string path = JsonDecoder::join("provenance", key.substr(0, 64));
      part.provenance[key] = in.text_value(value, path, kProvenanceBytesMax);
    }
  }
  if (in.ok() && json.contains("validation")) {
    part.validation =
        in.object(json, "", "validation").dump(-1, ' ', false, Json::error_handler_t::replace);
    if (part.validation.size() > kValidationBytesMax) {
      in.fail("validation", "is larger than 64 KiB");
    }
  }
}

Json to_json(const GatewayPart& part) {
  Json features = Json::array();
  for (const FeatureBaseline& feature : part.features) {
    features.push_back({{"name", feature.name},
                        {"edges", feature.edges},
                        {"counts", feature.counts},
                        {"min", feature.min},
                        {"max", feature.max}});
  }
  Json calibration = Json::array();
  for (const CalibrationBin& bin : part.calibration) {
    calibration.push_back({{"n", bin.n}, {"correct", bin.correct}});
  }
  return {{"model", part.model.str()},
          {"version", to_string(part.version)},
          {"classes", part.classes},
          {"features", std::move(features)},
          {"class_counts", part.class_counts},
          {"confidence_counts", part.confidence_counts},
          {"calibration", std::move(calibration)},
          {"confusion", part.confusion},
          {"provenance", part.provenance}};
}

}  // namespace

GatewayPart read_gateway_part(JsonDecoder& in, const Json& json) {
  GatewayPart part;
  const std::string model = in.text(json, "", "model", 31);
  if (in.ok()) {
    Result<ModelName> name = ModelName::parse(model);
    if (name) {
      part.model = *std::move(name);
    } else {
      in.fail("model", name.error().message);
    }
  }
  const std::string version = in.text(json, "", "version", 32);
  if (in.ok()) {
    const Result<Version> parsed = Version::parse(version);
    if (parsed) {
      part.version = *parsed;
    } else {
      in.fail("version", parsed.error().message);
    }
  }
  for (const Json& value : in.array(json, "", "classes", kClassesMax)) {
    const std::string path = JsonDecoder::at("classes", part.classes.size());
    std::string name = in.text_value(value, path, kClassNameBytesMax);
    if (std::find(part.classes.begin(), part.classes.end(), name) != part.classes.end()) {
      in.fail(path, "'" + name + "' is named twice");
    }
    part.classes.push_back(std::move(name));
  }
  for (const Json& value : in.array(json, "", "features", kFeaturesMax)) {
    const std::string path = JsonDecoder::at("features", part.features.size());
    part.features.push_back(read_feature(in, value, path));
  }
  part.class_counts = read_counts(in, json, "", "class_counts", kClassesMax);
  if (part.class_counts.size() != part.classes.size()) {
    in.fail("class_counts", "expected one count per class");
  }
  read_confidence(in, json, part);
  read_confusion(in, json, part);
  read_texts(in, json, part);
  return part;
}

Result<GatewayPart> decode_gateway_part(ByteView bytes) {
  JsonDecoder in;
  const Json json = in.parse(bytes, kGatewayPartBytesMax);
  GatewayPart part = read_gateway_part(in, json);
  if (!in.ok()) return in.error();
  // The same rules that a device's tables have: names, number of features.
  if (Status valid = validate(tables_of(part, {})); !valid) {
    return invalid("GATEWAY_PART_INVALID", valid.error().message);
  }
  return part;
}

Result<Bytes> encode(const GatewayPart& part) {
  Json json = to_json(part);
  Json validation = Json::parse(part.validation, nullptr, false);
  if (!validation.is_object()) {
    return invalid("GATEWAY_PART_INVALID", "validation: is not a JSON object");
  }
  json["validation"] = std::move(validation);
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  Bytes bytes(text.begin(), text.end());
  // What can't be read back must not be signed.
  if (const Result<GatewayPart> again = decode_gateway_part(bytes); !again) return again.error();
  return bytes;
}

TelemetryTables tables_of(const GatewayPart& part, std::vector<uint32_t> sample_probability) {
  TelemetryTables tables;
  for (const FeatureBaseline& feature : part.features) {
    tables.features.push_back({feature.name, feature.edges, feature.min, feature.max});
  }
  tables.classes = static_cast<uint32_t>(part.classes.size());
  tables.sample_probability = std::move(sample_probability);
  return tables;
}

}  // namespace covey
