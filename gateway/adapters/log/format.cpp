// SPDX-License-Identifier: Apache-2.0
#include <date/date.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "gateway/adapters/log/log.hpp"

namespace covey::log {
namespace {

constexpr size_t kValueBytesMax = 512;
constexpr std::string_view kRedacted = "<redacted>";
constexpr std::array<std::string_view, 4> kSecretNames = {"password", "secret", "token",
                                                          "order_key"};

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kTrace:
      return "trace";
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "";
}

bool is_secret(std::string_view name) {
  return std::any_of(kSecretNames.begin(), kSecretNames.end(), [&](std::string_view secret) {
    return name.find(secret) != std::string_view::npos;
  });
}

std::string timestamp(int64_t wall_ms) {
  const date::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(wall_ms)};
  return date::format("%FT%TZ", time);
}

std::string cut(std::string_view text) {
  if (text.size() <= kValueBytesMax) return std::string(text);
  return std::string(text.substr(0, kValueBytesMax)) + "...";
}

// Bare where nothing in it could be mistaken for syntax, quoted like JSON elsewhere.
std::string text_value(std::string_view text) {
  const auto plain = [](char c) {
    return (std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<signed char>(c) > 0) ||
           std::string_view("._-/:@+%").find(c) != std::string_view::npos;
  };
  if (!text.empty() && text.size() <= kValueBytesMax &&
      std::all_of(text.begin(), text.end(), plain)) {
    return std::string(text);
  }
  return nlohmann::json(cut(text)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

struct AsText {
  std::string operator()(const std::string& value) const { return text_value(value); }
  std::string operator()(int64_t value) const { return fmt::to_string(value); }
  std::string operator()(uint64_t value) const { return fmt::to_string(value); }
  std::string operator()(double value) const { return fmt::to_string(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
};

struct AsJson {
  nlohmann::ordered_json operator()(const std::string& value) const { return cut(value); }
  nlohmann::ordered_json operator()(int64_t value) const { return value; }
  nlohmann::ordered_json operator()(uint64_t value) const { return value; }
  nlohmann::ordered_json operator()(double value) const { return value; }
  nlohmann::ordered_json operator()(bool value) const { return value; }
};

}  // namespace

std::string format_event(config::LogFormat format, int64_t wall_ms, Level level,
                         std::string_view event, Fields fields) {
  if (format == config::LogFormat::kText) {
    std::string line =
        fmt::format("{} {:<5} {}", timestamp(wall_ms), level_name(level), text_value(event));
    for (const Field& field : fields) {
      line += fmt::format(
          " {}={}", field.name,
          is_secret(field.name) ? std::string(kRedacted) : std::visit(AsText{}, field.value));
    }
    return line;
  }
  nlohmann::ordered_json line = {
      {"ts", timestamp(wall_ms)}, {"level", level_name(level)}, {"event", cut(event)}};
  for (const Field& field : fields) {
    line[std::string(field.name)] = is_secret(field.name) ? nlohmann::ordered_json(kRedacted)
                                                          : std::visit(AsJson{}, field.value);
  }
  return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace covey::log
