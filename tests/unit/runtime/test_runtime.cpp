// SPDX-License-Identifier: Apache-2.0
// Contract of the adapter, exactness of the arena, refusals, hostile files.
#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "device_agent/runtimes/reference/plan.h"
#include "tests/unit/runtime/layer_models.hpp"
#include "tests/unit/runtime/loaded_model.hpp"
#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {
namespace {

int load_error(const TfliteBuilder& builder, int32_t in, int32_t out) {
  return LoadedModel(builder.finish({in}, {out})).error();
}

TEST(ReferenceRuntime, NamesOfErrors) {
  EXPECT_STREQ("RUNTIME_ARENA_TOO_SMALL", covey_runtime_error_name(-420));
  EXPECT_EQ(nullptr, covey_runtime_error_name(-499));
  EXPECT_EQ(nullptr, covey_runtime_error_name(0));
}

// The least arena that load() takes, found without asking arena_required.
size_t bisect_arena(const Bytes& model) {
  covey_reference_t reference;
  covey_reference_init(&reference);
  const covey_runtime_t runtime = covey_reference_runtime(&reference);
  size_t too_small = 0;
  size_t enough = 1U << 20U;
  AlignedArena arena(enough);
  while (enough - too_small > 1) {
    const size_t size = too_small + (enough - too_small) / 2;
    const int error = runtime.load(&reference, model.data(), model.size(), arena.data(), size);
    EXPECT_TRUE(error == 0 || error == COVEY_RUNTIME_ARENA_TOO_SMALL) << error;
    (error == 0 ? enough : too_small) = size;
    runtime.unload(&reference);
  }
  return enough;
}

TEST(ReferenceRuntime, ArenaRequiredIsExact) {
  for (const auto& models : {sample_models(), layer_models(), network_models()}) {
    for (const NamedModel& named : models) {
      const LoadedModel model(named.bytes);
      EXPECT_EQ(0, model.error()) << named.name;
      EXPECT_EQ(bisect_arena(named.bytes), model.arena_bytes()) << named.name;
    }
  }
}

// The arena is part of signed manifests: a change of these numbers is a change for users.
TEST(ReferenceRuntime, ArenaOfSampleModels) {
  std::vector<size_t> arenas;
  for (const NamedModel& named : sample_models()) {
    arenas.push_back(LoadedModel(named.bytes).arena_bytes());
  }
  EXPECT_EQ((std::vector<size_t>{200, 261, 86}), arenas);
  arenas.clear();
  for (const NamedModel& named : network_models()) {
    arenas.push_back(LoadedModel(named.bytes).arena_bytes());
  }
  EXPECT_EQ((std::vector<size_t>{20080, 52384, 81376, 1408}), arenas);
}

TEST(ReferenceRuntime, Contract) {
  const Bytes model = sample_models().front().bytes;
  covey_reference_t reference;
  covey_reference_init(&reference);
  const covey_runtime_t runtime = covey_reference_runtime(&reference);
  EXPECT_STREQ("covey-reference-1", runtime.name);
  AlignedArena arena(4096);
  covey_model_format_t format;
  std::vector<int8_t> in(8);
  std::vector<int8_t> out(4);
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime.invoke(&reference, in.data(), 8, out.data(), 4));
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime.describe(&reference, &format));
  EXPECT_EQ(COVEY_RUNTIME_BAD_ARGUMENT, runtime.load(&reference, nullptr, 0, arena.data(), 4096));
  EXPECT_EQ(COVEY_RUNTIME_ARENA_MISALIGNED,
            runtime.load(&reference, model.data(), model.size(), arena.data() + 4, 4092));
  ASSERT_EQ(0, runtime.load(&reference, model.data(), model.size(), arena.data(), 4096));
  EXPECT_EQ(COVEY_RUNTIME_ALREADY_LOADED,
            runtime.load(&reference, model.data(), model.size(), arena.data(), 4096));
  ASSERT_EQ(0, runtime.describe(&reference, &format));
  EXPECT_EQ(8U, format.input.size_bytes);
  EXPECT_EQ(4U, format.output.size_bytes);
  EXPECT_EQ(-128, format.output.zero_point);
  EXPECT_EQ(1 << 30, format.output.multiplier);  // 1/256 = 2^30 * 2^(-7 - 31)
  EXPECT_EQ(-7, format.output.shift);
  EXPECT_EQ(COVEY_RUNTIME_INPUT_SIZE, runtime.invoke(&reference, in.data(), 7, out.data(), 4));
  EXPECT_EQ(COVEY_RUNTIME_OUTPUT_SIZE, runtime.invoke(&reference, in.data(), 8, out.data(), 3));
  EXPECT_EQ(0, runtime.invoke(&reference, in.data(), 8, out.data(), 4));
  runtime.unload(&reference);
  runtime.unload(&reference);
  EXPECT_EQ(COVEY_RUNTIME_NOT_LOADED, runtime.describe(&reference, &format));
  EXPECT_EQ(0, runtime.load(&reference, model.data(), model.size(), arena.data(), 4096));
}

