// SPDX-License-Identifier: Apache-2.0
#include "deploy/artifact/json_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <vector>

namespace covey {
namespace {
const JsonDecoder::Json kNothing;
const JsonDecoder::Json kEmptyObject = JsonDecoder::Json::object();
const JsonDecoder::Json kEmptyArray = JsonDecoder::Json::array();

constexpr size_t kParserWordsMax = 120;  // it repeats what it has read, however long that is

// Of text that the parser refused: the line, and what is wrong there.
std::string why_no_json(ByteView bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return "is empty";
  try {
    const auto parsed = JsonDecoder::Json::parse(text.begin(), text.end());
    return fmt::format("is no JSON: {}", parsed.type_name());
  } catch (const JsonDecoder::Json::parse_error& error) {
    const size_t at = std::min(error.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
    // Python writes them, and JSON has no such numbers.
    for (const std::string_view word : {"NaN", "Infinity"}) {
      const size_t from = text.rfind(word, at);
      if (from != std::string_view::npos && from + word.size() >= at) {
        return fmt::format("is no JSON, line {}: {} is no number there: write one, or leave it out",
                           line, word);
      }
    }
    std::string_view words = error.what();
    const size_t syntax = words.find(": syntax error ");
    if (syntax != std::string_view::npos) words.remove_prefix(syntax + 2);
    return fmt::format("is no JSON, line {}: {}", line, words.substr(0, kParserWordsMax));
  } catch (const JsonDecoder::Json::exception& error) {  // a number beyond all numbers
    return fmt::format("is no JSON: {}", std::string_view(error.what()).substr(0, kParserWordsMax));
  }
}

}  // namespace

std::string JsonDecoder::join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

std::string JsonDecoder::at(const std::string& path, size_t index) {
  return fmt::format("{}[{}]", path, index);
}

void JsonDecoder::fail(const std::string& path, std::string_view problem) {
  if (error_) return;
  error_ =
      invalid("GATEWAY_PART_INVALID", (path.empty() ? "" : path + ": ") + std::string(problem));
}

JsonDecoder::Json JsonDecoder::parse(ByteView text, size_t size_max) {
  if (text.size() > size_max) {
    fail("", fmt::format("has {} bytes, at most {} are allowed", text.size(), size_max));
    return kEmptyObject;
  }
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kDepthMax) {
      fail("", fmt::format("is nested deeper than {} levels", kDepthMax));
      return false;
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty() &&
        !keys.back().insert(value.get<std::string>()).second) {
      fail("", "has the key '" + value.get<std::string>().substr(0, 64) + "' twice");
    }
    return ok();
  };
  Json json = Json::parse(text.begin(), text.end(), watch, false);
  if (!ok()) return kEmptyObject;
  if (json.is_discarded()) {
    fail("", why_no_json(text));
    return kEmptyObject;
  }
  if (!json.is_object()) {
    fail("", "is not a JSON object");
    return kEmptyObject;
  }
  return json;
}

const JsonDecoder::Json& JsonDecoder::member(const Json& parent, const std::string& path,
                                             std::string_view name) {
  if (!ok()) return kNothing;
  if (!parent.is_object()) {
    fail(path, "expected an object");
    return kNothing;
  }
  const auto found = parent.find(std::string(name));
  if (found == parent.end()) {
    fail(join(path, name), "is missing");
    return kNothing;
  }
  return *found;
}

const JsonDecoder::Json& JsonDecoder::object(const Json& parent, const std::string& path,
                                             std::string_view name) {
  const Json& value = member(parent, path, name);
  if (!ok()) return kEmptyObject;
  if (value.is_object()) return value;
  fail(join(path, name), "expected an object");
  return kEmptyObject;
}

const JsonDecoder::Json& JsonDecoder::array(const Json& parent, const std::string& path,
                                            std::string_view name, size_t size_max) {
  const Json& value = name.empty() ? parent : member(parent, path, name);
  const std::string where = name.empty() ? path : join(path, name);
  if (!ok()) return kEmptyArray;
  if (!value.is_array()) {
    fail(where, "expected an array");
    return kEmptyArray;
  }
  if (value.size() > size_max) {
    fail(where, fmt::format("has {} entries, at most {} are allowed", value.size(), size_max));
    return kEmptyArray;
  }
  return value;
}

std::string JsonDecoder::text(const Json& parent, const std::string& path, std::string_view name,
                              size_t size_max) {
  const Json& value = member(parent, path, name);
  return text_value(value, join(path, name), size_max);
}

int64_t JsonDecoder::integer(const Json& parent, const std::string& path, std::string_view name,
                             int64_t low, int64_t high) {
  const Json& value = member(parent, path, name);
  return integer_value(value, join(path, name), low, high);
}

std::string JsonDecoder::text_value(const Json& value, const std::string& path, size_t size_max) {
  if (!ok()) return {};
  if (!value.is_string()) {
    fail(path, "expected a text");
    return {};
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty() || text.size() > size_max) {
    fail(path, fmt::format("expected 1 to {} bytes of text", size_max));
    return {};
  }
  return text;
}

int64_t JsonDecoder::integer_value(const Json& value, const std::string& path, int64_t low,
                                   int64_t high) {
  if (!ok()) return low;
  if (!value.is_number_integer()) {
    fail(path, "expected a whole number");
    return low;
  }
  const bool too_large =
      value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const int64_t number = too_large ? 0 : value.get<int64_t>();
  if (too_large || number < low || number > high) {
    fail(path, fmt::format("is not between {} and {}", low, high));
    return low;
  }
  return number;
}

}  // namespace covey
