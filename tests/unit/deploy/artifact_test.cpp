// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "deploy/artifact/compatibility.hpp"
#include "tests/paths.hpp"
#include "tests/unit/deploy/example_artifact.hpp"

namespace covey {
namespace {

std::string without(Manifest m, const std::function<void(Manifest&)>& change) {
  change(m);
  const Result<Bytes> bytes = encode(m);
  return bytes ? "accepted" : bytes.error().reason + " " + bytes.error().message;
}

TEST(Manifest, NamesTheFieldThatIsWrong) {
  const Manifest good = build_artifact(test::example_input())->manifest;
  const auto says = [&](std::string_view field, const std::function<void(Manifest&)>& change) {
    const std::string answer = without(good, change);
    EXPECT_TRUE(answer.starts_with("MANIFEST_MALFORMED manifest." + std::string(field) + ": "))
        << answer;
  };
  says("format", [](Manifest& m) { m.format = 2; });
  says("model", [](Manifest& m) { m.model = {}; });
  says("artifact_digest", [](Manifest& m) { m.artifact_digest = {}; });
  says("gateway_part_digest", [](Manifest& m) { m.gateway_part_digest = {}; });
  says("image_size_bytes", [](Manifest& m) { m.image_size_bytes += 16; });
  says("chunk_size_bytes", [](Manifest& m) { m.chunk_size_bytes = 65; });
  says("chunk_size_bytes", [](Manifest& m) { m.chunk_size_bytes = 0; });
  says("device_classes", [](Manifest& m) { m.device_classes = {}; });
  says("device_classes", [](Manifest& m) { m.device_classes.push_back(m.device_classes[0]); });
  says("arena_bytes", [](Manifest& m) { m.arena_bytes = 0; });
  says("model_size_bytes", [](Manifest& m) { m.model_size_bytes = 0; });
  says("selftest_size_bytes", [](Manifest& m) { m.selftest_size_bytes = 0; });
  says("image_size_bytes", [](Manifest& m) {
    m.model_size_bytes = 0xFFFF'FFFF;
    m.preprocessing_size_bytes = 0xFFFF'FFFF;
  });
  // Eight of the longest names still fit; nothing may exceed 600 bytes.
  Manifest longest = good;
  longest.device_classes.clear();
  for (int i = 0; i < 8; ++i)
    longest.device_classes.emplace_back(std::string(30, 'c') + std::to_string(i));
  const Result<Bytes> bytes = encode(longest);
  if (bytes) {
    EXPECT_LE(bytes->size(), kManifestBytesMax);
  } else {
    EXPECT_NE(bytes.error().message.find("fewer device classes"), std::string::npos);
  }
  EXPECT_LT(encode(good)->size(), 400U);
}

TEST(Manifest, AFieldTwiceIsRefused) {
  Bytes bytes = *encode(build_artifact(test::example_input())->manifest);
  bytes.insert(bytes.end(), {0x58, 0x01});  // arena_bytes again
  const Error error = decode_manifest(bytes).error();
  EXPECT_NE(error.message.find("twice"), std::string::npos) << error.message;
}

TEST(Image, HasItsSectionsAligned) {
  const UnsignedArtifact artifact = *build_artifact(test::example_input());
  EXPECT_EQ(artifact.image.size(), 1008U + 16 + 32);  // 1000, 5 and 8 + 2 * 5 bytes
  EXPECT_EQ(artifact.manifest.chunk_count(), 17U);
  EXPECT_EQ(artifact.chunk_table.size(), 17U * 16);
  const ImageSections sections = sections_of(artifact.manifest, artifact.image);
  EXPECT_EQ(sections.preprocessing.data() - artifact.image.data(), 1008);
  EXPECT_EQ(sections.selftest.size(), 18U);
  EXPECT_EQ(chunk_of(artifact.manifest, artifact.image, 16).size(), 32U);
  EXPECT_TRUE(chunk_of(artifact.manifest, artifact.image, 17).empty());
  for (uint32_t i = 0; i < 17; ++i) {
    const ByteView chunk = chunk_of(artifact.manifest, artifact.image, i);
    EXPECT_TRUE(verify_chunk(artifact.manifest, artifact.chunk_table, i, chunk));
    Bytes wrong(chunk.begin(), chunk.end());
    wrong.back() ^= 1;
    EXPECT_FALSE(verify_chunk(artifact.manifest, artifact.chunk_table, i, wrong));
  }
  EXPECT_FALSE(verify_chunk(artifact.manifest, artifact.chunk_table, 17, {}));
}

TEST(Image, IsReproducible) {
  const UnsignedArtifact a = *build_artifact(test::example_input());
  const UnsignedArtifact b = *build_artifact(test::example_input());
  EXPECT_EQ(a.manifest_digest, b.manifest_digest);
  EXPECT_EQ(a.gateway_part, b.gateway_part);
}

class OpenArtifact : public testing::Test {
 protected:
  OpenArtifact() : key_(*PrivateKey::generate(SignatureAlgorithm::kEs256)) {
    EXPECT_TRUE(trusted_.add(key_.public_key()));
    artifact_ = *build_artifact(test::example_input());
    upload_ = test::sign_and_pack(artifact_, key_);
  }
  std::string reason() const {
    const Result<Artifact> opened = open_artifact(upload_, trusted_);
    return opened ? "OK" : opened.error().reason;
  }
  // As an author would who signs what does not hold together.
  void resign(const std::function<void(Manifest&)>& change) {
    change(artifact_.manifest);
    artifact_.manifest_bytes = *encode(artifact_.manifest);
    artifact_.manifest_digest = sha256(artifact_.manifest_bytes);
    upload_.signed_manifest = test::sign_and_pack(artifact_, key_).signed_manifest;
  }

