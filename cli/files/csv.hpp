// SPDX-License-Identifier: Apache-2.0
// Tables as text files, as spreadsheets and scripts write them: lines end with LF, CRLF or CR,
// cells stand between commas, semicolons or tabs, with or without quotes. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace covey::cli {

// Without blanks and tabs around it.
std::string_view trimmed(std::string_view text);
// As people are shown it: the first 40 bytes, in quotes.
std::string in_quotes(std::string_view cell);
// Takes a byte order mark off. False: it is UTF-16, or no text.
bool take_mark(std::string_view& text);
// Takes the next line off.
std::string_view take_line(std::string_view& rest);
// What stands between the cells: the one of the three that the line has most of.
char separator_of(std::string_view line);
// Cells with their quotes taken off; nothing where a quote is never closed.
std::optional<std::vector<std::string>> cells_of(std::string_view line, char separator);

}  // namespace covey::cli