TEST(ReferenceRuntime, ListsItsOperators) {
  covey_reference_operator_t op;
  uint32_t count = 0;
  while (covey_reference_operator_at(count, &op)) {
    EXPECT_NE(nullptr, op.name);
    ++count;
  }
  EXPECT_EQ(20U, count);
}

// Same bytes in, same bytes out, also after the arena held something else.
TEST(ReferenceRuntime, IsDeterministic) {
  LoadedModel a(sample_models()[1].bytes);
  LoadedModel b(sample_models()[1].bytes);
  const auto first = a.run(lcg_bytes(1, 6));
  a.run(lcg_bytes(2, 6));
  EXPECT_EQ(first, a.run(lcg_bytes(1, 6)));
  EXPECT_EQ(first, b.run(lcg_bytes(1, 6)));
}

TEST(ReferenceRuntime, InPlaceOperatorsShareMemory) {
  TfliteBuilder chain;
  const int32_t in = chain.tensor(activation({1, 100}));
  int32_t last = in;
  for (int i = 0; i < 5; ++i) {
    const int32_t next = chain.tensor(activation({1, 100}));
    chain.op(kBuiltinRelu, {last}, {next});
    last = next;
  }
  LoadedModel model(chain.finish({in}, {last}));
  ASSERT_EQ(0, model.error());
  const size_t records = 5 * (8 + 36);
  EXPECT_EQ((records + 15) / 16 * 16 + 100, model.arena_bytes());
}

TEST(ReferenceRuntime, InputUsedTwiceIsNotOverwritten) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  const int32_t unused = b.tensor(activation({1, 4}));
  const int32_t out = b.tensor(activation({1, 4}));
  b.op(kBuiltinRelu, {in}, {unused});
  b.op(kBuiltinReshape, {in}, {out});
  LoadedModel model(b.finish({in}, {out}));
  ASSERT_EQ(0, model.error());
  EXPECT_EQ((std::vector<int8_t>{-4, -3, 2, 1}), model.run({-4, -3, 2, 1}));
}

