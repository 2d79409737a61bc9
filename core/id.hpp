// SPDX-License-Identifier: Apache-2.0
// Strong string ids: validated once at the edge, then never again. Explicit on purpose.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.hpp"

namespace covey {

template <typename Tag>
class Id {
 public:
  Id() = default;
  // For text that is known to be valid: stored rows, constants, tests. Outside bytes: parse().
  explicit Id(std::string text) : text_(std::move(text)) {}
  static Result<Id> parse(std::string_view text);

  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

// [A-Za-z0-9][A-Za-z0-9._-]{0,62} and not reserved (svc-...): docs/design/trust.md, "Names".
using DeviceId = Id<struct DeviceTag>;
// [a-z][a-z0-9-]{0,30}, e.g. bearing-vibration.
using ModelName = Id<struct ModelTag>;
// [a-z0-9][a-z0-9.-]{0,62}, e.g. bearing-vibration-1.4.0.
using RolloutName = Id<struct RolloutTag>;
// [a-z0-9][a-z0-9-]{0,14} and no name of a service, e.g. batch-7: it is a user of the broker, too.
using ClaimName = Id<struct ClaimTag>;
// [A-Za-z0-9][A-Za-z0-9._-]{0,30}, e.g. m4f-256k.
using DeviceClass = Id<struct DeviceClassTag>;

template <>
Result<DeviceId> DeviceId::parse(std::string_view text);
template <>
Result<ModelName> ModelName::parse(std::string_view text);
template <>
Result<RolloutName> RolloutName::parse(std::string_view text);
template <>
Result<ClaimName> ClaimName::parse(std::string_view text);
template <>
Result<DeviceClass> DeviceClass::parse(std::string_view text);

// MAJOR.MINOR.PATCH with numbers (semver.org without pre-release and build), ordered.
struct Version {
  uint32_t major = 0;
  uint32_t minor = 0;
  uint32_t patch = 0;

  static Result<Version> parse(std::string_view text);
  auto operator<=>(const Version&) const = default;
};
std::string to_string(const Version& version);

// bearing-vibration@1.4.0
struct ReleaseId {
  ModelName model;
  Version version;

  static Result<ReleaseId> parse(std::string_view text);
  auto operator<=>(const ReleaseId&) const = default;
};
std::string to_string(const ReleaseId& release);

}  // namespace covey

template <typename Tag>
struct std::hash<covey::Id<Tag>> {
  size_t operator()(const covey::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
