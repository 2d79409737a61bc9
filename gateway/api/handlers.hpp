// One function per unary RPC: checks the request by hand, asks the engine, fills the answer. They
// return at once; the call finishes later. No gRPC type here. Any thread.
#pragma once

#include "covey/v1/admin.pb.h"
#include "covey/v1/devices.pb.h"
#include "covey/v1/models.pb.h"
#include "covey/v1/monitoring.pb.h"
#include "covey/v1/rollouts.pb.h"
#include "gateway/api/call.hpp"

namespace covey::api {

#define COVEY_RPC(function, Method) \
  void function(const CallPtr<v1::Method##Request, v1::Method##Response>& call)

// device_handlers.cpp
COVEY_RPC(list_devices, ListDevices);
COVEY_RPC(get_device, GetDevice);
COVEY_RPC(accept_devices, AcceptDevices);
COVEY_RPC(reject_device, RejectDevice);
COVEY_RPC(label_devices, LabelDevices);
COVEY_RPC(reenroll_device, ReenrollDevice);
// release_handlers.cpp
COVEY_RPC(get_release, GetRelease);
COVEY_RPC(list_releases, ListReleases);
// rollout_handlers.cpp
COVEY_RPC(plan_rollout, PlanRollout);
COVEY_RPC(create_rollout, CreateRollout);
COVEY_RPC(get_rollout, GetRollout);
COVEY_RPC(list_rollouts, ListRollouts);
COVEY_RPC(pause_rollout, PauseRollout);
COVEY_RPC(resume_rollout, ResumeRollout);
COVEY_RPC(approve_rollout, ApproveRollout);
COVEY_RPC(abort_rollout, AbortRollout);
COVEY_RPC(rollback_rollout, RollbackRollout);
COVEY_RPC(list_deployments, ListDeployments);
COVEY_RPC(list_rollout_events, ListRolloutEvents);
// monitoring_handlers.cpp
COVEY_RPC(submit_labels, SubmitLabels);
COVEY_RPC(get_inference_totals, GetInferenceTotals);
COVEY_RPC(list_windows, ListWindows);
COVEY_RPC(get_drift, GetDrift);
COVEY_RPC(get_accuracy, GetAccuracy);
COVEY_RPC(list_alerts, ListAlerts);
COVEY_RPC(acknowledge_alert, AcknowledgeAlert);
// admin_handlers.cpp
COVEY_RPC(get_site, GetSite);
COVEY_RPC(add_trusted_key, AddTrustedKey);
COVEY_RPC(list_trusted_keys, ListTrustedKeys);
COVEY_RPC(remove_trusted_key, RemoveTrustedKey);
COVEY_RPC(list_audit_entries, ListAuditEntries);

#undef COVEY_RPC

}  // namespace covey::api
