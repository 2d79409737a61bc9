// SPDX-License-Identifier: Apache-2.0
// Models for comparison with other runtimes: one for each way to use an operator, and networks of
// MLPerf Tiny's shapes. Weights and scales come from a generator, so the same bytes come out
// everywhere, and only the outputs of the other runtimes are kept (tests/vectors/README.md).
#pragma once

#include <vector>

#include "tests/unit/runtime/tflite_builder.hpp"

namespace covey::testing {

std::vector<NamedModel> layer_models();
// A few of those and sample_models(), in which every operator is: for tests that change each byte.
std::vector<NamedModel> operator_models();
// Keyword spotting (DS-CNN), image classification (ResNet-8), visual wake words (MobileNetV1 0.25
// of 96x96) and anomaly detection (autoencoder).
std::vector<NamedModel> network_models();

}  // namespace covey::testing
