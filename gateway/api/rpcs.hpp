// SPDX-License-Identifier: Apache-2.0
// Every RPC of the API and every route of the operations port, one row each: what it is called, who
// may call it, what it is about, whether it changes anything. Handlers are declared from these
// rows, gRPC's services and the replies over HTTP are made of them, so one without a row does not
// compile; a test walks the services' descriptors, so an RPC without a row, or one that is not
// served, does not pass.
//
//   UNARY(Method, handler, role, effect)    STREAM(Method, role, effect)
//   ROUTE(Name, path, role)
//
// `role` is the least one that may call it; Access (gateway/access) asks for it. A `ci` may abort,
// pause and resume only what it created, and touch only the models that it is limited to.
// `effect` is kReads or kChanges; what changes is audited.
//
// gRPC's own health service answers anybody (probes have no token), and so does reflection: what
// it shows is proto/covey/v1.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gateway/access/access.hpp"

#define COVEY_DEVICE_RPCS(UNARY, STREAM)                                 \
  UNARY(ListDevices, list_devices, kViewer, kReads)                      \
  UNARY(GetDevice, get_device, kViewer, kReads)                          \
  UNARY(AcceptDevices, accept_devices, kOperator, kChanges)              \
  UNARY(RejectDevice, reject_device, kOperator, kChanges)                \
  UNARY(LabelDevices, label_devices, kOperator, kChanges)                \
  UNARY(ReenrollDevice, reenroll_device, kAdmin, kChanges)               \
  UNARY(RemoveDevice, remove_device, kAdmin, kChanges)                   \
  UNARY(CreateClaim, create_claim, kAdmin, kChanges)                     \
  UNARY(ListClaims, list_claims, kViewer, kReads)                        \
  UNARY(RevokeClaim, revoke_claim, kOperator, kChanges)                  \
  UNARY(ImportDevices, import_devices, kAdmin, kChanges)                 \
  UNARY(DecommissionDevice, decommission_device, kOperator, kChanges)    \
  UNARY(ReplaceDevice, replace_device, kOperator, kChanges)              \
  UNARY(AddDeviceAuthority, add_device_authority, kAdmin, kChanges)      \
  UNARY(ListDeviceAuthorities, list_device_authorities, kViewer, kReads) \
  UNARY(RemoveDeviceAuthority, remove_device_authority, kAdmin, kChanges)

#define COVEY_MODEL_RPCS(UNARY, STREAM)               \
  STREAM(CreateRelease, kCi, kChanges)                \
  UNARY(GetRelease, get_release, kViewer, kReads)     \
  UNARY(ListReleases, list_releases, kViewer, kReads) \
  UNARY(DeleteRelease, delete_release, kAdmin, kChanges)

#define COVEY_ROLLOUT_RPCS(UNARY, STREAM)                       \
  UNARY(PlanRollout, plan_rollout, kViewer, kReads)             \
  UNARY(CreateRollout, create_rollout, kCi, kChanges)           \
  UNARY(GetRollout, get_rollout, kViewer, kReads)               \
  UNARY(ListRollouts, list_rollouts, kViewer, kReads)           \
  STREAM(WatchRollout, kViewer, kReads)                         \
  UNARY(PauseRollout, pause_rollout, kCi, kChanges)             \
  UNARY(ResumeRollout, resume_rollout, kCi, kChanges)           \
  UNARY(ApproveRollout, approve_rollout, kOperator, kChanges)   \
  UNARY(AbortRollout, abort_rollout, kCi, kChanges)             \
  UNARY(SkipDevice, skip_device, kOperator, kChanges)           \
  UNARY(RollbackRollout, rollback_rollout, kOperator, kChanges) \
  UNARY(ListDeployments, list_deployments, kViewer, kReads)     \
  UNARY(ListRolloutEvents, list_rollout_events, kViewer, kReads)

#define COVEY_MONITORING_RPCS(UNARY, STREAM)                       \
  UNARY(SubmitLabels, submit_labels, kCi, kChanges)                \
  UNARY(GetInferenceTotals, get_inference_totals, kViewer, kReads) \
  UNARY(ListWindows, list_windows, kViewer, kReads)                \
  UNARY(GetDrift, get_drift, kViewer, kReads)                      \
  UNARY(GetAccuracy, get_accuracy, kViewer, kReads)                \
  UNARY(ListAlerts, list_alerts, kViewer, kReads)                  \
  UNARY(AcknowledgeAlert, acknowledge_alert, kOperator, kChanges)

#define COVEY_ADMIN_RPCS(UNARY, STREAM)                         \
  UNARY(GetSite, get_site, kViewer, kReads)                     \
  UNARY(AddTrustedKey, add_trusted_key, kAdmin, kChanges)       \
  UNARY(ListTrustedKeys, list_trusted_keys, kViewer, kReads)    \
  UNARY(RemoveTrustedKey, remove_trusted_key, kAdmin, kChanges) \
  UNARY(ImportRoot, import_root, kAdmin, kChanges)              \
  UNARY(GetRoot, get_root, kViewer, kReads)                     \
  UNARY(ListAuditEntries, list_audit_entries, kViewer, kReads)  \
  UNARY(GetAuditHead, get_audit_head, kViewer, kReads)          \
  UNARY(RotateSiteSecret, rotate_site_secret, kAdmin, kChanges) \
  UNARY(CreateToken, create_token, kAdmin, kChanges)            \
  UNARY(ListTokens, list_tokens, kAdmin, kReads)                \
  UNARY(RevokeToken, revoke_token, kAdmin, kChanges)            \
  UNARY(GetCaller, get_caller, kViewer, kReads)

// The operations port. kNone: anybody; what probes ask tells no more than that the gateway is
// ready.
#define COVEY_HTTP_ROUTES(ROUTE)      \
  ROUTE(Metrics, "/metrics", kViewer) \
  ROUTE(Health, "/healthz", kNone)    \
  ROUTE(Readiness, "/readyz", kNone)

// All RPCs.
#define COVEY_RPCS(UNARY, STREAM)      \
  COVEY_DEVICE_RPCS(UNARY, STREAM)     \
  COVEY_MODEL_RPCS(UNARY, STREAM)      \
  COVEY_ROLLOUT_RPCS(UNARY, STREAM)    \
  COVEY_MONITORING_RPCS(UNARY, STREAM) \
  COVEY_ADMIN_RPCS(UNARY, STREAM)

namespace covey::api {

using access::Role;

enum class Resource : uint8_t { kDevices, kReleases, kRollouts, kTelemetry, kSite };

struct RpcRule {
  std::string_view method;  // "ListDevices"
  Role role = Role::kAdmin;
  bool mutating = true;
};
struct ServiceRules {
  std::string_view service;  // "covey.v1.DeviceService"
  Resource resource = Resource::kSite;
  std::span<const RpcRule> rpcs;
};

std::span<const ServiceRules> rpc_rules();

}  // namespace covey::api
