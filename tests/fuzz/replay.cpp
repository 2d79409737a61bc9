// SPDX-License-Identifier: Apache-2.0
// Stands in for libFuzzer's main where the corpus is only replayed, so that any compiler's
// sanitizers do: PROGRAM FILE-OR-FOLDER... Exit codes: 0 every input was taken, 1 there was none.
// An input that crashes is the last one named.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::vector<std::filesystem::path> inputs_in(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  return found;
}

// In memory of exactly its size, so that a byte read past the end is found.
void take(const std::string& text) {
  const auto exact = std::make_unique<uint8_t[]>(text.size());
  std::copy(text.begin(), text.end(), exact.get());
  LLVMFuzzerTestOneInput(exact.get(), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  take("");
  size_t taken = 0;
  for (int i = 1; i < argc; ++i) {
    for (const std::filesystem::path& path : inputs_in(argv[i])) {
      std::printf("%s\n", path.c_str());
      std::fflush(stdout);
      std::ifstream file(path, std::ios::binary);
      take({std::istreambuf_iterator<char>(file), {}});
      ++taken;
    }
  }
  std::printf("%zu inputs\n", taken);
  return taken == 0 ? 1 : 0;
}
