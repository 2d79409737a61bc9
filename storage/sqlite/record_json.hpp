// The columns that hold JSON text. Pure; any thread. Errors: BAD_JSON.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "deploy/deployment/device.hpp"
#include "deploy/rollout/plan.hpp"
#include "deploy/rollout/rollout.hpp"
#include "monitoring/alerts/alert.hpp"
#include "monitoring/counts/stream.hpp"
#include "monitoring/gates/gates.hpp"

namespace covey::sqlite {

using Labels = std::map<std::string, std::string>;
using Models = std::map<ModelName, DeviceModel>;

std::string to_json(const Labels& labels);
std::string to_json(const Models& models);
std::string to_json(const PlanDocument& document);
std::string to_json(const std::vector<StageProgress>& stages);
std::string to_json(const std::vector<uint32_t>& ends);
std::string to_json(const std::vector<DeviceId>& order);
std::string to_json(const std::vector<Exclusion>& excluded);
std::string to_json(const std::vector<monitoring::GateResult>& results);
std::string to_json(const std::vector<monitoring::Gap>& gaps);
std::string to_json(const std::vector<monitoring::DeviceHistory>& histories);

// T: one of the types above.
template <typename T>
Result<T> from_json(const std::string& text);
template <>
Result<Labels> from_json(const std::string& text);
template <>
Result<Models> from_json(const std::string& text);
template <>
Result<PlanDocument> from_json(const std::string& text);
template <>
Result<std::vector<StageProgress>> from_json(const std::string& text);
template <>
Result<std::vector<uint32_t>> from_json(const std::string& text);
template <>
Result<std::vector<DeviceId>> from_json(const std::string& text);
template <>
Result<std::vector<Exclusion>> from_json(const std::string& text);
template <>
Result<std::vector<monitoring::GateResult>> from_json(const std::string& text);
template <>
Result<std::vector<monitoring::Gap>> from_json(const std::string& text);
template <>
Result<std::vector<monitoring::DeviceHistory>> from_json(const std::string& text);

}  // namespace covey::sqlite
