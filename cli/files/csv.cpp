// SPDX-License-Identifier: Apache-2.0
#include "cli/files/csv.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace covey::cli {
namespace {

constexpr size_t kLookedAt = 1024;  // for what no text has

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string in_quotes(std::string_view cell) { return fmt::format("'{}'", cell.substr(0, 40)); }

bool take_mark(std::string_view& text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return !text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF") &&
         text.substr(0, kLookedAt).find('\0') == std::string_view::npos;
}

std::string_view take_line(std::string_view& rest) {
  const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  const bool crlf = rest.substr(end).starts_with("\r\n");
  rest.remove_prefix(std::min(end + (crlf ? 2 : 1), rest.size()));
  return line;
}

char separator_of(std::string_view line) {
  const auto count = [&](char c) { return std::count(line.begin(), line.end(), c); };
  char best = ',';
  for (const char c : {';', '\t'}) {
    if (count(c) > count(best)) best = c;
  }
  return best;
}

std::optional<std::vector<std::string>> cells_of(std::string_view line, char separator) {
  std::vector<std::string> cells(1);
  bool in_quotes = false;
  bool was_quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_quotes && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (c == '"' && (in_quotes || (!was_quoted && trimmed(cells.back()).empty()))) {
      in_quotes = !in_quotes;
      was_quoted = true;
    } else if (c == separator && !in_quotes) {
      cells.emplace_back();
      was_quoted = false;
    } else {
      cells.back() += c;
    }
  }
  if (in_quotes) return std::nullopt;
  for (std::string& cell : cells) cell = std::string(trimmed(cell));
  return cells;
}

}  // namespace covey::cli
