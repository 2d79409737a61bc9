// SPDX-License-Identifier: Apache-2.0
// Reading JSON from outside: bounded, without duplicate keys, errors with the path of the value.
// After the first error every read returns an empty value and the error stays. Internal to
// deploy/artifact: nlohmann's types go no further.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/result.hpp"

namespace covey {

class JsonDecoder {
 public:
  using Json = nlohmann::json;
  static constexpr int kDepthMax = 16;

  // The whole text as an object; empty after an error.
  Json parse(ByteView text, size_t size_max);

  // Required members; `path` is the object's own, "" at the top.
  const Json& object(const Json& parent, const std::string& path, std::string_view name);
  const Json& array(const Json& parent, const std::string& path, std::string_view name,
                    size_t size_max);
  std::string text(const Json& parent, const std::string& path, std::string_view name,
                   size_t size_max);
  int64_t integer(const Json& parent, const std::string& path, std::string_view name, int64_t low,
                  int64_t high);
  // The value itself.
  std::string text_value(const Json& value, const std::string& path, size_t size_max);
  int64_t integer_value(const Json& value, const std::string& path, int64_t low, int64_t high);

  void fail(const std::string& path, std::string_view problem);
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }

  static std::string join(const std::string& path, std::string_view name);
  static std::string at(const std::string& path, size_t index);

 private:
  const Json& member(const Json& parent, const std::string& path, std::string_view name);

  std::optional<Error> error_;
};

}  // namespace covey
