// SPDX-License-Identifier: Apache-2.0
// Writes the model that the rollout benchmark brings to its devices: int8, fully connected,
// 8 features -> WIDTH -> WIDTH -> 4 classes -> softmax, as the bearing example's, with weights from
// a fixed generator. WIDTH 240 makes a file of about 64 KB. What it answers means nothing.
//   covey_bench_model WIDTH FILE
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/unit/runtime/tflite_builder.hpp"

int main(int argc, char** argv) {
  using namespace covey::testing;
  constexpr int kWidthMax = 1024;
  const int width = argc == 3 ? std::atoi(argv[1]) : 0;
  if (width < 1 || width > kWidthMax) {
    std::fprintf(stderr, "Usage: covey_bench_model WIDTH FILE    (WIDTH 1 to %d)\n", kWidthMax);
    return 2;
  }
  TfliteBuilder builder;
  // The scale of the example's features, so that its preprocessing fits.
  const int32_t in = builder.tensor(activation({1, 8}, 1.0F / 32, 0));
  const int32_t first = builder.dense(in, 8, width, 1, 1);
  const int32_t second = builder.dense(first, width, width, 2, 1);
  const int32_t logits = builder.dense(second, width, 4, 3);
  const int32_t out = builder.tensor(activation({1, 4}, 1.0F / 256, -128));
  builder.op(kBuiltinSoftmax, {logits}, {out}, Softmax{1.0F});
  const covey::Bytes bytes = builder.finish({in}, {out});
  std::ofstream file(argv[2], std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) {
    std::fprintf(stderr, "covey_bench_model: cannot write %s\n", argv[2]);
    return 1;
  }
  return 0;
}
