// SPDX-License-Identifier: Apache-2.0
// The committed models in the runtime that devices use: bit-exact self-tests, and the story that
// the demo tells about the releases, on devices that no model was trained or validated on.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "device_agent/runtimes/reference/reference_runtime.h"
#include "examples/bearing_vibration/signal/features.h"
#include "examples/bearing_vibration/signal/generator.h"
#include "tests/unit/bearing/committed.hpp"

namespace covey::bearing {
namespace {

using Input = std::array<int8_t, COVEY_BEARING_FEATURES>;
using Output = std::array<int8_t, COVEY_BEARING_CLASSES>;

struct Sample {
  Input input;
  covey_bearing_class_t truth;
};

struct alignas(COVEY_ARENA_ALIGN) Block {
  std::array<uint8_t, COVEY_ARENA_ALIGN> bytes;
};

// One committed model, loaded.
class Model {
 public:
  explicit Model(const std::string& name) {
    const auto file = committed_bytes(name + ".tflite");
    size_ = file.size();
    bytes_.resize(file.size() / sizeof(Block) + 1);
    std::copy(file.begin(), file.end(), bytes_.front().bytes.data());
    covey_reference_init(&reference_);
    runtime_ = covey_reference_runtime(&reference_);
    size_t arena = 0;
    EXPECT_EQ(runtime_.arena_required(runtime_.ctx, bytes_.front().bytes.data(), size_, &arena), 0);
    arena_.resize(arena / sizeof(Block) + 1);
    EXPECT_EQ(runtime_.load(runtime_.ctx, bytes_.front().bytes.data(), size_,
                            arena_.front().bytes.data(), arena_.size() * sizeof(Block)),
              0);
  }
  ~Model() { runtime_.unload(runtime_.ctx); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  size_t size() const { return size_; }

  Output run(const Input& input) {
    Output output{};
    EXPECT_EQ(
        runtime_.invoke(runtime_.ctx, input.data(), input.size(), output.data(), output.size()), 0);
    return output;
  }

  double accuracy(const std::vector<Sample>& samples) {
    int correct = 0;
    for (const auto& sample : samples) {
      const auto output = run(sample.input);
      correct += std::max_element(output.begin(), output.end()) - output.begin() ==
                 static_cast<ptrdiff_t>(sample.truth);
    }
    return correct * 1.0 / static_cast<double>(samples.size());
  }

 private:
  size_t size_ = 0;
  std::vector<Block> bytes_;
  std::vector<Block> arena_;
  covey_reference_t reference_{};
  covey_runtime_t runtime_{};
};

const std::vector<std::string> kModels = {"bearing-1.0.0", "bearing-1.1.0", "bearing-1.2.0",
                                          "bearing-1.2.0-equal", "bearing-1.3.0"};

std::vector<Sample> held_out(covey_bearing_machine_t machine) {
  const auto params = committed_params();
  std::vector<Sample> samples;
  for (uint64_t d = 0; d < 300; d++) {
    covey_bearing_device_t device;
    const uint64_t seed = covey_bearing_mix(777, d * COVEY_BEARING_MACHINES + machine);
    covey_bearing_device_init(&device, seed, machine);
    for (int w = 0; w < 10; w++) {
      std::array<int16_t, COVEY_BEARING_WINDOW> window{};
      Sample sample{};
      sample.truth = covey_bearing_next_window(&device, window.data());
      EXPECT_EQ(covey_bearing_features(window.data(), window.size(), &params, sample.input.data()),
                COVEY_BEARING_OK);
      samples.push_back(sample);
    }
  }
  return samples;
}

TEST(Models, SelfTestsAreBitExact) {
  for (const auto& name : kModels) {
    Model model(name);
    const auto stats = committed_stats(name);
    ASSERT_GE(stats["selftest"].size(), 4U);
    for (const auto& vector : stats["selftest"]) {
      const auto output = model.run(vector["input"].get<Input>());
      EXPECT_EQ(output, vector["output"].get<Output>()) << name << " " << vector["input"];
    }
  }
}

TEST(Models, AreLargeEnoughForManyChunksAndSmallEnoughForSlots) {
  for (const auto& name : kModels) {
    EXPECT_GT(Model(name).size(), 16U * 1024) << name;
    EXPECT_LT(Model(name).size(), 32U * 1024) << name;
  }
}

TEST(Models, TheReleasesAreWhatTheirStorySays) {
  for (const auto machine : {COVEY_BEARING_PUMP, COVEY_BEARING_FAN, COVEY_BEARING_PRESS}) {
    const std::string name = covey_bearing_machine_name(machine);
    SCOPED_TRACE(name);
    const auto samples = held_out(machine);
    std::map<std::string, double> accuracy;
    for (const auto& model : kModels) {
      accuracy[model] = Model(model).accuracy(samples);
      RecordProperty(model + "_" + name, std::to_string(accuracy[model]));
      std::printf("%-20s %-6s %.1f %%\n", model.c_str(), name.c_str(), 100 * accuracy[model]);
    }
    const double good = accuracy["bearing-1.1.0"];
    EXPECT_GT(good, accuracy["bearing-1.0.0"] + 0.02);
    EXPECT_GT(good, 0.92);
    EXPECT_GE(accuracy["bearing-1.3.0"], good - 0.01);
    EXPECT_NEAR(accuracy["bearing-1.2.0-equal"], good, 0.015);
    if (machine == COVEY_BEARING_PRESS) {
      EXPECT_LT(accuracy["bearing-1.2.0"], good - 0.2);
    } else {
      EXPECT_GE(accuracy["bearing-1.2.0"], good - 0.01);
    }
  }
}

// What training measured with TensorFlow is what devices do.
TEST(Models, AccuracyIsThatOfTheirValidation) {
  for (const auto& name : kModels) {
    Model model(name);
    const auto validated = committed_stats(name)["validation"]["accuracy_per_machine_type"];
    for (const auto& [type, expected] : validated.items()) {
      covey_bearing_machine_t machine = COVEY_BEARING_PUMP;
      ASSERT_TRUE(covey_bearing_machine_from_name(type.c_str(), &machine));
      EXPECT_NEAR(model.accuracy(held_out(machine)), expected.get<double>(), 0.02) << name << type;
    }
  }
}

}  // namespace
}  // namespace covey::bearing
