// SPDX-License-Identifier: Apache-2.0
// A build with two operators (chosen_operators.h): nothing else is linked, and models that need
// more are refused by name.
#include <gtest/gtest.h>

#include "device_agent/runtimes/reference/operator.h"
#include "tests/unit/runtime/layer_models.hpp"
#include "tests/unit/runtime/loaded_model.hpp"

// Weak: stays null where the archive's member was not taken.
extern "C" {
extern const covey_operator_t covey_op_add __attribute__((weak));
extern const covey_operator_t covey_op_fully_connected __attribute__((weak));
extern const covey_operator_t covey_op_conv_2d __attribute__((weak));
}

namespace covey::testing {
namespace {

TEST(OperatorChoice, OnlyTheseAreThere) {
  covey_reference_operator_t op;
  ASSERT_TRUE(covey_reference_operator_at(0, &op));
  EXPECT_STREQ("CONV_2D", op.name);
  ASSERT_TRUE(covey_reference_operator_at(1, &op));
  EXPECT_STREQ("RELU", op.name);
  EXPECT_FALSE(covey_reference_operator_at(2, &op));
  EXPECT_NE(nullptr, &covey_op_conv_2d);
  EXPECT_EQ(nullptr, &covey_op_add);
  EXPECT_EQ(nullptr, &covey_op_fully_connected);
}

TEST(OperatorChoice, OthersAreRefusedByName) {
  size_t run = 0;
  for (const NamedModel& named : layer_models()) {
    const LoadedModel model(named.bytes);
    const bool chosen = named.name.rfind("conv_", 0) == 0 || named.name == "relu";
    EXPECT_EQ(chosen ? 0 : COVEY_RUNTIME_OPERATOR_UNSUPPORTED, model.error()) << named.name;
    EXPECT_TRUE(chosen || model.fault().builtin >= 0) << named.name;
    run += chosen ? 1U : 0U;
  }
  EXPECT_EQ(13U, run);
}

TEST(OperatorChoice, BoundsAreChosenToo) {
  const auto chain = [](int relus, int32_t elements) {
    TfliteBuilder b;
    int32_t last = b.tensor(activation({elements}));
    for (int i = 0; i < relus; ++i) {
      const int32_t next = b.tensor(activation({elements}));
      b.op(kBuiltinRelu, {last}, {next});
      last = next;
    }
    return LoadedModel(b.finish({0}, {last})).error();
  };
  EXPECT_EQ(0, chain(7, 10));
  EXPECT_EQ(COVEY_RUNTIME_MODEL_TOO_COMPLEX, chain(8, 10));
  EXPECT_EQ(0, chain(2, 5000));
  EXPECT_EQ(COVEY_RUNTIME_MODEL_TOO_COMPLEX, chain(2, 5001));
}

}  // namespace
}  // namespace covey::testing
