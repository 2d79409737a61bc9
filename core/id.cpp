// SPDX-License-Identifier: Apache-2.0
#include "core/id.hpp"

#include <charconv>

namespace covey {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <typename First, typename Rest>
bool matches(std::string_view text, size_t length_max, First first, Rest rest) {
  if (text.empty() || text.size() > length_max || !first(text.front())) return false;
  for (const char c : text.substr(1)) {
    if (!rest(c)) return false;
  }
  return true;
}

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 64)) + "'"; }

}  // namespace

template <>
Result<DeviceId> DeviceId::parse(std::string_view text) {
  const auto first = [](char c) { return is_lower(c) || is_upper(c) || is_digit(c); };
  const auto rest = [&](char c) { return first(c) || c == '.' || c == '_' || c == '-'; };
  if (!matches(text, 63, first, rest)) {
    return invalid("BAD_DEVICE_ID", quoted(text) +
                                        " is not a device id: 1 to 63 of A-Z a-z 0-9 . _ "
                                        "-, the first a letter or digit");
  }
  if (text.starts_with("svc-") || text == "enroll") {
    return invalid("RESERVED_DEVICE_ID", quoted(text) + " is reserved for services");
  }
  return DeviceId(std::string(text));
}

template <>
Result<ModelName> ModelName::parse(std::string_view text) {
  const auto rest = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  if (!matches(text, 31, is_lower, rest)) {
    return invalid("BAD_MODEL_NAME",
                   quoted(text) + " is not a model name: 1 to 31 of a-z 0-9 -, the first a letter");
  }
  return ModelName(std::string(text));
}

template <>
Result<ClaimName> ClaimName::parse(std::string_view text) {
  const auto first = [](char c) { return is_lower(c) || is_digit(c); };
  const auto rest = [&](char c) { return first(c) || c == '-'; };
  if (!matches(text, 15, first, rest)) {
    return invalid("BAD_CLAIM_NAME",
                   quoted(text) +
                       " is not a claim's name: 1 to 15 of a-z 0-9 -, the first a "
                       "letter or digit");
  }
  if (text.starts_with("svc-") || text == "enroll") {
    return invalid("RESERVED_CLAIM_NAME", quoted(text) + " is reserved for services");
  }
  return ClaimName(std::string(text));
}

template <>
Result<RolloutName> RolloutName::parse(std::string_view text) {
  const auto first = [](char c) { return is_lower(c) || is_digit(c); };
  const auto rest = [&](char c) { return first(c) || c == '.' || c == '-'; };
  if (!matches(text, 63, first, rest)) {
    return invalid("BAD_ROLLOUT_NAME", quoted(text) +
                                           " is not a rollout name: 1 to 63 of a-z 0-9 . "
                                           "-, the first a letter or digit");
  }
  return RolloutName(std::string(text));
}

template <>
Result<DeviceClass> DeviceClass::parse(std::string_view text) {
  const auto first = [](char c) { return is_lower(c) || is_upper(c) || is_digit(c); };
  const auto rest = [&](char c) { return first(c) || c == '.' || c == '_' || c == '-'; };
  if (!matches(text, 31, first, rest)) {
    return invalid("BAD_DEVICE_CLASS",
                   quoted(text) + " is not a device class: 1 to 31 of A-Z a-z 0-9 . _ -");
  }
  return DeviceClass(std::string(text));
}

Result<Version> Version::parse(std::string_view text) {
  const Error bad =
      invalid("BAD_VERSION",
              quoted(text) +
                  " is not a version: write MAJOR.MINOR.PATCH, three numbers without leading "
                  "zeros, e.g. 1.4.0; pre-releases (-rc.1) and build numbers (+5) have no "
                  "place in it, so count candidates in PATCH");
  Version version;
  for (uint32_t* part : {&version.major, &version.minor, &version.patch}) {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), *part);
    if (status != std::errc{}) return bad;
    if (text.starts_with('0') && end != text.data() + 1) return bad;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (part != &version.patch) {
      if (!text.starts_with('.')) return bad;
      text.remove_prefix(1);
    }
  }
  if (!text.empty()) return bad;
  return version;
}

std::string to_string(const Version& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

Result<ReleaseId> ReleaseId::parse(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) {
    return invalid("BAD_RELEASE", quoted(text) +
                                      " is not a release: write MODEL@VERSION, e.g. "
                                      "bearing-vibration@1.4.0");
  }
  Result<ModelName> model = ModelName::parse(text.substr(0, at));
  if (!model) return model.error();
  Result<Version> version = Version::parse(text.substr(at + 1));
  if (!version) return version.error();
  return ReleaseId{*std::move(model), *version};
}

std::string to_string(const ReleaseId& release) {
  return release.model.str() + "@" + to_string(release.version);
}

}  // namespace covey
