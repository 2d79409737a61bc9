// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/names.hpp"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

#include "core/digest.hpp"

namespace covey::api {
namespace {

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

constexpr size_t kTokenBytesMax = 4096;

template <typename Id>
Result<Id> read(std::string_view text, std::string_view prefix, std::string_view field) {
  std::string_view id = text;
  if (id.starts_with(prefix)) id.remove_prefix(prefix.size());
  if (id.empty()) {
    return invalid("BAD_NAME",
                   std::string(field) + ": missing; write " + std::string(prefix) + "{id}");
  }
  Result<Id> parsed = Id::parse(id);
  if (parsed) return parsed;
  return invalid(parsed.error().reason,
                 std::string(field) + ": " + quoted(text) + ": " + parsed.error().message);
}

}  // namespace

Result<std::string> fingerprint_of(std::string_view text, std::string_view field) {
  std::string plain;
  for (const char c : text.substr(0, 128)) {
    if (c != ':') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (!plain.empty() && !parse_digest(plain)) {
    return invalid("BAD_FIELD", fmt::format("{}: 64 hex digits", field));
  }
  return plain;
}

Result<DeviceId> device_name(std::string_view text, std::string_view field) {
  return read<DeviceId>(text, "devices/", field);
}
Result<RolloutName> rollout_name(std::string_view text, std::string_view field) {
  return read<RolloutName>(text, "rollouts/", field);
}
Result<ModelName> model_name(std::string_view text, std::string_view field) {
  return read<ModelName>(text, "models/", field);
}

Result<ReleaseId> release_name(std::string_view text, std::string_view field) {
  constexpr std::string_view kMiddle = "/releases/";
  const size_t middle = text.find(kMiddle);
  std::string written(text);
  if (text.starts_with("models/") && middle != std::string_view::npos) {
    written = std::string(text.substr(7, middle - 7)) + "@" +
              std::string(text.substr(middle + kMiddle.size()));
  }
  Result<ReleaseId> release = ReleaseId::parse(written);
  if (release) return release;
  return invalid("BAD_NAME", std::string(field) + ": " + quoted(text) +
                                 ": write models/{model}/releases/{version}");
}

std::string name_of(const DeviceId& id) { return "devices/" + id.str(); }
std::string name_of(const RolloutName& name) { return "rollouts/" + name.str(); }
std::string name_of(const ReleaseId& release) {
  return "models/" + release.model.str() + "/releases/" + to_string(release.version);
}

Status check_text(std::string_view text, std::string_view field, size_t bytes_max) {
  if (text.size() <= bytes_max) return {};
  return invalid("BAD_FIELD", fmt::format("{}: at most {} bytes", field, bytes_max));
}

Result<size_t> page_size(int32_t asked) {
  if (asked < 0) return invalid("BAD_PAGE_SIZE", "page_size: must not be negative");
  if (asked == 0) return static_cast<size_t>(kPageSizeDefault);
  return static_cast<size_t>(std::min(asked, kPageSizeMax));
}

Error bad_page_token() {
  return invalid("BAD_PAGE_TOKEN",
                 "page_token: not one that this method gave; start again without it");
}

std::string page_token(std::string_view kind, std::string_view after) {
  const std::string text = std::string(kind) + "|" + std::string(after);
  return to_hex(ByteView(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Result<std::string> read_page_token(std::string_view kind, std::string_view token) {
  if (token.empty()) return std::string();
  if (token.size() > kTokenBytesMax) return bad_page_token();
  const Result<Bytes> bytes = from_hex(token);
  if (!bytes) return bad_page_token();
  const std::string text(bytes->begin(), bytes->end());
  const std::string prefix = std::string(kind) + "|";
  if (!text.starts_with(prefix)) return bad_page_token();
  return text.substr(prefix.size());
}

Result<uint64_t> read_page_number(std::string_view kind, std::string_view token) {
  const Result<std::string> text = read_page_token(kind, token);
  if (!text) return text.error();
  uint64_t number = 0;
  if (text->empty()) return number;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return bad_page_token();
  return number;
}

}  // namespace covey::api
