// SPDX-License-Identifier: Apache-2.0
// The TFLM adapter keeps the contract of covey/runtime.h, and gives what the reference runtime
// gives. Built where -DCOVEY_TFLM_DIR names a TFLM tree, of any year.
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#if __has_include("tensorflow/lite/micro/kernels/all_ops_resolver.h")
#include "tensorflow/lite/micro/kernels/all_ops_resolver.h"
#elif __has_include("tensorflow/lite/micro/all_ops_resolver.h")
#include "tensorflow/lite/micro/all_ops_resolver.h"
#else
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#define COVEY_NAME_OPERATORS 1
#endif

#include "device_agent/runtimes/tflm/tflm_runtime.h"
#include "tests/unit/runtime/fnv1a32.hpp"
#include "tests/unit/runtime/layer_models.hpp"
#include "tests/unit/runtime/loaded_model.hpp"
#include "tests/unit/runtime/network_builder.hpp"
#include "tests/unit/runtime/shared_models.hpp"

namespace covey::testing {
namespace {

#ifdef COVEY_NAME_OPERATORS
class Operators : public tflite::MicroMutableOpResolver<16> {
 public:
  Operators() {
    AddAdd();
    AddAveragePool2D();
    AddConv2D();
    AddDepthwiseConv2D();
    AddDequantize();
    AddFullyConnected();
    AddLogistic();
    AddMaxPool2D();
    AddMean();
    AddMul();
    AddPad();
    AddQuantize();
    AddRelu();
    AddRelu6();
    AddReshape();
    AddSoftmax();
  }
};
#else
using namespace tflite;              // where AllOpsResolver is,
using namespace tflite::ops::micro;  // depends on the year
using Operators = AllOpsResolver;
#endif

constexpr size_t kScratchBytes = 256U << 10U;

class TflmRuntime : public ::testing::Test {
 protected:
  void SetUp() override {
    covey_tflm_init(&tflm_, operators_, scratch_.data(), kScratchBytes);
    runtime_ = covey_tflm_runtime(&tflm_);
  }
  void TearDown() override { runtime_.unload(&tflm_); }

  // Models in memory that is aligned as a slot is.
  void place(const Bytes& model) {
    model_ = std::make_unique<AlignedArena>(model.size());
    std::copy(model.begin(), model.end(), model_->data());
    size_ = model.size();
  }
  int required(size_t* arena) {
    return runtime_.arena_required(&tflm_, model_->data(), size_, arena);
  }
  int load(size_t arena) {
    return runtime_.load(&tflm_, model_->data(), size_, arena_.data(), arena);
  }

  Operators operators_;
  AlignedArena scratch_{kScratchBytes};
  AlignedArena arena_{kScratchBytes};
  std::unique_ptr<AlignedArena> model_;
  size_t size_ = 0;
  covey_tflm_t tflm_{};
  covey_runtime_t runtime_{};
};

TEST_F(TflmRuntime, Contract) {
  EXPECT_STREQ("tflite-micro", runtime_.name);
  std::vector<int8_t> in(8);
  std::vector<int8_t> out(4);
  covey_model_format_t format;
  size_t arena = 0;
  NetworkBuilder b("classifier", 1);
  const Flow from = b.input({1, 8});
  place(b.finish(from, b.softmax(b.dense(from, 4))).bytes);
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime_.invoke(&tflm_, in.data(), 8, out.data(), 4));
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime_.describe(&tflm_, &format));
  EXPECT_EQ(COVEY_RUNTIME_BAD_ARGUMENT, runtime_.load(&tflm_, nullptr, 0, arena_.data(), 9));
  EXPECT_EQ(COVEY_RUNTIME_BAD_ARGUMENT, required(nullptr));
  ASSERT_EQ(0, required(&arena));
  EXPECT_EQ(COVEY_RUNTIME_ARENA_MISALIGNED,
            runtime_.load(&tflm_, model_->data(), size_, arena_.data() + 4, kScratchBytes - 4));
  EXPECT_EQ(COVEY_RUNTIME_ARENA_TOO_SMALL, load(arena - 1));
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime_.describe(&tflm_, &format));
  ASSERT_EQ(0, load(arena));
  EXPECT_EQ(COVEY_RUNTIME_ALREADY_LOADED, load(arena));
  ASSERT_EQ(0, runtime_.describe(&tflm_, &format));
  EXPECT_EQ(8U, format.input.size_bytes);
  EXPECT_EQ(-128, format.output.zero_point);
  EXPECT_EQ(1 << 30, format.output.multiplier);
  EXPECT_EQ(-7, format.output.shift);
  EXPECT_EQ(COVEY_RUNTIME_INPUT_SIZE, runtime_.invoke(&tflm_, in.data(), 7, out.data(), 4));
  EXPECT_EQ(COVEY_RUNTIME_OUTPUT_SIZE, runtime_.invoke(&tflm_, in.data(), 8, out.data(), 5));
  EXPECT_EQ(0, runtime_.invoke(&tflm_, in.data(), 8, out.data(), 4));
  EXPECT_EQ(0, required(&arena));  // asked while a model is loaded, which goes on working
  EXPECT_EQ(0, runtime_.invoke(&tflm_, in.data(), 8, out.data(), 4));
  runtime_.unload(&tflm_);
  runtime_.unload(&tflm_);
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime_.describe(&tflm_, &format));
  EXPECT_EQ(0, load(arena));
}

