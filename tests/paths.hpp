// SPDX-License-Identifier: Apache-2.0
// Where a test finds files of the source tree and of the build directory, wherever it is started
// from. Only paths.cpp knows them, so that all else compiles to the same in every worktree.
#pragma once

#include <filesystem>
#include <string_view>

namespace covey::test {

std::filesystem::path source_path(std::string_view below_top);
// coveyd, covey and covey-sim are in its bin/.
std::filesystem::path build_path(std::string_view below_build);

}  // namespace covey::test
