// SPDX-License-Identifier: Apache-2.0
// Writes the corpus of the .tflite fuzz targets from the unit tests' models:
//   fuzz_tflite_corpus tests/fuzz/corpus
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/unit/runtime/layer_models.hpp"

namespace {

void write(const std::filesystem::path& path, const covey::Bytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_tflite_corpus FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const covey::testing::NamedModel& model : covey::testing::operator_models()) {
    write(folder / "fuzz_tflite_inspect" / (model.name + ".tflite"), model.bytes);
    covey::Bytes whole = model.bytes;  // the two bytes that the target takes off: nothing changed
    whole.insert(whole.end(), {0, 0});
    write(folder / "fuzz_tflite_runtime" / (model.name + ".bin"), whole);
  }
  return 0;
}
