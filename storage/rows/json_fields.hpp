// SPDX-License-Identifier: Apache-2.0
// JSON text of plain structs, both directions from one list of fields (core/fields.hpp). Reading
// ignores unknown members and leaves what is missing at its default, so that columns can grow.
// Pure; any thread. No exception leaves: decode() answers Result.
#pragma once

#include <cmath>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/digest.hpp"
#include "core/fields.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "storage/rows/word.hpp"

namespace covey::rows {

using Json = nlohmann::json;

template <typename T>
Json to_value(const T& value);
template <typename T>
void from_value(const Json& value, T& out);

struct FieldWriter {
  Json object = Json::object();
  template <typename T>
  void operator()(const char* name, const T& value) {
    object[name] = to_value(value);
  }
};
struct FieldReader {
  const Json& object;
  template <typename T>
  void operator()(const char* name, T& value) {
    if (const auto found = object.find(name); found != object.end()) from_value(*found, value);
  }
};

template <typename T>
struct JsonValue {  // a struct with fields()
  static Json to(const T& value) {
    FieldWriter writer;
    fields(writer, value);
    return std::move(writer.object);
  }
  static void from(const Json& json, T& out) {
    if (!json.is_object()) throw Json::type_error::create(302, "not an object", &json);
    FieldReader reader{json};
    fields(reader, out);
  }
};
template <typename T>
requires std::integral<T> || std::same_as<T, std::string>
struct JsonValue<T> {
  static Json to(const T& value) { return value; }
  static void from(const Json& json, T& out) { out = json.get<T>(); }
};
template <HasWord E>
struct JsonValue<E> {
  static Json to(E value) { return std::string(to_string(value)); }
  static void from(const Json& json, E& out) {
    const auto value = Word<E>::kParse(json.get_ref<const std::string&>());
    if (!value) throw Json::other_error::create(501, "unknown word " + json.dump(), &json);
    out = *value;
  }
};
// JSON has no infinity; a measure may.
template <>
struct JsonValue<double> {
  static Json to(double value) {
    if (std::isfinite(value)) return value;
    return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  }
  static void from(const Json& json, double& out) {
    if (!json.is_string()) {
      out = json.get<double>();
      return;
    }
    const auto& word = json.get_ref<const std::string&>();
    out = word == "nan" ? NAN : word == "inf" ? INFINITY : -INFINITY;
  }
};
template <>
struct JsonValue<Millis> {
  static Json to(Millis value) { return value.count(); }
  static void from(const Json& json, Millis& out) { out = Millis{json.get<int64_t>()}; }
};
template <>
struct JsonValue<Digest> {
  static Json to(const Digest& value) { return to_hex(value); }
  static void from(const Json& json, Digest& out) {
    Result<Digest> digest = parse_digest(json.get_ref<const std::string&>());
    if (!digest) throw Json::other_error::create(501, digest.error().message, &json);
    out = *digest;
  }
};
template <typename Tag>
struct JsonValue<Id<Tag>> {
  static Json to(const Id<Tag>& value) { return value.str(); }
  static void from(const Json& json, Id<Tag>& out) { out = Id<Tag>(json.get<std::string>()); }
};
template <typename T>
struct JsonValue<std::optional<T>> {
  static Json to(const std::optional<T>& value) { return value ? to_value(*value) : Json(); }
  static void from(const Json& json, std::optional<T>& out) {
    out.reset();
    if (!json.is_null()) from_value(json, out.emplace());
  }
};
template <typename T>
struct JsonValue<std::vector<T>> {
  static Json to(const std::vector<T>& values) {
    Json array = Json::array();
    for (const T& value : values) array.push_back(to_value(value));
    return array;
  }
  static void from(const Json& json, std::vector<T>& out) {
    if (!json.is_array()) throw Json::type_error::create(302, "not an array", &json);
    out.clear();
    out.reserve(json.size());
    for (const Json& value : json) from_value(value, out.emplace_back());
  }
};
template <typename T>
struct JsonValue<std::map<std::string, T>> {
  static Json to(const std::map<std::string, T>& values) {
    Json object = Json::object();
    for (const auto& [key, value] : values) object[key] = to_value(value);
    return object;
  }
  static void from(const Json& json, std::map<std::string, T>& out) {
    if (!json.is_object()) throw Json::type_error::create(302, "not an object", &json);
    out.clear();
    for (const auto& [key, value] : json.items()) from_value(value, out[key]);
  }
};

template <typename T>
Json to_value(const T& value) {
  return JsonValue<T>::to(value);
}
template <typename T>
void from_value(const Json& value, T& out) {
  JsonValue<T>::from(value, out);
}

template <typename T>
std::string encode_json(const T& value) {
  if constexpr (requires { value.front(); }) {
    if (value.empty()) return "[]";  // most gaps, once per report
  }
  return to_value(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}
// Errors: BAD_JSON.
template <typename T>
Result<T> decode_json(std::string_view text) {
  try {
    T value{};
    from_value(Json::parse(text), value);
    return value;
  } catch (const Json::exception& error) {
    return invalid("BAD_JSON", error.what());
  }
}

}  // namespace covey::rows
