// SPDX-License-Identifier: Apache-2.0
#include "tests/paths.hpp"

namespace covey::test {

std::filesystem::path source_path(std::string_view below_top) {
  return std::filesystem::path(COVEY_SOURCE_DIR) / below_top;
}

std::filesystem::path build_path(std::string_view below_build) {
  return std::filesystem::path(COVEY_BINARY_DIR) / below_build;
}

}  // namespace covey::test
