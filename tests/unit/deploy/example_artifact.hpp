// SPDX-License-Identifier: Apache-2.0
// A small valid artifact for tests.
#pragma once

#include "deploy/artifact/artifact.hpp"

namespace covey::test {

inline GatewayPart example_gateway_part() {
  GatewayPart part;
  part.model = ModelName("bearing-vibration");
  part.version = {1, 4, 0};
  part.classes = {"healthy", "inner race"};
  part.features = {{"rms", {-20, 5}, {10, 20, 30}, -128, 100}, {"kurtosis", {0}, {25, 35}, -3, 90}};
  part.class_counts = {40, 20};
  part.confidence_counts = std::vector<uint64_t>(16, 3);
  part.calibration = std::vector<CalibrationBin>(16, CalibrationBin{3, 2});
  part.confusion = {{38, 2}, {3, 17}};
  part.provenance = {{"commit", "0123abc"}};
  part.validation = R"({"accuracy":0.9167,"n":60})";
  return part;
}

inline ArtifactInput example_input() {
  ArtifactInput input;
  input.device_classes = {DeviceClass("m4f-256k"), DeviceClass("m33-512k")};
  input.operator_set = 0x0123456789ABCDEF;
  input.arena_bytes = 4096;
  input.input_bytes = 3;
  input.output_bytes = 2;
  input.chunk_size_bytes = 64;
  input.security_version = 2;
  input.preprocessing_id = 7;
  for (int i = 0; i < 1000; ++i) input.model.push_back(static_cast<uint8_t>(i * 7));
  input.preprocessing = {1, 2, 3, 4, 5};
  input.selftest.tolerance = 1;
  input.selftest.vectors = {{{1, 2, 3}, {4, 5}}, {{6, 7, 8}, {9, 10}}};
  input.gateway_part = example_gateway_part();
  input.tables = tables_of(input.gateway_part, std::vector<uint32_t>(16, 655));
  return input;
}

inline ArtifactUpload sign_and_pack(const UnsignedArtifact& artifact, const PrivateKey& key) {
  return {*encode(SignedManifest{artifact.manifest_bytes, {sign(key, artifact.manifest_digest)}}),
          artifact.image, artifact.tables, artifact.gateway_part};
}

}  // namespace covey::test
