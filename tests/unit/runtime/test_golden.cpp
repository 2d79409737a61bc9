// SPDX-License-Identifier: Apache-2.0
// Bit for bit what TensorFlow Lite Micro's reference kernels give, on public models.
#include <array>

#include <gtest/gtest.h>

#include "tests/unit/runtime/fnv1a32.hpp"
#include "tests/unit/runtime/loaded_model.hpp"
#include "tests/unit/runtime/shared_models.hpp"
#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {
namespace {

// fnv1a32 of the output for lcg_bytes(12345 + 1000 * i), from the reference kernels.
struct Golden {
  const char* model;
  size_t arena_bytes;
  std::array<uint32_t, 8> outputs;
};
const Golden kGolden[] = {
    {"hello_world_int8.tflite",
     224,
     {2097907463U, 1141583180U, 4245442695U, 2567680795U, 1024243015U, 537692064U, 2584458414U,
      4278997933U}},
    {"kws_ref_model.tflite",
     20080,
     {4038422865U, 2388058112U, 2388058112U, 2388058112U, 3463762017U, 3764732539U, 1019322861U,
      2404835731U}},
    {"ad01_int8.tflite",
     1408,
     {533982470U, 203528208U, 108087315U, 1855814442U, 2749007865U, 3528214025U, 2192853289U,
      800050929U}},
};

class GoldenModels : public ::testing::TestWithParam<Golden> {};

TEST_P(GoldenModels, MatchReferenceKernelsExactly) {
  const auto path = shared_dir() / "models" / GetParam().model;
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << path << " is absent; set COVEY_SHARED_DIR to run this";
  }
  LoadedModel model(read_bytes(path));
  ASSERT_EQ(0, model.error()) << covey_runtime_error_name(model.error());
  EXPECT_EQ(GetParam().arena_bytes, model.arena_bytes());
  uint32_t seed = 12345;
  for (const uint32_t expected : GetParam().outputs) {
    EXPECT_EQ(expected, fnv1a32(model.run(lcg_bytes(seed, model.format().input.size_bytes))))
        << "seed " << seed;
    seed += 1000;
  }
}

INSTANTIATE_TEST_SUITE_P(Public, GoldenModels, ::testing::ValuesIn(kGolden), [](const auto& model) {
  const std::string name = model.param.model;
  return name.substr(0, name.find('_'));
});

}  // namespace
}  // namespace covey::testing