TEST_F(TflmRuntime, Refusals) {
  size_t arena = 0;
  place(Bytes{1, 2, 3});
  EXPECT_EQ(COVEY_RUNTIME_NOT_TFLITE, required(&arena));
  place(Bytes(100, 0));
  EXPECT_EQ(COVEY_RUNTIME_NOT_TFLITE, load(kScratchBytes));
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  const int32_t out = b.tensor(activation({1, 4}));
  b.op(kBuiltinRelu, {in}, {out});
  place(b.finish({in, in}, {out}));
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, required(&arena));
  b.op(kBuiltinCustom, {in}, {out}, {}, 1, "nobody_has_this");
  place(b.finish({in}, {out}));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, load(kScratchBytes));
  b.subgraphs = 2;
  place(b.finish({in}, {out}));
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, required(&arena));
  b.schema_version = 2;
  place(b.finish({in}, {out}));
  EXPECT_EQ(COVEY_RUNTIME_NOT_TFLITE, required(&arena));
}

// What TFLM has run, and in one way, since 2020; the rest is in test_other_runtimes.cpp.
std::vector<NamedModel> old_models() {
  const std::set<std::string> wanted = {
      "conv_pointwise",   "conv_same",           "conv_valid",       "conv_stride_2_same",
      "conv_tall_kernel", "depthwise_same",      "dense_per_tensor", "average_pool_2_by_2",
      "max_pool_2_by_2",  "add_of_two_branches", "mul_same_shape",   "logistic",
      "softmax"};
  std::vector<NamedModel> models = network_models();
  for (NamedModel& model : layer_models()) {
    if (wanted.count(model.name) == 1) {
      models.push_back(std::move(model));
    }
  }
  return models;
}

TEST_F(TflmRuntime, EqualsTheReferenceRuntime) {
  ASSERT_EQ(4U + 13U, old_models().size());
  for (const NamedModel& named : old_models()) {
    SCOPED_TRACE(named.name);
    place(named.bytes);
    size_t arena = 0;
    ASSERT_EQ(0, required(&arena));
    EXPECT_EQ(COVEY_RUNTIME_ARENA_TOO_SMALL, load(arena - 1));
    ASSERT_EQ(0, load(arena));
    LoadedModel reference(named.bytes);
    covey_model_format_t format;
    ASSERT_EQ(0, runtime_.describe(&tflm_, &format));
    EXPECT_EQ(0, std::memcmp(&format, &reference.format(), sizeof format));
    for (uint32_t seed = 1; seed <= 3; ++seed) {
      const auto input = lcg_bytes(seed, format.input.size_bytes);
      std::vector<int8_t> output(format.output.size_bytes);
      ASSERT_EQ(0,
                runtime_.invoke(&tflm_, input.data(), input.size(), output.data(), output.size()));
      EXPECT_EQ(reference.run(input), output);
    }
    runtime_.unload(&tflm_);
  }
}

TEST_F(TflmRuntime, GoldenVector) {
  const auto path = shared_dir() / "models" / "kws_ref_model.tflite";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << path << " is absent; set COVEY_SHARED_DIR to run this";
  }
  place(read_bytes(path));
  size_t arena = 0;
  ASSERT_EQ(0, required(&arena));
  ASSERT_EQ(0, load(arena));
  const auto input = lcg_bytes(12345, 490);
  std::vector<int8_t> output(12);
  ASSERT_EQ(0, runtime_.invoke(&tflm_, input.data(), input.size(), output.data(), output.size()));
  EXPECT_EQ(4038422865U, fnv1a32(output));
}

}  // namespace
}  // namespace covey::testing
