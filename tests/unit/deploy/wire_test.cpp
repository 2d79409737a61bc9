// SPDX-License-Identifier: Apache-2.0
// deploy encodes without generated code; these tests hold it against protobuf's own, both ways.
#include <gtest/gtest.h>

#include <random>

#include "covey/device/v1/device.pb.h"
#include "deploy/artifact/wire.hpp"
#include "tests/unit/deploy/example_artifact.hpp"

namespace covey {
namespace {

namespace pb = device::v1;

std::string text(ByteView bytes) { return {bytes.begin(), bytes.end()}; }
std::string text(const Digest& digest) { return text(ByteView(digest.bytes)); }
Bytes bytes(const google::protobuf::MessageLite& message) {
  const std::string out = message.SerializeAsString();
  return {out.begin(), out.end()};
}

pb::Manifest to_proto(const Manifest& m) {
  pb::Manifest p;
  p.set_format(m.format);
  p.set_model(m.model.str());
  p.set_version(to_string(m.version));
  p.set_artifact_digest(text(m.artifact_digest));
  p.set_image_size_bytes(m.image_size_bytes);
  p.set_chunk_size_bytes(m.chunk_size_bytes);
  p.set_chunk_table_digest(text(m.chunk_table_digest));
  for (const DeviceClass& c : m.device_classes) p.add_device_classes(c.str());
  p.set_runtime(static_cast<uint32_t>(m.runtime));
  p.set_operator_set(m.operator_set);
  p.set_arena_bytes(m.arena_bytes);
  p.set_input_bytes(m.input_bytes);
  p.set_output_bytes(m.output_bytes);
  p.set_model_size_bytes(m.model_size_bytes);
  p.set_preprocessing_size_bytes(m.preprocessing_size_bytes);
  p.set_selftest_size_bytes(m.selftest_size_bytes);
  p.set_preprocessing_digest(text(m.preprocessing_digest));
  p.set_selftest_digest(text(m.selftest_digest));
  p.set_tables_digest(text(m.tables_digest));
  p.set_gateway_part_digest(text(m.gateway_part_digest));
  p.set_security_version(m.security_version);
  p.set_preprocessing_id(m.preprocessing_id);
  return p;
}

pb::TelemetryTables to_proto(const TelemetryTables& tables) {
  pb::TelemetryTables p;
  for (const FeatureTable& feature : tables.features) {
    pb::FeatureTable& f = *p.add_features();
    f.set_name(feature.name);
    for (const int32_t edge : feature.edges) f.add_edges(edge);
    f.set_training_min(feature.training_min);
    f.set_training_max(feature.training_max);
  }
  p.set_classes(tables.classes);
  for (const uint32_t probability : tables.sample_probability)
    p.add_sample_probability(probability);
  for (const JointNode& node : tables.joint) {
    pb::QuantTreeNode& n = *p.add_joint();
    n.set_feature(node.feature);
    n.set_threshold(node.threshold);
    n.set_above(node.above);
  }
  return p;
}

TEST(Wire, ManifestIsWhatProtobufWrites) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    Manifest m = build_artifact(test::example_input())->manifest;
    m.arena_bytes = 1 + static_cast<uint32_t>(random());
    m.operator_set = i % 3 == 0 ? 0 : random();
    m.security_version = i % 2 == 0 ? 0 : static_cast<uint32_t>(random());
    m.preprocessing_id = static_cast<uint32_t>(random()) >> (i % 32);
    m.runtime = i % 2 == 0 ? Runtime::kTfliteInt8 : Runtime::kNative;
    m.version.patch = static_cast<uint32_t>(random());
    const Result<Bytes> ours = encode(m);
    ASSERT_TRUE(ours) << ours.error().message;
    EXPECT_EQ(*ours, bytes(to_proto(m)));
    const Result<Manifest> back = decode_manifest(bytes(to_proto(m)));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, m);
  }
}

TEST(Wire, TablesAreWhatProtobufWrites) {
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    TelemetryTables tables;
    tables.classes = static_cast<uint32_t>(random() % 17);
    for (uint32_t f = 0; f < random() % 17; ++f) {
      FeatureTable feature{"feature" + std::to_string(f), {}, -static_cast<int32_t>(f), 0};
      int32_t edge = std::numeric_limits<int32_t>::min();
      for (uint32_t e = random() % 16; e > 0; --e) {
        feature.edges.push_back(edge);
        edge += 1 + static_cast<int32_t>(random() % 200'000'000);
      }
      tables.features.push_back(feature);
    }
    if (i % 2 == 0) tables.sample_probability.assign(16, static_cast<uint32_t>(random()) % 65'537);
    for (size_t n = random() % 16; n > 0 && !tables.features.empty(); --n) {
      tables.joint.push_back({static_cast<uint32_t>(random() % tables.features.size()),
                              static_cast<int32_t>(random()), random() % 2 == 0});
    }
    const Result<Bytes> ours = encode(tables);
    ASSERT_TRUE(ours) << ours.error().message;
    EXPECT_EQ(*ours, bytes(to_proto(tables)));
    EXPECT_EQ(*decode_tables(*ours), tables);
  }
}