  PrivateKey key_;
  TrustStore trusted_;
  UnsignedArtifact artifact_;
  ArtifactUpload upload_;
};

TEST_F(OpenArtifact, TakesAGoodOne) {
  const Result<Artifact> opened = open_artifact(upload_, trusted_);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->digest, artifact_.manifest_digest);
  EXPECT_EQ(opened->signed_by, key_.public_key().id());
  EXPECT_EQ(opened->algorithms(), algorithm_bit(SignatureAlgorithm::kEs256));
  EXPECT_EQ(opened->model_bytes().size(), 1000U);
  EXPECT_EQ(opened->preprocessing_bytes().size(), 5U);
  EXPECT_EQ(opened->gateway_part, test::example_gateway_part());
  EXPECT_EQ(opened->selftest, test::example_input().selftest);
  EXPECT_EQ(opened->chunk_table, artifact_.chunk_table);
}

TEST_F(OpenArtifact, RefusesForgeries) {
  const PrivateKey stranger = *PrivateKey::generate(SignatureAlgorithm::kEs256);
  upload_.signed_manifest = test::sign_and_pack(artifact_, stranger).signed_manifest;
  EXPECT_EQ(reason(), "KEY_UNKNOWN");
  // The stranger's signature under the author's key id.
  Signature forged = sign(stranger, artifact_.manifest_digest);
  forged.key_id = key_.public_key().id();
  upload_.signed_manifest = *encode(SignedManifest{artifact_.manifest_bytes, {forged}});
  EXPECT_EQ(reason(), "SIGNATURE_INVALID");
  upload_.signed_manifest = *encode(SignedManifest{artifact_.manifest_bytes, {}});
  EXPECT_EQ(reason(), "SIGNATURE_INVALID");
  // A changed manifest under an old signature.
  Bytes changed = artifact_.manifest_bytes;
  changed.back() ^= 1;
  upload_.signed_manifest =
      *encode(SignedManifest{changed, {sign(key_, artifact_.manifest_digest)}});
  EXPECT_EQ(reason(), "SIGNATURE_INVALID");
}

TEST_F(OpenArtifact, RefusesDamage) {
  const ArtifactUpload good = upload_;
  upload_.image.pop_back();
  EXPECT_EQ(reason(), "TRUNCATED_IMAGE");
  upload_ = good;
  upload_.image.push_back(0);
  EXPECT_EQ(reason(), "OVERSIZED_IMAGE");
  upload_ = good;
  upload_.image[500] ^= 1;
  EXPECT_EQ(reason(), "IMAGE_DIGEST");
  upload_ = good;
  upload_.tables[3] ^= 1;
  EXPECT_EQ(reason(), "TABLES_DIGEST");
  upload_ = good;
  upload_.gateway_part[3] ^= 1;
  EXPECT_EQ(reason(), "GATEWAY_PART_DIGEST");
  upload_ = good;
  upload_.signed_manifest.clear();
  EXPECT_EQ(reason(), "MANIFEST_MALFORMED");
  upload_ = good;
  EXPECT_EQ(reason(), "OK");
}

TEST_F(OpenArtifact, RefusesSignedContradictions) {
  resign([](Manifest& m) { m.chunk_size_bytes = 128; });
  EXPECT_EQ(reason(), "CHUNK_TABLE_DIGEST");
  resign([](Manifest& m) { m.chunk_size_bytes = 64; });
  EXPECT_EQ(reason(), "OK");
  resign([](Manifest& m) { m.input_bytes = 4; });
  EXPECT_EQ(reason(), "ARTIFACT_INCONSISTENT");
  resign([](Manifest& m) { m.input_bytes = 3, m.version.patch = 9; });
  EXPECT_EQ(reason(), "ARTIFACT_INCONSISTENT");
  resign([](Manifest& m) { m.version.patch = 0, m.selftest_digest.bytes[0] ^= 1; });
  EXPECT_EQ(reason(), "SECTION_DIGEST");
  resign([](Manifest& m) { m.selftest_digest.bytes[0] ^= 1; });
  // Something hidden in the padding after the model.
  upload_.image[1003] = 1;
  resign([&](Manifest& m) { m.artifact_digest = sha256(upload_.image); });
  EXPECT_EQ(reason(), "IMAGE_LAYOUT");
}

TEST_F(OpenArtifact, RefusesTablesThatCountOtherBins) {
  TelemetryTables tables = test::example_input().tables;
  tables.features[0].edges[1] = 6;
  upload_.tables = *encode(tables);
  resign([&](Manifest& m) { m.tables_digest = sha256(upload_.tables); });
  EXPECT_EQ(reason(), "ARTIFACT_INCONSISTENT");
}

TEST(Selftest, RoundTrip) {
  const Selftest selftest = test::example_input().selftest;
  const Bytes bytes = *encode(selftest);
  EXPECT_EQ(to_hex(bytes),
            "020003000200"
            "0100"
            "0102030405"
            "060708090a");
  EXPECT_EQ(*decode_selftest(bytes), selftest);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_selftest(ByteView(bytes).first(size)));
  }
  Selftest uneven = selftest;
  uneven.vectors[1].output.pop_back();
  EXPECT_EQ(encode(uneven).error().reason, "SELFTEST_INVALID");
  EXPECT_FALSE(encode(Selftest{}));
}

