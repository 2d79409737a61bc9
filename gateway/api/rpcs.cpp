// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/rpcs.hpp"

#include <array>

namespace covey::api {
namespace {

constexpr bool kReads = false;
constexpr bool kChanges = true;

#define COVEY_UNARY_RULE(Method, handler, role, effect) RpcRule{#Method, Role::role, effect},
#define COVEY_STREAM_RULE(Method, role, effect) RpcRule{#Method, Role::role, effect},

constexpr RpcRule kDevices[] = {COVEY_DEVICE_RPCS(COVEY_UNARY_RULE, COVEY_STREAM_RULE)};
constexpr RpcRule kModels[] = {COVEY_MODEL_RPCS(COVEY_UNARY_RULE, COVEY_STREAM_RULE)};
constexpr RpcRule kRollouts[] = {COVEY_ROLLOUT_RPCS(COVEY_UNARY_RULE, COVEY_STREAM_RULE)};
constexpr RpcRule kMonitoring[] = {COVEY_MONITORING_RPCS(COVEY_UNARY_RULE, COVEY_STREAM_RULE)};
constexpr RpcRule kAdmin[] = {COVEY_ADMIN_RPCS(COVEY_UNARY_RULE, COVEY_STREAM_RULE)};

constexpr std::array<ServiceRules, 5> kServices{
    {{"covey.v1.DeviceService", Resource::kDevices, kDevices},
     {"covey.v1.ModelService", Resource::kReleases, kModels},
     {"covey.v1.RolloutService", Resource::kRollouts, kRollouts},
     {"covey.v1.MonitoringService", Resource::kTelemetry, kMonitoring},
     {"covey.v1.AdminService", Resource::kSite, kAdmin}}};

}  // namespace

std::span<const ServiceRules> rpc_rules() { return kServices; }

}  // namespace covey::api
