// SPDX-License-Identifier: Apache-2.0
// Labels as a file: one inference per line, four cells. What spreadsheets and scripts write is
// taken as it is: comma, semicolon or tab, quotes, a byte order mark, LF, CRLF or CR, comments (#),
// a first line that names the columns, in any order. What cannot be taken is named by line.
// Pure; any thread. Errors: BAD_LABELS, all lines at once (the first kLabelProblemsShown of them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace covey::cli {

inline constexpr size_t kLabelFileBytesMax = 256U << 20U;
inline constexpr size_t kLabelProblemsShown = 20;

struct LabelLine {
  size_t line = 0;  // of the file, from 1
  std::string device;
  std::string boot_id;
  uint64_t inference = 0;
  uint32_t truth = 0;
};

Result<std::vector<LabelLine>> read_labels(std::string_view text);

}  // namespace covey::cli
