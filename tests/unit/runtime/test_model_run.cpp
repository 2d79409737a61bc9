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

TEST_F(ModelRunTest, RefusalsSayWhatThereIsToKnow) {
  const auto refusal = [&](const Bytes& model) {
    return run_model(write(model), Bytes(4)).error();
  };
  const auto expect = [&](const Bytes& model, const char* reason, const char* words) {
    const Error error = refusal(model);
    EXPECT_EQ(reason, error.reason) << error.message;
    EXPECT_NE(std::string::npos, error.message.find(words)) << error.message;
  };
  TfliteBuilder unknown;
  unknown.tensor(activation({1, 4}));
  unknown.tensor(activation({1, 4}));
  unknown.op(kBuiltinConcatenation, {0}, {1});
  unknown.op(44, {1}, {0});
  unknown.op(kBuiltinRelu, {1}, {0}, {}, 9);
  unknown.op(kBuiltinCustom, {1}, {0}, {}, 1, "Mine");
  expect(unknown.finish({0}, {1}), "RUNTIME_OPERATOR_UNSUPPORTED",
         "does not have: CONCATENATION, version 9 of RELU (it has 1 to ");
  expect(unknown.finish({0}, {1}), "RUNTIME_OPERATOR_UNSUPPORTED", "UNIDIRECTIONAL_SEQUENCE_LSTM");
  expect(unknown.finish({0}, {1}), "RUNTIME_OPERATOR_UNSUPPORTED", "CUSTOM(Mine)");

  TfliteBuilder typed;
  TensorSpec image = activation({1, 4});
  image.type = 3;
  image.name = "image";
  typed.tensor(image);
  typed.tensor(activation({1, 4}));
  typed.op(kBuiltinRelu, {0}, {1});
  expect(typed.finish({0}, {1}), "RUNTIME_TENSOR_TYPE", "tensor 0 (image, UINT8 [1x4])");
  expect(typed.finish({0}, {1}), "RUNTIME_TENSOR_TYPE", "full-integer quantisation");
  TfliteBuilder floats;
  TensorSpec real = activation({1, 4});
  real.type = kTypeFloat32;
  real.scales = {};
  real.zero_points = {};
  floats.tensor(real);
  floats.tensor(real);
  floats.op(kBuiltinRelu, {0}, {1});
  expect(floats.finish({0}, {1}), "RUNTIME_TENSOR_TYPE", "FLOAT32 [1x4]");

  TfliteBuilder two;
  for (int i = 0; i < 3; ++i) two.tensor(activation({1, 4}));
  two.op(kBuiltinAdd, {0, 1}, {2}, Binary{});
  expect(two.finish({0, 1}, {2}), "RUNTIME_MODEL_UNSUPPORTED", "it has 2 inputs and 1 outputs");

  TfliteBuilder deep;
  deep.tensor(activation({1, 1, 1, 1, 1, 1, 4}));
  deep.tensor(activation({1, 1, 1, 1, 1, 1, 4}));
  deep.op(kBuiltinRelu, {0}, {1});
  expect(deep.finish({0}, {1}), "RUNTIME_TENSOR_SHAPE", "at most 6 dimensions and 67108864 bytes");

  TfliteBuilder open;
  open.tensor(activation({-1, 4}));
  open.tensor(activation({-1, 4}));
  open.op(kBuiltinRelu, {0}, {1});
  expect(open.finish({0}, {1}), "RUNTIME_TENSOR_SHAPE", "known at run time only");
}

// Real keyword models have more operators than a firmware's default allows.
TEST_F(ModelRunTest, AHostTakesModelsThatFirmwareMustBeConfiguredFor) {
  const auto chain = [](int relus) {
    TfliteBuilder b;
    int32_t last = b.tensor(activation({1, 4}));
    for (int i = 0; i < relus; ++i) {
      const int32_t next = b.tensor(activation({1, 4}));
      b.op(kBuiltinRelu, {last}, {next});
      last = next;
    }
    return b.finish({0}, {last});
  };
  const Result<ModelRun> small = run_model(write(chain(63)), Bytes(4));
  ASSERT_TRUE(small.ok()) << small.error().message;
  EXPECT_EQ("", small->note);
  const Result<ModelRun> run = run_model(write(chain(107)), Bytes(4));
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_NE(std::string::npos,
            run->note.find("default of 64: it must define COVEY_REFERENCE_MAX_ACTIVATIONS as 108"))
      << run->note;
  const Error error = run_model(write(chain(2000)), Bytes(4)).error();
  EXPECT_EQ("RUNTIME_MODEL_TOO_COMPLEX", error.reason);
  EXPECT_NE(std::string::npos,
            error.message.find("it has 2000 operators; the runtime takes at most "
                               "1023 of them"))
      << error.message;
}

}  // namespace
}  // namespace covey::testing
