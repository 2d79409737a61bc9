// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/simulator/release.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "device_agent/simulator/hardware.hpp"
#include "tests/paths.hpp"

namespace covey::simulator_test {
namespace {

Bytes read_model_file(const std::string& name) {
  const auto path = covey::test::source_path("examples/bearing_vibration/models") / name;
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return Bytes(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

}  // namespace

Release make_release(const std::string& name, const PrivateKey& key) {
  Result<TrainingStatistics> statistics =
      decode_training_statistics(read_model_file(name + ".stats.json"));
  EXPECT_TRUE(statistics.ok()) << (statistics.ok() ? "" : statistics.error().message);
  ArtifactInput input;
  input.device_classes = {DeviceClass("m4f-256k"), DeviceClass("m0-64k")};
  input.model = read_model_file(name + ".tflite");
  input.preprocessing = read_model_file("preprocessing.bin");
  size_t arena_bytes = 0;
  EXPECT_EQ(covey_reference_inspect(input.model.data(), input.model.size(), &arena_bytes, nullptr,
                                    nullptr),
            0);
  input.arena_bytes = static_cast<uint32_t>(arena_bytes);
  input.input_bytes = 8;
  input.output_bytes = 4;
  input.preprocessing_id = 1;
  input.selftest = statistics->selftest;
  input.gateway_part = statistics->part;
  input.tables = tables_of(statistics->part, std::vector<uint32_t>(16, 6553));

  Result<UnsignedArtifact> built = build_artifact(input);
  EXPECT_TRUE(built.ok()) << (built.ok() ? "" : built.error().message);
  Release release;
  release.artifact = *std::move(built);
  release.signed_manifest = *encode(SignedManifest{release.artifact.manifest_bytes,
                                                   {sign(key, release.artifact.manifest_digest)}});
  return release;
}

}  // namespace covey::simulator_test