std::string complaint(const std::string& json) {
  const Result<GatewayPart> part = decode_gateway_part(as_bytes(json));
  return part ? "accepted" : part.error().message;
}

TEST(GatewayPart, RoundTripIsCanonical) {
  const Bytes bytes = *encode(test::example_gateway_part());
  const Result<GatewayPart> back = decode_gateway_part(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, test::example_gateway_part());
  EXPECT_EQ(*encode(*back), bytes);
}

TEST(GatewayPart, NamesThePath) {
  const Bytes bytes = *encode(test::example_gateway_part());
  const std::string good(bytes.begin(), bytes.end());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string json = good;
    const size_t at = json.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return complaint(json.replace(at, from.size(), to));
  };
  EXPECT_EQ(with("[10,20,30]", "[10,-1,30]"),
            "features[0].counts[1]: is not between 0 and 1099511627776");
  EXPECT_EQ(with("[10,20,30]", "[10,20]"),
            "features[0].counts: expected one count for each of the 3 bins, got 2");
  EXPECT_EQ(with("[10,20,30]", "[10,2.5,30]"), "features[0].counts[1]: expected a whole number");
  EXPECT_EQ(with("[10,20,30]", "[0,0,0]"),
            "features[0].counts: counts nothing: a baseline needs data");
  EXPECT_EQ(with("[-20,5]", "[5,5]"), "features[0].edges[1]: edges must be strictly ascending");
  EXPECT_EQ(with("[-20,5]", "[-20,3000000000]"),
            "features[0].edges[1]: is not between -2147483648 and 2147483647");
  EXPECT_EQ(with("\"min\":-128,", ""), "features[0].min: is missing");
  EXPECT_EQ(with("[3,17]", "[3]"), "confusion[1]: expected one count per class");
  EXPECT_EQ(with("{\"correct\":2,\"n\":3}", "{\"correct\":4,\"n\":3}"),
            "calibration[0]: has more correct ones than samples");
  EXPECT_EQ(with("\"inner race\"", "\"healthy\""), "classes[1]: 'healthy' is named twice");
  EXPECT_EQ(with("\"model\":", "\"model\":\"x\",\"model\":"), "has the key 'model' twice");
  EXPECT_EQ(with("bearing-vibration", "Bearing"),
            "model: 'Bearing' is not a model name: 1 to 31 of a-z 0-9 -, the first a letter");
  EXPECT_EQ(with("\"class_counts\":[40,20]", "\"class_counts\":18446744073709551615"),
            "class_counts: expected an array");
  EXPECT_EQ(with("[10,20,30]", "[10,18446744073709551615,30]"),
            "features[0].counts[1]: is not between 0 and 1099511627776");
  EXPECT_EQ(complaint("[]"), "is not a JSON object");
  EXPECT_EQ(complaint("{").find("is no JSON, line 1: syntax error"), 0U) << complaint("{");
  EXPECT_EQ(complaint("{\"model\":\"\xff\"}").find("is no JSON, line 1: syntax error"), 0U);
  EXPECT_EQ(complaint("{\n\"a\": NaN}"),
            "is no JSON, line 2: NaN is no number there: write one, or leave it out");
  EXPECT_EQ(complaint("{\"a\": [1, -Infinity]}"),
            "is no JSON, line 1: Infinity is no number there: write one, or leave it out");
  EXPECT_LT(complaint("{\"a\": x" + std::string(10'000, 'x')).size(), 200U);
  EXPECT_EQ(complaint("{\"a\": 1e999}").find("is no JSON: "), 0U) << complaint("{\"a\": 1e999}");
  EXPECT_EQ(complaint(" \n"), "is empty");
  EXPECT_EQ(complaint("{\"a\":" + std::string(100'000, '[')), "is nested deeper than 16 levels");
  EXPECT_EQ(complaint(std::string(300'000, ' ')), "has 300000 bytes, at most 262144 are allowed");
}

TEST(TrainingStatistics, ReadsWhatTheExampleWrites) {
  const auto folder = covey::test::source_path("examples/bearing_vibration/models");
  for (const char* name :
       {"bearing-1.0.0", "bearing-1.1.0", "bearing-1.2.0", "bearing-1.2.0-equal"}) {
    std::ifstream file(folder / (std::string(name) + ".stats.json"), std::ios::binary);
    if (!file) GTEST_SKIP() << "the example's models are not there";
    const Bytes json{std::istreambuf_iterator<char>(file), {}};
    const Result<TrainingStatistics> statistics = decode_training_statistics(json);
    ASSERT_TRUE(statistics) << name << ": " << statistics.error().message;
    EXPECT_EQ(statistics->part.model.str(), "bearing-vibration");
    EXPECT_EQ(statistics->part.classes.size(), statistics->selftest.output_bytes());
    EXPECT_EQ(statistics->part.features.size(), statistics->selftest.input_bytes());
  }
}

TEST(Compatibility, FirstObstacleInOrder) {
  const Manifest m = build_artifact(test::example_input())->manifest;
  const uint32_t es256 = algorithm_bit(SignatureAlgorithm::kEs256);
  DeviceFacts good;
  good.device_class = DeviceClass("m33-512k");
  good.slot_bytes = static_cast<uint32_t>(slot_need_bytes(m));
  good.arena_bytes = m.arena_bytes;
  good.message_bytes_max = m.chunk_size_bytes + kChunkOverheadBytes;
  good.runtime = 1;
  good.operator_set = m.operator_set;
  good.algorithms = es256;
  good.preprocessing_id = 7;
  EXPECT_EQ(check_compatibility(m, es256, good, 2), std::nullopt);
  good.operator_set = 0;  // not known
  EXPECT_EQ(check_compatibility(m, es256, good, 0), std::nullopt);

  const auto says = [&](std::string_view reason, const std::function<void(DeviceFacts&)>& change,
                        uint32_t floor = 0) {
    DeviceFacts device = good;
    change(device);
    const auto obstacle = check_compatibility(m, es256, device, floor);
    ASSERT_TRUE(obstacle) << reason;
    EXPECT_EQ(to_string(obstacle->reason), reason) << obstacle->explanation;
    EXPECT_GT(obstacle->explanation.size(), 20U);
  };
  says("CLASS_MISMATCH", [](DeviceFacts& d) { d.device_class = DeviceClass("m0-32k"); });
  says("ALGORITHM_UNSUPPORTED", [](DeviceFacts& d) { d.algorithms = 1U << 2U; });
  says(
      "BELOW_SECURITY_FLOOR", [](DeviceFacts&) {}, 3);
  says("RUNTIME_MISMATCH", [](DeviceFacts& d) { d.runtime = 2; });
  says("RUNTIME_MISMATCH", [](DeviceFacts& d) { d.operator_set = 5; });
  says("PREPROCESSING_MISMATCH", [](DeviceFacts& d) { d.preprocessing_id = 6; });
  says("ARENA_TOO_SMALL", [](DeviceFacts& d) { d.arena_bytes -= 1; });
  says("SLOT_TOO_SMALL", [](DeviceFacts& d) { d.slot_bytes -= 1; });
  says("MESSAGE_TOO_SMALL", [](DeviceFacts& d) { d.message_bytes_max -= 1; });
}

}  // namespace
}  // namespace covey
