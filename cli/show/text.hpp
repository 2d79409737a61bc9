// SPDX-License-Identifier: Apache-2.0
// Text on its way to a terminal: what of it is printed, and how wide that is. Devices, operators
// and authors of models choose texts; none of them may move the cursor, hide or forge a line. Pure;
// one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace covey::cli {

// One line: control characters, line breaks, what turns the direction of writing, invisible ones
// and bytes that are no UTF-8, each as \x1b or \u202e.
std::string escaped(std::string_view text);
// The same for text of ours with lines and colours: \n and SGR sequences (ESC [ digits m) stay.
std::string safe_for_terminal(std::string_view text);
// JSON with the same characters as \uXXXX: the same document, harmless on a terminal.
std::string safe_json(std::string_view json);
// Every string of the message, also below and in maps.
void escape_strings(google::protobuf::Message& message);

// Columns that a terminal needs: wide characters two, combining ones and SGR sequences none.
size_t display_width(std::string_view text);
// At most `columns` wide; what is cut off ends in "…".
std::string shortened(std::string_view text, size_t columns);
// Rows of a terminal that lines take, broken where it breaks them.
size_t terminal_rows(std::string_view lines, size_t columns);
// Broken at spaces, each line indented.
std::string wrapped(std::string_view text, size_t columns, size_t indent);

}  // namespace covey::cli
