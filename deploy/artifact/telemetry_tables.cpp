// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/telemetry_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

#include "deploy/artifact/wire.hpp"

namespace covey {
namespace {

constexpr std::string_view kTablesReason = "TABLES_INVALID";
const wire::Reader kTablesReader("tables", kTablesReason);

std::string at(size_t feature, std::string_view field) {
  return fmt::format("features[{}].{}", feature, field);
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

Result<FeatureTable> read_feature(ByteView bytes, size_t index) {
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return kTablesReader.error(at(index, ""), fields.error().message);
  FeatureTable feature;
  for (const wire::Field& field : *fields) {
    Status read;
    if (field.number == 1) {
      std::string_view name;
      read = kTablesReader.text(field, at(index, "name"), kFeatureNameBytesMax, name);
      feature.name = name;
    } else if (field.number == 2) {
      std::vector<uint32_t> edges;
      read = kTablesReader.packed(field, at(index, "edges"), kEdgesMax, edges);
      for (const uint32_t edge : edges) feature.edges.push_back(wire::unzigzag(edge));
    } else if (field.number == 3) {
      read = kTablesReader.sint32(field, at(index, "training_min"), feature.training_min);
    } else if (field.number == 4) {
      read = kTablesReader.sint32(field, at(index, "training_max"), feature.training_max);
    }
    if (!read) return read.error();
  }
  return feature;
}

Result<JointNode> read_node(ByteView bytes, size_t index) {
  const std::string path = fmt::format("joint[{}]", index);
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return kTablesReader.error(path, fields.error().message);
  JointNode node;
  for (const wire::Field& field : *fields) {
    Status read;
    uint32_t above = 0;
    if (field.number == 1) {
      read = kTablesReader.u32(field, path + ".feature", node.feature);
    } else if (field.number == 2) {
      read = kTablesReader.sint32(field, path + ".threshold", node.threshold);
    } else if (field.number == 3) {
      read = kTablesReader.u32(field, path + ".above", above);
      node.above = above != 0;
    }
    if (!read) return read.error();
  }
  return node;
}

}  // namespace

Status validate(const TelemetryTables& tables) {
  if (tables.features.size() > kFeaturesMax) {
    return kTablesReader.error("features", fmt::format("has more than {} entries", kFeaturesMax));
  }
  if (tables.classes > kClassesMax) {
    return kTablesReader.error("classes", fmt::format("at most {} are counted", kClassesMax));
  }
  for (size_t i = 0; i < tables.features.size(); ++i) {
    const FeatureTable& feature = tables.features[i];
    if (feature.name.empty() || feature.name.size() > kFeatureNameBytesMax ||
        !is_printable(feature.name)) {
      return kTablesReader.error(at(i, "name"),
                                 "expected 1 to 32 printable characters without spaces");
    }
    for (size_t j = 0; j < i; ++j) {
      if (tables.features[j].name == feature.name) {
        return kTablesReader.error(at(i, "name"), "'" + feature.name + "' is used twice");
      }
    }
    if (feature.edges.size() > kEdgesMax) {
      return kTablesReader.error(at(i, "edges"),
                                 fmt::format("has more than {} entries", kEdgesMax));
    }
    if (std::adjacent_find(feature.edges.begin(), feature.edges.end(), std::greater_equal<>()) !=
        feature.edges.end()) {
      return kTablesReader.error(at(i, "edges"), "must be strictly ascending");
    }
    if (feature.training_min > feature.training_max) {
      return kTablesReader.error(at(i, "training_min"), "is above training_max");
    }
  }
  if (tables.joint.size() > kJointNodesMax) {
    return kTablesReader.error("joint", fmt::format("has more than {} nodes", kJointNodesMax));
  }
  for (size_t i = 0; i < tables.joint.size(); ++i) {
    if (tables.joint[i].feature >= tables.features.size()) {
      return kTablesReader.error(fmt::format("joint[{}].feature", i),
                                 fmt::format("there are only {} features", tables.features.size()));
    }
  }
  if (!tables.sample_probability.empty() && tables.sample_probability.size() != kConfidenceBins) {
    return kTablesReader.error("sample_probability",
                               "expected one entry for each of 16 confidence bins");
  }
  for (const uint32_t probability : tables.sample_probability) {
    if (probability > kProbabilityOne) {
      return kTablesReader.error("sample_probability", "an entry is above 65536, which is always");
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
    return invalid(
        std::string(kTablesReason),
        fmt::format("tables: have {} bytes, at most {} are allowed: use fewer features or bins",
                    bytes.size(), kTablesBytesMax));
  }
  return bytes;
}

Result<TelemetryTables> decode_tables(ByteView bytes) {
  if (bytes.size() > kTablesBytesMax) {
    return invalid(std::string(kTablesReason),
                   fmt::format("tables: have {} bytes, at most {} are allowed", bytes.size(),
                               kTablesBytesMax));
  }
  const Result<std::vector<wire::Field>> fields = wire::split(bytes);
  if (!fields) return invalid(std::string(kTablesReason), "tables: " + fields.error().message);
  TelemetryTables tables;
  for (const wire::Field& field : *fields) {
    if (field.number == 1) {
      ByteView value;
      if (Status read = kTablesReader.bytes(field, "features", kTablesBytesMax, value); !read) {
        return read.error();
      }
      if (tables.features.size() >= kFeaturesMax) {
        return kTablesReader.error("features",
                                   fmt::format("has more than {} entries", kFeaturesMax));
      }
      Result<FeatureTable> feature = read_feature(value, tables.features.size());
      if (!feature) return feature.error();
      tables.features.push_back(*std::move(feature));
    } else if (field.number == 2) {
      if (Status read = kTablesReader.u32(field, "classes", tables.classes); !read)
        return read.error();
    } else if (field.number == 3) {
      if (Status read = kTablesReader.packed(field, "sample_probability", kConfidenceBins,
                                             tables.sample_probability);
          !read) {
        return read.error();
      }
    } else if (field.number == 4) {
      ByteView value;
      if (Status read = kTablesReader.bytes(field, "joint", kTablesBytesMax, value); !read) {
        return read.error();
      }
      if (tables.joint.size() >= kJointNodesMax) {
        return kTablesReader.error("joint", fmt::format("has more than {} nodes", kJointNodesMax));
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