TEST(Plan, LivesDoNotOverlapInMemory) {
  for (uint32_t seed = 1; seed < 200; ++seed) {
    TfliteBuilder b;
    const auto widths = lcg_bytes(seed, 20);
    std::vector<int32_t> tensors = {b.tensor(activation({1, 64}))};
    const int32_t in = tensors[0];
    for (size_t i = 0; i < widths.size(); ++i) {
      // Reads any earlier tensor, so that lives are of many lengths.
      const int32_t from = tensors[static_cast<uint8_t>(widths[i]) % tensors.size()];
      const int32_t size = 1 + static_cast<uint8_t>(widths[(i + 7) % widths.size()]);
      tensors.push_back(b.tensor(activation({1, size})));
      b.op(i % 3 == 0 ? kBuiltinRelu : kBuiltinFullyConnected, {from}, {tensors.back()});
    }
    const Bytes bytes = b.finish({in}, {tensors.back()});
    covey_tflite_t model;
    covey_plan_t plan;
    int32_t op = 0;
    int32_t tensor = 0;
    ASSERT_EQ(0, covey_tflite_open(bytes.data(), bytes.size(), &model));
    ASSERT_EQ(0, covey_plan_make(&model, &plan, &op, &tensor));
    uint32_t end = 0;
    for (uint32_t i = 0; i < plan.count; ++i) {
      const covey_activation_t& a = plan.activations[i];
      end = std::max(end, a.offset + a.size_bytes);
      for (uint32_t j = 0; j < i; ++j) {
        const covey_activation_t& c = plan.activations[j];
        if (a.home == c.home || a.home != i || c.home != j) {
          continue;
        }
        const bool together = a.first <= c.last && c.first <= a.last;
        const bool apart =
            a.offset + a.size_bytes <= c.offset || c.offset + c.size_bytes <= a.offset;
        EXPECT_TRUE(!together || apart) << "seed " << seed << ": " << i << " and " << j;
      }
    }
    EXPECT_EQ(end, plan.size_bytes);
  }
}

TEST(Refusals, FileAsAWhole) {
  EXPECT_EQ(COVEY_RUNTIME_NOT_TFLITE, LoadedModel(Bytes{1, 2, 3}).error());
  EXPECT_EQ(COVEY_RUNTIME_NOT_TFLITE, LoadedModel(Bytes(100, 0)).error());
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  const int32_t out = b.tensor(activation({1, 4}));
  b.op(kBuiltinRelu, {in}, {out});
  EXPECT_EQ(0, load_error(b, in, out));
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, LoadedModel(b.finish({in, in}, {out})).error());
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, LoadedModel(b.finish({in}, {})).error());
  EXPECT_EQ(COVEY_RUNTIME_MODEL_CORRUPT, load_error(b, 77, out));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, load_error(b, -5, out));
  b.subgraphs = 2;
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, load_error(b, in, out));
  b.subgraphs = 1;
  b.schema_version = 2;
  EXPECT_EQ(COVEY_RUNTIME_NOT_TFLITE, load_error(b, in, out));
}

int relu_error(const TensorSpec& in_spec, const TensorSpec& out_spec, int32_t version = 1,
               int32_t builtin = kBuiltinRelu, const Options& options = {}) {
  TfliteBuilder b;
  const int32_t in = b.tensor(in_spec);
  const int32_t out = b.tensor(out_spec);
  b.op(builtin, {in}, {out}, options, version);
  return load_error(b, in, out);
}

