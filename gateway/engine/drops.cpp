// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/drops.hpp"

namespace covey::engine {

std::string_view to_string(Drop drop) {
  switch (drop) {
    case Drop::kUnknownDevice:
      return "unknown_device";
    case Drop::kNotAccepted:
      return "not_accepted";
    case Drop::kWrongShard:
      return "wrong_shard";
    case Drop::kMacInvalid:
      return "mac_invalid";
    case Drop::kDeviceIdMismatch:
      return "device_id_mismatch";
    case Drop::kUnknownManifest:
      return "unknown_manifest";
    case Drop::kReportQuarantined:
      return "report_quarantined";
    case Drop::kReportDuplicate:
      return "report_duplicate";
    case Drop::kReportInvalid:
      return "report_invalid";
    case Drop::kStatusStale:
      return "status_stale";
    case Drop::kFetchSuperseded:
      return "fetch_superseded";
    case Drop::kFetchBusy:
      return "fetch_busy";
    case Drop::kEnrollRefused:
      return "enroll_refused";
    case Drop::kEnrollLimit:
      return "enroll_limit";
    case Drop::kSampleLimit:
      return "sample_limit";
    case Drop::kVerdictStale:
      return "verdict_stale";
    case Drop::kReportMalformed:
      return "report_malformed";
    case Drop::kOverBudget:
      return "over_budget";
    case Drop::kReportFuture:
      return "report_future";
    case Drop::kLabelLimit:
      return "label_limit";
    case Drop::kClaimRefused:
      return "claim_refused";
  }
  return "unknown";
}

}  // namespace covey::engine