TEST(Wire, ATreeOfTooManyNodesOrOtherFeaturesIsRefused) {
  TelemetryTables tables;
  tables.features.push_back({"rms", {1, 2}, 0, 3});
  tables.joint.assign(15, {0, 1, false});
  EXPECT_TRUE(encode(tables));
  tables.joint.assign(16, {0, 1, false});
  EXPECT_EQ(encode(tables).error().reason, "TABLES_INVALID");
  EXPECT_EQ(decode_tables(bytes(to_proto(tables))).error().reason, "TABLES_INVALID");
  tables.joint.assign(1, {1, 1, false});
  EXPECT_EQ(encode(tables).error().reason, "TABLES_INVALID");
  EXPECT_EQ(decode_tables(bytes(to_proto(tables))).error().reason, "TABLES_INVALID");
}

TEST(Wire, SignedManifestIsWhatProtobufWrites) {
  SignedManifest ours{{1, 2, 3}, {}};
  pb::SignedManifest theirs;
  theirs.set_manifest(text(ByteView(ours.manifest)));
  for (uint8_t i = 0; i < 3; ++i) {
    Signature signature;
    signature.algorithm = i + 1U;
    signature.key_id.fill(i);
    signature.bytes.fill(static_cast<uint8_t>(i + 10));
    ours.signatures.push_back(signature);
    pb::Signature& p = *theirs.add_signatures();
    p.set_algorithm(signature.algorithm);
    p.set_key_id(text(ByteView(signature.key_id)));
    p.set_signature(text(ByteView(signature.bytes)));
  }
  EXPECT_EQ(*encode(ours), bytes(theirs));
  EXPECT_EQ(*decode_signed_manifest(bytes(theirs)), ours);
}

// The largest that the limits allow must fit the documented sizes.
TEST(Wire, LargestFit) {
  TelemetryTables tables;
  tables.classes = 16;
  for (int f = 0; f < 16; ++f) {
    FeatureTable feature{std::string(30, 'x') + std::to_string(10 + f), {}, INT32_MIN, INT32_MAX};
    for (int e = 0; e < 15; ++e) feature.edges.push_back(INT32_MIN + e);
    tables.features.push_back(feature);
  }
  tables.sample_probability.assign(16, 65'536);
  tables.joint.assign(15, {15, INT32_MIN, true});
  ASSERT_TRUE(encode(tables)) << encode(tables).error().message;
  SignedManifest manifest{Bytes(kManifestBytesMax, 1), std::vector<Signature>(kSignaturesMax)};
  for (Signature& signature : manifest.signatures) signature.algorithm = UINT32_MAX;
  EXPECT_LE(encode(manifest)->size(), kSignedManifestBytesMax);
  EXPECT_TRUE(decode_signed_manifest(*encode(manifest)));
}

TEST(Wire, UnknownFieldsAreIgnored) {
  const Manifest m = build_artifact(test::example_input())->manifest;
  Bytes more = *encode(m);
  const Bytes unknown = {0xF8, 0x07, 0x01,                              // 127: varint
                         0xFA, 0x07, 0x02, 0xAA, 0xBB,                  // 127: bytes
                         0xFD, 0x07, 1,    2,    3,    4,               // 127: fixed32
                         0xF9, 0x07, 1,    2,    3,    4, 5, 6, 7, 8};  // 127: fixed64
  more.insert(more.end(), unknown.begin(), unknown.end());
  EXPECT_EQ(*decode_manifest(more), m);
}

TEST(Wire, AcceptsUnpackedNumbers) {
  wire::Writer writer;
  for (int i = 0; i < 16; ++i) writer.varint(3, 7);
  EXPECT_EQ(decode_tables(writer.take())->sample_probability, std::vector<uint32_t>(16, 7));
}

TEST(Wire, CutShortAndCorruptAreRefused) {
  const Bytes whole = *encode(build_artifact(test::example_input())->manifest);
  for (size_t size = 0; size < whole.size(); ++size) {
    const Result<Manifest> cut = decode_manifest(ByteView(whole).first(size));
    const Bytes head(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (cut) {
      EXPECT_EQ(*encode(*cut), head);  // cut between two fields that may be zero
    } else {
      EXPECT_EQ(cut.error().reason, "MANIFEST_MALFORMED");
    }
  }
  for (const Bytes& bad :
       {Bytes{0x0B}, Bytes{0x0C}, Bytes{0x00}, Bytes{0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F},
        Bytes{0x08}, Bytes{0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
        Bytes{0x0F}}) {
    EXPECT_EQ(wire::split(bad).error().reason, "WIRE_MALFORMED") << to_hex(bad);
  }
}

}  // namespace
}  // namespace covey
