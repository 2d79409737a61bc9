#include "deploy/artifact/telemetry_tables.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "deploy/artifact/wire.hpp"

namespace covey {
namespace {

constexpr std::string_view kReason = "TABLES_INVALID";
const wire::Reader kReader("tables", kReason);

std::string at(size_t feature, std::string_view field) {
  return "features[" + std::to_string(feature) + "]." + std::string(field);
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

Result<FeatureTable> read_feature(ByteView bytes, size_t index) {
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return kReader.error(at(index, ""), fields.error().message);
  FeatureTable feature;
  for (const wire::Field& field : *fields) {
    Status read;
    if (field.number == 1) {
      std::string_view name;
      read = kReader.text(field, at(index, "name"), kFeatureNameBytesMax, name);
      feature.name = name;
    } else if (field.number == 2) {
      std::vector<uint32_t> edges;
      read = kReader.packed(field, at(index, "edges"), kEdgesMax, edges);
      for (const uint32_t edge : edges) feature.edges.push_back(wire::unzigzag(edge));
    } else if (field.number == 3) {
      read = kReader.sint32(field, at(index, "training_min"), feature.training_min);
    } else if (field.number == 4) {
      read = kReader.sint32(field, at(index, "training_max"), feature.training_max);
    }
    if (!read) return read.error();
  }
  return feature;
}

Result<JointNode> read_node(ByteView bytes, size_t index) {
  const std::string path = "joint[" + std::to_string(index) + "]";
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return kReader.error(path, fields.error().message);
  JointNode node;
  for (const wire::Field& field : *fields) {
    Status read;
    uint32_t above = 0;
    if (field.number == 1) {
      read = kReader.u32(field, path + ".feature", node.feature);
    } else if (field.number == 2) {
      read = kReader.sint32(field, path + ".threshold", node.threshold);
    } else if (field.number == 3) {
      read = kReader.u32(field, path + ".above", above);
      node.above = above != 0;
    }
    if (!read) return read.error();
  }
  return node;
}

}  // namespace

Status validate(const TelemetryTables& tables) {
  if (tables.features.size() > kFeaturesMax) {
    return kReader.error("features", "has more than " + std::to_string(kFeaturesMax) + " entries");
  }
  if (tables.classes > kClassesMax) {
    return kReader.error("classes", "at most " + std::to_string(kClassesMax) + " are counted");
  }
  for (size_t i = 0; i < tables.features.size(); ++i) {
    const FeatureTable& feature = tables.features[i];
    if (feature.name.empty() || feature.name.size() > kFeatureNameBytesMax ||
        !is_printable(feature.name)) {
      return kReader.error(at(i, "name"), "expected 1 to 32 printable characters without spaces");
    }
    for (size_t j = 0; j < i; ++j) {
      if (tables.features[j].name == feature.name) {
        return kReader.error(at(i, "name"), "'" + feature.name + "' is used twice");
      }
    }
    if (feature.edges.size() > kEdgesMax) {
      return kReader.error(at(i, "edges"),
                           "has more than " + std::to_string(kEdgesMax) + " entries");
    }
    if (std::adjacent_find(feature.edges.begin(), feature.edges.end(), std::greater_equal<>()) !=
        feature.edges.end()) {
      return kReader.error(at(i, "edges"), "must be strictly ascending");
    }
    if (feature.training_min > feature.training_max) {
      return kReader.error(at(i, "training_min"), "is above training_max");
    }
  }
  if (tables.joint.size() > kJointNodesMax) {
    return kReader.error("joint", "has more than " + std::to_string(kJointNodesMax) + " nodes");
  }
  for (size_t i = 0; i < tables.joint.size(); ++i) {
    if (tables.joint[i].feature >= tables.features.size()) {
      return kReader.error(
          "joint[" + std::to_string(i) + "].feature",
          "there are only " + std::to_string(tables.features.size()) + " features");
    }
  }
  if (!tables.sample_probability.empty() && tables.sample_probability.size() != kConfidenceBins) {
    return kReader.error("sample_probability", "expected one entry for each of 16 confidence bins");
  }
  for (const uint32_t probability : tables.sample_probability) {
    if (probability > kProbabilityOne) {
      return kReader.error("sample_probability", "an entry is above 65536, which is always");
    }
  }
  return {};
}

Result<Bytes> encode(const TelemetryTables& tables) {
  if (Status valid = validate(tables); !valid) return valid.error();
  wire::Writer writer;
  for (const FeatureTable& feature : tables.features) {
    std::vector<uint64_t> edges;
    for (const int32_t edge : feature.edges) edges.push_back(wire::zigzag(edge));
    wire::Writer inner;
    inner.text(1, feature.name)
        .packed(2, edges)
        .varint(3, wire::zigzag(feature.training_min))
        .varint(4, wire::zigzag(feature.training_max));
    writer.element(1, inner.take());
  }
  writer.varint(2, tables.classes);
  writer.packed(
      3, std::vector<uint64_t>(tables.sample_probability.begin(), tables.sample_probability.end()));
  for (const JointNode& node : tables.joint) {
    wire::Writer inner;
    inner.varint(1, node.feature)
        .varint(2, wire::zigzag(node.threshold))
        .varint(3, node.above ? 1 : 0);
    writer.element(4, inner.take());
  }
  Bytes bytes = writer.take();
  if (bytes.size() > kTablesBytesMax) {
    return invalid(std::string(kReason), "tables: have " + std::to_string(bytes.size()) +
                                             " bytes, at most " + std::to_string(kTablesBytesMax) +
                                             " are allowed: use fewer features or bins");
  }
  return bytes;
}

Result<TelemetryTables> decode_tables(ByteView bytes) {
  if (bytes.size() > kTablesBytesMax) {
    return invalid(std::string(kReason), "tables: have " + std::to_string(bytes.size()) +
                                             " bytes, at most " + std::to_string(kTablesBytesMax) +
                                             " are allowed");
  }
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return invalid(std::string(kReason), "tables: " + fields.error().message);
  TelemetryTables tables;
  for (const wire::Field& field : *fields) {
    if (field.number == 1) {
      ByteView value;
      if (Status read = kReader.bytes(field, "features", kTablesBytesMax, value); !read) {
        return read.error();
      }
      if (tables.features.size() >= kFeaturesMax) {
        return kReader.error("features",
                             "has more than " + std::to_string(kFeaturesMax) + " entries");
      }
      Result<FeatureTable> feature = read_feature(value, tables.features.size());
      if (!feature) return feature.error();
      tables.features.push_back(*std::move(feature));
    } else if (field.number == 2) {
      if (Status read = kReader.u32(field, "classes", tables.classes); !read) return read.error();
    } else if (field.number == 3) {
      if (Status read = kReader.packed(field, "sample_probability", kConfidenceBins,
                                       tables.sample_probability);
          !read) {
        return read.error();
      }
    } else if (field.number == 4) {
      ByteView value;
      if (Status read = kReader.bytes(field, "joint", kTablesBytesMax, value); !read) {
        return read.error();
      }
      if (tables.joint.size() >= kJointNodesMax) {
        return kReader.error("joint", "has more than " + std::to_string(kJointNodesMax) + " nodes");
      }
      const Result<JointNode> node = read_node(value, tables.joint.size());
      if (!node) return node.error();
      tables.joint.push_back(*node);
    }
  }
  if (Status valid = validate(tables); !valid) return valid.error();
  return tables;
}

}  // namespace covey
