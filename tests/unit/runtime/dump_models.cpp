// SPDX-License-Identifier: Apache-2.0
// Writes the models of layer_models.hpp for other runtimes to run:
//   tflite_model_dump FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/unit/runtime/layer_models.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tflite_model_dump FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& models : {covey::testing::layer_models(), covey::testing::network_models()}) {
    for (const covey::testing::NamedModel& model : models) {
      std::ofstream(folder / (model.name + ".tflite"), std::ios::binary)
          .write(reinterpret_cast<const char*>(model.bytes.data()),
                 static_cast<std::streamsize>(model.bytes.size()));
    }
  }
  return 0;
}
