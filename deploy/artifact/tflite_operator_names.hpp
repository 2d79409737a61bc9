// SPDX-License-Identifier: Apache-2.0
// Names of the public TensorFlow Lite schema's numbers, for people. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace covey {

// Empty for a number that this build doesn't know.
std::string_view tflite_operator_name(int32_t builtin);

}  // namespace covey
