// SPDX-License-Identifier: Apache-2.0
// The columns that hold JSON text: reading ignores members it does not know and leaves at their
// default those that are missing, so that these columns can grow without a migration. Pure; any
// thread. Errors: BAD_JSON.
#pragma once

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "deploy/deployment/device.hpp"
#include "deploy/rollout/plan.hpp"
#include "deploy/rollout/rollout.hpp"
#include "monitoring/alerts/alert.hpp"
#include "monitoring/counts/stream.hpp"
#include "monitoring/gates/gates.hpp"
#include "storage/records.hpp"

namespace covey::rows {

using Labels = std::map<std::string, std::string>;
using Models = std::map<ModelName, DeviceModel>;

template <typename T, typename... Any>
concept AnyOf = (std::same_as<T, Any> || ...);

// json.cpp has the members of each.
template <typename T>
concept InJson = AnyOf<T, Labels, Models, PlanDocument, std::vector<StageProgress>,
                       std::vector<uint32_t>, std::vector<DeviceId>, std::vector<Exclusion>,
                       std::vector<monitoring::GateResult>, std::vector<monitoring::Gap>,
                       std::vector<monitoring::DeviceHistory>, std::vector<SubjectVerdict>>;

template <InJson T>
std::string to_json(const T& value);
template <InJson T>
Result<T> from_json(std::string_view text);

}  // namespace covey::rows
