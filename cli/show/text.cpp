// SPDX-License-Identifier: Apache-2.0
#include "cli/show/text.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace covey::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
  bool valid = true;  // else one byte that is no UTF-8
};

Character first_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {lead, 1, false};
  char32_t code = lead & (0xFFU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {lead, 1, false};
    code = code << 6U | (byte(i) & 0x3FU);
  }
  const bool too_long = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (too_long || surrogate || code > 0x10FFFF) return {lead, 1, false};
  return {code, bytes, true};
}

bool within(char32_t code, char32_t low, char32_t high) { return code >= low && code <= high; }

// Controls (C0, DEL, C1), and what Unicode calls format characters and separators of lines: they
// are invisible, or change what stands beside them.
bool is_harmful(char32_t code) {
  return code < 0x20 || within(code, 0x7F, 0x9F) || code == 0xAD || code == 0x61C ||
         code == 0x180E || within(code, 0x200B, 0x200F) || within(code, 0x2028, 0x202E) ||
         within(code, 0x2060, 0x206F) || code == 0xFEFF || within(code, 0xFFF9, 0xFFFB) ||
         within(code, 0xE0000, 0xE0FFF);
}

// Length of an SGR sequence at the start; 0: there is none.
size_t color_at(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const size_t end = text.find_first_not_of("0123456789;", 2);
  return end == std::string_view::npos || text[end] != 'm' ? 0 : end + 1;
}

std::string escaped_but(std::string_view text, bool lines_and_colors) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_of(text);
    size_t taken = c.bytes;
    const size_t color = lines_and_colors ? color_at(text) : 0;
    if (color > 0) {
      taken = color;
      out += text.substr(0, taken);
    } else if (!c.valid || (c.code < 0x80 && is_harmful(c.code))) {
      const bool kept = lines_and_colors && c.code == '\n';
      out += kept ? "\n" : fmt::format("\\x{:02x}", static_cast<uint32_t>(c.code));
    } else if (is_harmful(c.code)) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c.code));
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return out;
}

// The C library knows the widths of all characters, in any locale of UTF-8.
int width_of(char32_t code) {
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  if (code < 0x7F || utf8 == locale_t{}) return 1;
  const locale_t before = uselocale(utf8);
  const int width = wcwidth(static_cast<wchar_t>(code));
  uselocale(before);
  return width < 0 ? 1 : width;
}

// Calls `visit` with each character that is seen and its width.
template <typename Visit>
void each_seen(std::string_view text, Visit visit) {
  while (!text.empty()) {
    if (const size_t color = color_at(text); color > 0) {
      text.remove_prefix(color);
      continue;
    }
    const Character c = first_of(text);
    visit(text.substr(0, c.bytes), c.valid ? static_cast<size_t>(width_of(c.code)) : 1U);
    text.remove_prefix(c.bytes);
  }
}

void escape_field(Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  const bool text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  const bool below = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (!field.is_repeated()) {
    if (text)
      reflection.SetString(&message, &field, escaped(reflection.GetString(message, &field)));
    if (below) escape_strings(*reflection.MutableMessage(&message, &field));
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    if (text) {
      reflection.SetRepeatedString(&message, &field, i,
                                   escaped(reflection.GetRepeatedString(message, &field, i)));
    }
    if (below) escape_strings(*reflection.MutableRepeatedMessage(&message, &field, i));
  }
}

}  // namespace

std::string escaped(std::string_view text) { return escaped_but(text, false); }
std::string safe_for_terminal(std::string_view text) { return escaped_but(text, true); }

std::string safe_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Character c = first_of(json);
    if (!c.valid) {
      out += "\\ufffd";
    } else if (c.code < 0x20 || !is_harmful(c.code)) {
      out += json.substr(0, c.bytes);  // controls are escaped in strings already
    } else if (c.code < 0x10000) {
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c.code));
    } else {
      const uint32_t rest = static_cast<uint32_t>(c.code) - 0x10000;
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
    }
    json.remove_prefix(c.bytes);
  }
  return out;
}

void escape_strings(Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) escape_field(message, *field);
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  each_seen(text, [&](std::string_view, size_t columns) { width += columns; });
  return width;
}

std::string shortened(std::string_view text, size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::string out;
  size_t width = 1;  // of the dots
  bool full = false;
  each_seen(text, [&](std::string_view character, size_t own) {
    full = full || width + own > columns;
    if (full) return;
    out += character;
    width += own;
  });
  return out + "…";
}

size_t terminal_rows(std::string_view lines, size_t columns) {
  size_t rows = 0;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    size_t column = 0;
    ++rows;
    each_seen(lines.substr(0, end), [&](std::string_view, size_t own) {
      if (column + own > columns) {  // a wide character that does not fit begins the next row
        ++rows;
        column = 0;
      }
      column += own;
    });
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return rows;
}

std::string wrapped(std::string_view text, size_t columns, size_t indent) {
  std::string out(indent, ' ');
  size_t column = indent;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const size_t own = display_width(text.substr(0, end));
    if (column > indent && column + 1 + own > columns) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += own;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace covey::cli
