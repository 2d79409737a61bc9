// SPDX-License-Identifier: Apache-2.0
// Public models and golden vectors that are not part of the repository: $COVEY_SHARED_DIR, or
// ../shared beside the source tree. Tests that need them skip where they are absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "core/digest.hpp"
#include "tests/paths.hpp"

namespace covey::testing {

inline std::filesystem::path shared_dir() {
  if (const char* dir = std::getenv("COVEY_SHARED_DIR"); dir != nullptr && *dir != '\0') {
    return dir;
  }
  return covey::test::source_path("../shared");
}

inline Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace covey::testing
