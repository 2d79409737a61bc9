// SPDX-License-Identifier: Apache-2.0
// What the inspection of a .tflite file says, and what it refuses.
#include <cstring>

#include <gtest/gtest.h>

#include "deploy/artifact/tflite_inspect.hpp"
#include "tests/unit/runtime/shared_models.hpp"
#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {
namespace {

std::vector<std::string> names(const TfliteSummary& summary) {
  std::vector<std::string> out;
  for (const TfliteOperator& op : summary.operators) {
    out.push_back(to_string(op));
  }
  return out;
}

TEST(InspectTflite, Summary) {
  const Bytes model = sample_models().front().bytes;
  const Result<TfliteSummary> summary = inspect_tflite(model);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ(model.size(), summary->size_bytes);
  EXPECT_EQ((std::vector<std::string>{"FULLY_CONNECTED", "SOFTMAX"}), names(*summary));
  EXPECT_EQ(3U, summary->operator_count);
  ASSERT_EQ(1U, summary->inputs.size());
  EXPECT_EQ((std::vector<int32_t>{1, 8}), summary->inputs[0].shape);
  EXPECT_EQ("INT8", summary->inputs[0].type);
  EXPECT_EQ(0.1F, summary->inputs[0].scale);
  EXPECT_EQ(5, summary->inputs[0].zero_point);
  EXPECT_EQ(8U, summary->inputs[0].size_bytes);
  ASSERT_EQ(1U, summary->outputs.size());
  EXPECT_EQ(-128, summary->outputs[0].zero_point);
}

TEST(InspectTflite, OperatorSetHashIsStable) {
  // printf '9:1:\n25:1:\n' | sha256sum
  const Result<TfliteSummary> summary = inspect_tflite(sample_models().front().bytes);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ("78893585a9ef85c4fd0570ccebffd6e5a6a88faebd990cdc893ddacc2c906da8",
            to_hex(summary->operator_set_hash));
  EXPECT_EQ(summary->operator_set_hash, operator_set_hash({{25, 1, ""}, {9, 1, ""}, {9, 1, ""}}));
  EXPECT_NE(summary->operator_set_hash, operator_set_hash({{25, 2, ""}, {9, 1, ""}}));
  Digest digest;
  digest.bytes[0] = 1;
  digest.bytes[7] = 2;
  EXPECT_EQ(0x0200000000000001U, operator_set_number(digest));
}

TEST(InspectTflite, CheckOperators) {
  const Result<TfliteSummary> summary = inspect_tflite(sample_models().front().bytes);
  ASSERT_TRUE(summary.ok());
  const SupportedOperator both[] = {{9, 12}, {25, 2}};
  EXPECT_TRUE(check_operators(*summary, both).ok());
  const SupportedOperator one[] = {{9, 12}};
  const Status missing = check_operators(*summary, one);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ("UNSUPPORTED_OPERATOR", missing.error().reason);
  EXPECT_NE(std::string::npos, missing.error().message.find("SOFTMAX"));
  const SupportedOperator old[] = {{9, 0}, {25, 2}};
  EXPECT_EQ("the runtime does not have: version 1 of FULLY_CONNECTED (it has 1 to 0)",
            check_operators(*summary, old).error().message);
  const Status none = check_operators(*summary, {});
  EXPECT_EQ("the runtime does not have: FULLY_CONNECTED, SOFTMAX", none.error().message);
}

TEST(InspectTflite, UnknownAndCustomOperatorsAreShown) {
  TfliteBuilder b;
  TensorSpec in = activation({1, 4});
  in.name = "in\x1b[31m";
  b.tensor(in);
  b.tensor(activation({1, 4}));
  b.tensor(activation({1, 4}));
  b.op(100'210, {0}, {1});
  b.op(kBuiltinCustom, {1}, {2}, {}, 3, "MyOp");
  const Result<TfliteSummary> summary = inspect_tflite(b.finish({0}, {2}));
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ((std::vector<std::string>{"CUSTOM(MyOp)", "BUILTIN_100210"}), names(*summary));
  EXPECT_EQ("in?[31m", summary->inputs[0].name);
}

TEST(InspectTflite, Refusals) {
  const auto reason = [](const Bytes& bytes) {
    const Result<TfliteSummary> summary = inspect_tflite(bytes);
    return summary.ok() ? std::string() : summary.error().reason;
  };
  EXPECT_EQ("NOT_TFLITE", reason({}));
  EXPECT_EQ("NOT_TFLITE", reason(Bytes(100)));
  EXPECT_EQ("TFLITE_TOO_LARGE", reason(Bytes(kTfliteBytesMax + 1)));
  Bytes model = sample_models().front().bytes;
  model.resize(model.size() / 2);
  EXPECT_EQ("TFLITE_CORRUPT", reason(model));

  TfliteBuilder b;
  b.tensor(activation({1, 4}));
  b.tensor(activation({1, 4}));
  EXPECT_EQ("TFLITE_UNSUPPORTED", reason(b.finish({0}, {1})));
  b.op(kBuiltinRelu, {0}, {1});
  EXPECT_EQ("", reason(b.finish({0}, {1})));
  EXPECT_EQ("TFLITE_UNSUPPORTED", reason(b.finish({}, {1})));
  EXPECT_EQ("TFLITE_CORRUPT", reason(b.finish({0}, {2})));
  EXPECT_EQ("TFLITE_CORRUPT", reason(b.finish({-1}, {1})));
  TfliteBuilder open;
  open.tensor(activation({-1, 4}));
  open.tensor(activation({1, 4}));
  open.op(kBuiltinRelu, {0}, {1});
  EXPECT_EQ("TFLITE_DYNAMIC_SHAPE", reason(open.finish({0}, {1})));
  b.op(kBuiltinRelu, {9}, {1});
  EXPECT_EQ("TFLITE_CORRUPT", reason(b.finish({0}, {1})));
}

TEST(InspectTflite, ConstantOfWrongSizeIsNamed) {
  TfliteBuilder b;
  b.tensor(activation({1, 4}));
  TensorSpec w = weights({2, 4}, {0.1F}, lcg_bytes(1, 7));
  w.name = "kernel";
  b.tensor(w);
  b.tensor(activation({1, 2}));
  b.op(kBuiltinFullyConnected, {0, 1}, {2});
  const Result<TfliteSummary> summary = inspect_tflite(b.finish({0}, {2}));
  ASSERT_FALSE(summary.ok());
  EXPECT_EQ("TFLITE_CORRUPT", summary.error().reason);
  EXPECT_NE(std::string::npos, summary.error().message.find("kernel"));
}

TEST(InspectTflite, HostileBytesGiveAnError) {
  for (const NamedModel& named : sample_models()) {
    for (size_t at = 0; at < named.bytes.size(); ++at) {
      Bytes bytes = named.bytes;
      bytes[at] = static_cast<uint8_t>(bytes[at] ^ 0xffU);
      (void)inspect_tflite(bytes).ok();
      (void)inspect_tflite({bytes.data(), at}).ok();
    }
  }
}

TEST(InspectTflite, PublicModels) {
  const auto path = shared_dir() / "models" / "kws_ref_model.tflite";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << path << " is absent; set COVEY_SHARED_DIR to run this";
  }
  const Result<TfliteSummary> summary = inspect_tflite(read_bytes(path));
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ((std::vector<std::string>{"AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D",
                                      "FULLY_CONNECTED", "RESHAPE", "SOFTMAX"}),
            names(*summary));
  EXPECT_EQ(490U, summary->inputs[0].size_bytes);
  EXPECT_EQ(12U, summary->outputs[0].size_bytes);
}

}  // namespace
}  // namespace covey::testing