TEST(Refusals, OperatorAndTensors) {
  const TensorSpec good = activation({1, 4});
  EXPECT_EQ(0, relu_error(good, good));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, relu_error(good, good, 1, kBuiltinConcatenation));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, relu_error(good, good, 99));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, relu_error(good, good, 0));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, relu_error(good, activation({1, 5})));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, relu_error(activation({1, 0}), activation({1, 0})));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, relu_error(activation({-1, 4}), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, relu_error(activation({1 << 20, 1 << 20, 1 << 20}), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, relu_error(activation({1, 1, 1, 1, 1, 1, 1}), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, relu_error(activation({1, 4}, 0.0F), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, relu_error(activation({1, 4}, -1.0F), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, relu_error(activation({1, 4}, 1.0F, 128), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION,
            relu_error(activation({1, 4}, 1.0F, int64_t{1} << 32), good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION,
            relu_error(activation({1, 4}, 1e20F), activation({1, 4}, 1e-20F)));
  TensorSpec spec = good;
  spec.scales.clear();
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, relu_error(spec, good));
  spec = good;
  spec.type = kTypeFloat32;
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, relu_error(spec, good));
  spec.type = kTypeInt32;
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, relu_error(spec, good));
  spec = good;
  spec.is_variable = true;
  EXPECT_EQ(COVEY_RUNTIME_MODEL_UNSUPPORTED, relu_error(spec, good));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION,
            relu_error(good, good, 1, kBuiltinSoftmax, Softmax{1.0F}));
  EXPECT_EQ(
      COVEY_RUNTIME_OPERATOR_UNSUPPORTED,
      relu_error(good, activation({1, 4}, 1.0F / 256, -128), 1, kBuiltinSoftmax, Softmax{-1.0F}));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED,
            relu_error(good, good, 1, kBuiltinSoftmax, FullyConnected{}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION,
            relu_error(good, activation({1, 4}, 0.5F), 1, kBuiltinReshape));
}

TEST(Refusals, FullyConnected) {
  const auto with = [](const TensorSpec& w, const TensorSpec& b, FullyConnected options) {
    TfliteBuilder builder;
    const int32_t in = builder.tensor(activation({1, 4}));
    const int32_t wt = builder.tensor(w);
    const int32_t bt = builder.tensor(b);
    const int32_t out = builder.tensor(activation({1, 2}));
    builder.op(kBuiltinFullyConnected, {in, wt, bt}, {out}, options);
    return load_error(builder, in, out);
  };
  const TensorSpec w = weights({2, 4}, {0.1F}, lcg_bytes(1, 8));
  const TensorSpec b = bias({1, 2});
  EXPECT_EQ(0, with(w, b, {}));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, with(w, b, {.activation = 4}));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, with(w, b, {.weights_format = 1}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with(w, bias({1, 2, 3}), {}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with(weights({2, 3}, {0.1F}, lcg_bytes(1, 6)), b, {}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with(weights({2, 4}, {0.1F}, lcg_bytes(1, 7)), b, {}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, with(weights({8}, {0.1F}, lcg_bytes(1, 8)), b, {}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_TYPE, with(w, weights({2}, {0.1F}, {1, 2}), {}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION,
            with(weights({2, 4}, {0.1F, 0.1F, 0.1F}, lcg_bytes(1, 8)), b, {}));
  TensorSpec asymmetric = w;
  asymmetric.zero_points = {3};
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_QUANTIZATION, with(asymmetric, b, {}));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, with(activation({2, 4}), b, {}));
}

TEST(Refusals, OrderOfExecution) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  const int32_t never = b.tensor(activation({1, 4}));
  const int32_t out = b.tensor(activation({1, 4}));
  b.op(kBuiltinRelu, {never}, {out});
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, load_error(b, in, out));
  TfliteBuilder twice;
  twice.tensor(activation({1, 4}));
  twice.tensor(activation({1, 4}));
  twice.op(kBuiltinRelu, {0}, {1});
  twice.op(kBuiltinRelu, {0}, {1});
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, load_error(twice, 0, 1));
  TfliteBuilder cycle;
  cycle.tensor(activation({1, 4}));
  cycle.op(kBuiltinRelu, {0}, {0});
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, load_error(cycle, 0, 0));
}

TEST(Refusals, TooManyActivations) {
  const auto chain = [](int length) {
    TfliteBuilder b;
    int32_t last = b.tensor(activation({1, 4}));
    for (int i = 0; i < length; ++i) {
      const int32_t next = b.tensor(activation({1, 4}));
      b.op(kBuiltinRelu, {last}, {next});
      last = next;
    }
    return load_error(b, 0, last);
  };
  EXPECT_EQ(0, chain(COVEY_REFERENCE_MAX_ACTIVATIONS - 1));
  EXPECT_EQ(COVEY_RUNTIME_MODEL_TOO_COMPLEX, chain(COVEY_REFERENCE_MAX_ACTIVATIONS));
}

