// SPDX-License-Identifier: Apache-2.0
// What `covey model run` computes.
#include <unistd.h>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "cli/model_run.hpp"
#include "tests/unit/runtime/loaded_model.hpp"
#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {
namespace {

class ModelRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "covey-model-XXXXXX").string();
    ASSERT_NE(nullptr, ::mkdtemp(name.data()));
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const Bytes& bytes) const {
    const auto path = folder_ / "model.tflite";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(ModelRunTest, SeveralInputsGiveSeveralOutputs) {
  const Bytes bytes = sample_models().front().bytes;
  LoadedModel model(bytes);
  const auto a = lcg_bytes(1, 8);
  const auto b = lcg_bytes(2, 8);
  std::vector<int8_t> expected = model.run(a);
  const auto second = model.run(b);
  expected.insert(expected.end(), second.begin(), second.end());
  Bytes input(a.begin(), a.end());
  input.insert(input.end(), b.begin(), b.end());

  const Result<ModelRun> run = run_model(write(bytes), input);
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_EQ(2U, run->count);
  EXPECT_EQ(8U, run->input_size_bytes);
  EXPECT_EQ(4U, run->output_size_bytes);
  EXPECT_EQ(model.arena_bytes(), run->arena_bytes);
  EXPECT_EQ(Bytes(expected.begin(), expected.end()), run->outputs);
  EXPECT_LE(run->invoke_ns_min, run->invoke_ns_mean);
  EXPECT_LE(run->invoke_ns_mean, run->invoke_ns_total);
}

TEST_F(ModelRunTest, Refusals) {
  const auto path = write(sample_models().front().bytes);
  EXPECT_EQ("INPUT_SIZE", run_model(path, Bytes{}).error().reason);
  EXPECT_EQ("INPUT_SIZE", run_model(path, Bytes(9)).error().reason);
  EXPECT_EQ("NOT_FOUND", run_model(folder_ / "none", Bytes(8)).error().reason);
  EXPECT_EQ("MODEL_UNREADABLE", run_model(folder_, Bytes(8)).error().reason);
  EXPECT_EQ("RUNTIME_NOT_TFLITE", run_model(write(Bytes(50)), Bytes(8)).error().reason);
  TfliteBuilder b;
  b.tensor(activation({1, 4}));
  b.tensor(activation({1, 4}));
  b.op(kBuiltinConcatenation, {0}, {1});
  const Error error = run_model(write(b.finish({0}, {1})), Bytes(4)).error();
  EXPECT_EQ("RUNTIME_OPERATOR_UNSUPPORTED", error.reason);
  EXPECT_NE(std::string::npos, error.message.find("CONCATENATION")) << error.message;
}

}  // namespace
}  // namespace covey::testing
