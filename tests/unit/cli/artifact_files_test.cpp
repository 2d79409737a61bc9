// SPDX-License-Identifier: Apache-2.0
#include "cli/files/artifact_files.hpp"
#include "tests/paths.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace covey::cli {
namespace {

const std::filesystem::path kModels = covey::test::source_path("examples/bearing_vibration/models");

class ArtifactFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "covey-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static BuildOptions options() {
    BuildOptions options;
    options.release = *ReleaseId::parse("bearing-vibration@1.0.0");
    options.artifacts = {{{DeviceClass("m4f-256k")}, kModels / "bearing-1.0.0.tflite"}};
    options.statistics = kModels / "bearing-1.0.0.stats.json";
    options.preprocessing = kModels / "preprocessing.bin";
    return options;
  }

  std::filesystem::path folder_;
};

TEST_F(ArtifactFiles, what_is_built_signed_and_kept_opens_at_the_gateway) {
  Result<BuiltRelease> release = build_release(options());
  ASSERT_TRUE(release.ok()) << release.error().message;
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
  ASSERT_TRUE(sign_release(*release, *key).ok());
  ASSERT_TRUE(save_release(*release, folder_).ok());
  Result<BuiltRelease> loaded = load_release(folder_);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  TrustStore trusted;
  ASSERT_TRUE(trusted.add(key->public_key()).ok());
  const BuiltArtifact& built = loaded->artifacts.at(0);
  Result<Artifact> artifact = open_artifact(
      {built.signed_manifest, built.image, built.tables, built.gateway_part}, trusted);
  ASSERT_TRUE(artifact.ok()) << artifact.error().message;
  EXPECT_EQ(artifact->manifest.release(), options().release);
  EXPECT_GT(artifact->manifest.arena_bytes, 0U);
}

// The statistics of the example with a "joint" of one's own; then what the build says, or "OK".
class QuantTree : public ArtifactFiles {
 protected:
  std::string build(const std::string& joint) {
    Bytes json = *read_file(options().statistics, 1U << 20U);
    std::string text(json.begin(), json.end());
    text.insert(text.find('{') + 1, "\"joint\": " + joint + ",");
    BuildOptions with_joint = options();
    with_joint.statistics = folder_ / "stats.json";
    EXPECT_TRUE(write_file(with_joint.statistics, as_bytes(text)));
    Result<BuiltRelease> release = build_release(with_joint);
    if (!release) return release.error().message;
    tables = *decode_tables(release->artifacts.at(0).tables);
    const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEs256);
    EXPECT_TRUE(sign_release(*release, *key).ok());
    TrustStore trusted;
    EXPECT_TRUE(trusted.add(key->public_key()).ok());
    const BuiltArtifact& built = release->artifacts.at(0);
    Result<Artifact> artifact = open_artifact(
        {built.signed_manifest, built.image, built.tables, built.gateway_part}, trusted);
    return artifact ? "OK" : artifact.error().message;
  }
  TelemetryTables tables;
};

TEST_F(QuantTree, its_nodes_are_in_the_signed_tables) {
  ASSERT_EQ(build(R"([{"feature": "kurtosis", "threshold": -5, "above": true},
                      {"feature": "rms", "threshold": 7, "above": false}])"),
            "OK");
  EXPECT_EQ(tables.joint, (std::vector<JointNode>{{1, -5, true}, {0, 7, false}}));
}

TEST_F(QuantTree, a_mistake_is_named) {
  EXPECT_NE(
      build(R"([{"feature": "rsm", "threshold": 1, "above": true}])").find("joint[0].feature"),
      std::string::npos);
  EXPECT_NE(build(R"([{"feature": "rms", "threshold": 40000, "above": true}])")
                .find("joint[0].threshold"),
            std::string::npos);
  EXPECT_NE(build(R"([{"feature": "rms", "threshold": 1}])").find("joint[0].above"),
            std::string::npos);
  std::string many = R"({"feature": "rms", "threshold": 1, "above": true})";
  for (int i = 0; i < 4; ++i) many += "," + many;
  EXPECT_NE(build("[" + many + "]").find("joint"), std::string::npos);
}

TEST_F(ArtifactFiles, a_signature_made_elsewhere_is_checked_before_it_is_kept) {
  Result<BuiltRelease> release = build_release(options());
  ASSERT_TRUE(release.ok()) << release.error().message;
  BuiltArtifact& artifact = release->artifacts[0];
  const Result<PrivateKey> key = PrivateKey::generate(SignatureAlgorithm::kEd25519);
  const RawSignature good = key->sign(artifact.digest());
  const Result<PrivateKey> other = PrivateKey::generate(SignatureAlgorithm::kEd25519);
  const Status wrong = attach_signature(artifact, other->public_key(), good);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().reason, "SIGNATURE_INVALID");
  EXPECT_TRUE(artifact.signed_manifest.empty());
  EXPECT_TRUE(attach_signature(artifact, key->public_key(), good).ok());
  EXPECT_FALSE(artifact.signed_manifest.empty());
}

TEST_F(ArtifactFiles, a_model_with_another_ones_vectors_is_refused_at_home) {
  BuildOptions wrong = options();
  wrong.artifacts[0].model = kModels / "bearing-1.2.0.tflite";
  const Result<BuiltRelease> release = build_release(wrong);
  ASSERT_FALSE(release.ok());
  EXPECT_EQ(release.error().reason, "SELFTEST_MISMATCH");
}

TEST_F(ArtifactFiles, a_feature_that_can_never_be_judged_is_named) {
  EXPECT_TRUE(build_release(options())->notes.empty());
  const Bytes json = *read_file(options().statistics, 1U << 20U);
  std::string text(json.begin(), json.end());
  const std::string features = "\"features\": [";
  const size_t at = text.find(features);
  ASSERT_NE(at, std::string::npos);
  text.insert(at + features.size(),
              R"({"name": "flat", "edges": [], "counts": [9], "min": 0, "max": 0},)");
  BuildOptions flat = options();
  flat.statistics = folder_ / "stats.json";
  ASSERT_TRUE(write_file(flat.statistics, as_bytes(text)));
  const Result<BuiltRelease> release = build_release(flat);
  ASSERT_TRUE(release.ok()) << release.error().message;
  ASSERT_EQ(release->notes.size(), 1U);
  EXPECT_NE(release->notes[0].find("'flat' has no edges"), std::string::npos);
}

TEST_F(ArtifactFiles, statistics_of_another_release_are_refused) {
  BuildOptions wrong = options();
  wrong.release = *ReleaseId::parse("bearing-vibration@9.0.0");
  const Result<BuiltRelease> release = build_release(wrong);
  ASSERT_FALSE(release.ok());
  EXPECT_EQ(release.error().reason, "STATS_MISMATCH");
}

TEST(ArtifactSource, reads_classes_and_file) {
  const Result<ArtifactSource> source = parse_artifact_source("m4f-256k,m0-64k=a=b.tflite");
  ASSERT_TRUE(source.ok());
  EXPECT_EQ(source->device_classes,
            (std::vector<DeviceClass>{DeviceClass("m4f-256k"), DeviceClass("m0-64k")}));
  EXPECT_EQ(source->model, "a=b.tflite");
  for (const char* bad : {"", "=x", "m4f=", "m4f", "a,,b=x", "a b=x"}) {
    EXPECT_FALSE(parse_artifact_source(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace covey::cli