// A recurrent layer of a real model: 24 inputs, variable tensors, int16 cells. What there is to
// know is that the runtime does not have it.
TEST(Refusals, UnknownOperatorsComeFirst) {
  constexpr int32_t kLstm = 44;
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  TensorSpec state = activation({1, 4});
  state.type = 7;  // int16
  state.is_variable = true;
  const int32_t cell = b.tensor(state);
  const int32_t mid = b.tensor(activation({1, 4}));
  const int32_t out = b.tensor(activation({1, 4}));
  b.op(kBuiltinRelu, {in}, {mid});
  b.op(kLstm, std::vector<int32_t>(24, cell), {out});
  LoadedModel model(b.finish({in}, {out}));
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, model.error());
  EXPECT_EQ(1, model.fault().operator_index);
  EXPECT_EQ(kLstm, model.fault().builtin);

  TfliteBuilder chain;  // behind more operators than the runtime takes
  int32_t last = chain.tensor(activation({1, 4}));
  for (int i = 0; i <= COVEY_REFERENCE_MAX_ACTIVATIONS; ++i) {
    const int32_t next = chain.tensor(activation({1, 4}));
    chain.op(i == COVEY_REFERENCE_MAX_ACTIVATIONS ? kLstm : kBuiltinRelu, {last}, {next});
    last = next;
  }
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_UNSUPPORTED, load_error(chain, 0, last));

  TfliteBuilder known;  // a known one with too many inputs is malformed
  known.tensor(activation({1, 4}));
  known.tensor(activation({1, 4}));
  known.op(kBuiltinAdd, std::vector<int32_t>(COVEY_NODE_TENSORS_MAX + 1, 0), {1});
  EXPECT_EQ(COVEY_RUNTIME_OPERATOR_MALFORMED, load_error(known, 0, 1));
}

// All tensors alive at once: the dearest file to plan.
TEST(ReferenceRuntime, PlansManyTensorsThatLiveTogether) {
  TfliteBuilder b;
  b.tensor(activation({1, 4}));
  constexpr int kReaders = COVEY_REFERENCE_MAX_ACTIVATIONS / COVEY_NODE_TENSORS_MAX + 1;
  constexpr int kTensors = COVEY_REFERENCE_MAX_ACTIVATIONS - kReaders - 2;
  for (int i = 0; i < kTensors; ++i) {
    const int32_t next = b.tensor(activation({1, 4 + (i * 37) % 900}));
    b.op(kBuiltinShape, {0}, {next});  // refused later: the plan comes first
  }
  for (int i = 0; i < kReaders; ++i) {
    std::vector<int32_t> read;
    for (int k = 0; k < COVEY_NODE_TENSORS_MAX; ++k) {
      read.push_back(1 + (i * COVEY_NODE_TENSORS_MAX + k) % kTensors);
    }
    b.op(kBuiltinAdd, read, {b.tensor(activation({1, 4}))});
  }
  EXPECT_NE(COVEY_RUNTIME_MODEL_TOO_COMPLEX, load_error(b, 0, 1));
}

TEST(Refusals, NameTheOperatorAndTensor) {
  TfliteBuilder b;
  const int32_t in = b.tensor(activation({1, 4}));
  const int32_t mid = b.tensor(activation({1, 4}));
  const int32_t out = b.tensor(activation({1, 5}));
  b.op(kBuiltinRelu, {in}, {mid});
  b.op(kBuiltinReshape, {mid}, {out});
  LoadedModel model(b.finish({in}, {out}));
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, model.error());
  EXPECT_EQ(COVEY_RUNTIME_TENSOR_SHAPE, model.fault().error);
  EXPECT_EQ(1, model.fault().operator_index);
  EXPECT_EQ(kBuiltinReshape, model.fault().builtin);
  EXPECT_EQ(out, model.fault().tensor);
}

}  // namespace
}  // namespace covey::testing
