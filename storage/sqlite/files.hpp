// SPDX-License-Identifier: Apache-2.0
// Names that last. Any thread.
#pragma once

#include <filesystem>

namespace covey::sqlite {

// A new file is only safe with its name in its directory. False: errno says why.
bool sync_directory(const std::filesystem::path& path);

}  // namespace covey::sqlite
