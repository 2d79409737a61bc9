// SPDX-License-Identifier: Apache-2.0
// A device as filters see it (deploy/rollout/filter/filter.hpp, device_filter_fields()). Engine
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "deploy/rollout/filter/filter.hpp"
#include "gateway/engine/state.hpp"

namespace covey::engine {

class DeviceFields final : public FilterSubject {
 public:
  DeviceFields(const State& state, const Device& device) : state_(state), device_(device) {}
  std::optional<std::string> find(std::string_view field) const override;

 private:
  const State& state_;
  const Device& device_;
};

// Changes with what operators change: state and labels.
std::string etag_of(const Device& device);

// The release of a manifest that devices report: "1.4.0"; the digest's head where it is unknown.
std::string version_of(const State& state, const std::optional<Digest>& manifest);

}  // namespace covey::engine
