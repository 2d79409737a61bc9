// SPDX-License-Identifier: Apache-2.0
// What the store keeps beside the domain's own types. Values; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/artifact/artifact.hpp"
#include "deploy/rollout/cohort.hpp"
#include "monitoring/alerts/alert.hpp"
#include "monitoring/counts/stream.hpp"
#include "monitoring/counts/window.hpp"
#include "monitoring/drift/model.hpp"
#include "monitoring/gates/gates.hpp"

namespace covey {

// One row; created when the data directory is.
struct SiteRecord {
  uint32_t site_epoch = 1;
  Millis observed{0};  // observed time: only while the daemon runs and the broker is connected
  uint64_t revision = 0;
  uint64_t deployment_number = 0;  // last used
  uint64_t event_sequence = 0;
  uint64_t audit_sequence = 0;
  Digest audit_hash;             // of that entry
  uint64_t report_sequence = 0;  // position of the newest report in the log
  uint64_t reports_settled = 0;  // streams, totals and windows hold every report up to here
  bool reconciling = false;
  uint64_t claim_number = 0;  // last used

  bool operator==(const SiteRecord&) const = default;
};

// Order keys and credentials of devices are derived from it.
struct SiteSecretRecord {
  uint32_t number = 0;  // 1, 2, ...; the highest is the site's, others are of devices that have not
                        // got keys of it yet
  Bytes sealed;         // as the gateway keeps it: the 32 bytes, or these encrypted
  Millis create_wall{0};

  bool operator==(const SiteSecretRecord&) const = default;
};

struct TrustedKeyRecord {
  std::string key_id;  // 16 hex digits
  std::string algorithm;
  std::string pem;
  std::string comment;
  Millis create_wall{0};

  bool operator==(const TrustedKeyRecord&) const = default;
};

// A version of the document that names who may sign (deploy/root). All of them are kept: a device
// that missed some takes one after the other.
struct RootRecord {
  uint32_t version = 0;
  Bytes document;  // covey.device.v1.SignedRoot
  Millis import_wall{0};

  bool operator==(const RootRecord&) const = default;
};

// What lets a person or a pipeline in; of the secret there is only its digest.
struct TokenRecord {
  std::string name;
  Digest hash;         // SHA-256 of the secret
  std::string role;    // a word of access::Role
  std::string models;  // globs with blanks between; "": all
  std::string creator;
  Millis create_wall{0};
  Millis expire_wall{0};  // 0: never
  Millis use_wall{0};     // last, as far as it was noted; 0: never

  bool operator==(const TokenRecord&) const = default;
};

// A batch of devices may ask to be let in. Its secrets follow from the site's and its number.
struct ClaimRecord {
  ClaimName name;
  uint64_t number = 0;  // of all claims that there ever were: a name used again has other secrets
  Millis create_wall{0};
  Millis expire_wall{0};       // 0: never
  Millis revoke_wall{0};       // 0: it is good
  uint32_t count_max = 0;      // devices that it may bring
  uint32_t used = 0;           // that it brought: accepted ones, whatever became of them
  bool per_device = false;     // each has a proof of its own: an HMAC of its id
  bool accept = false;         // they are accepted without asking an operator
  bool lists = false;          // only those of ClaimIdsRecord
  uint32_t secret_number = 1;  // of the site; its secrets end with that one

  bool operator==(const ClaimRecord&) const = default;
};
// Apart from the claim, whose row changes with each device that it brings.
struct ClaimIdsRecord {
  ClaimName name;
  std::vector<DeviceId> ids;  // sorted

  bool operator==(const ClaimIdsRecord&) const = default;
};

// Somebody whose certificates say who a device is: the manufacturer.
struct AuthorityRecord {
  std::string name;
  Bytes certificate;  // X.509 in DER
  Millis create_wall{0};

  bool operator==(const AuthorityRecord&) const = default;
};

// A certificate that no device may use any more, though it has not ended.
struct RevokedCertificate {
  Bytes serial;
  DeviceId device;  // whose it was; it may be gone
  Millis until{0};  // wall: its end

  bool operator==(const RevokedCertificate&) const = default;
};

// A release's artifact as uploaded. Immutable and shared: images are large.
struct ArtifactRecord {
  ReleaseId release;
  uint32_t position = 0;  // within the release
  std::shared_ptr<const Artifact> artifact;

  bool operator==(const ArtifactRecord& other) const {
    return release == other.release && position == other.position &&
           artifact->digest == other.artifact->digest;
  }
};
struct ReleaseRecord {
  ReleaseId id;
  std::vector<ArtifactRecord> artifacts;
  Millis create_wall{0};
  Millis delete_wall{0};  // 0: it is there. Else its artifacts have no images any more
  std::string source;     // where it was made, as its author says: a commit, a pipeline

  bool operator==(const ReleaseRecord&) const = default;
};

// AIP-155: what a request id created. The oldest are forgotten first.
struct RequestRecord {
  std::string request_id;
  std::string subject;
  Digest content;         // of the request: another request under the same id is refused
  uint64_t sequence = 0;  // rises

  bool operator==(const RequestRecord&) const = default;
};

// After SUCCEEDED the release is its target's current one.
struct AssignmentRecord {
  ModelName model;
  RolloutName rollout;  // whose target it is
  std::string target;   // filter
  ReleaseId release;
  uint64_t number = 0;  // later ones win

  bool operator==(const AssignmentRecord&) const = default;
};

// The last evaluation of a stage's gates.
struct GateRecord {
  RolloutName rollout;
  uint32_t stage = 0;
  std::vector<monitoring::GateResult> results;

  bool operator==(const GateRecord&) const = default;
};

// How many devices of a rollout's stage stand where, by the newest attempt of each. Changed in the
// transaction that changes the attempt's state.
struct CountRecord {
  RolloutName rollout;
  uint32_t stage = 0;
  bool rollback = false;  // attempts that bring devices back, apart from the others
  std::string state;      // of the deployments
  uint32_t devices = 0;

  bool operator==(const CountRecord&) const = default;
};

struct EventRecord {
  uint64_t sequence = 0;
  RolloutName rollout;
  Millis wall{0};
  std::string kind;
  std::string subject;
  std::string text;

  bool operator==(const EventRecord&) const = default;
};

// Bound to the one before it by `hash` (deploy/signing/audit_chain.hpp).
struct AuditRecord {
  uint64_t sequence = 0;
  Millis wall{0};
  std::string actor;
  std::string known;       // how it was known who
  std::string from;        // an address; "": this machine
  std::string request_id;  // of the call
  std::string action;
  std::string subject;
  std::string before;
  std::string after;
  std::string detail;
  Digest previous;  // hash of the entry before
  Digest hash;

  bool operator==(const AuditRecord&) const = default;
};

// Stream (device, boot id, manifest): exactly-once bookkeeping.
struct StreamRecord {
  DeviceId device;
  uint64_t boot_id = 0;
  Digest manifest;
  monitoring::StreamWatermark mark;
  // Reports before this position are not of this row, even if the key is the same. The oldest boots
  // of a device are forgotten first.
  uint64_t order = 0;

  bool operator==(const StreamRecord&) const = default;
};

// Counts since the beginning, per device, release and cohort. Exact: sums of any of them agree.
struct TotalRecord {
  DeviceId device;
  Digest manifest;
  Cohort cohort;
  uint64_t inferences = 0;
  uint64_t windows = 0;
  uint64_t windows_lost = 0;
  uint64_t errors = 0;
  uint64_t duplicates = 0;
  uint64_t quarantined = 0;
  uint64_t energy_inferences = 0;  // whose energy was measured
  uint64_t energy_sum_uj = 0;      // of these
  monitoring::Health health;

  bool operator==(const TotalRecord&) const = default;
};

// What the statistics said of one subject (a feature, the class mix) of a window.
struct SubjectVerdict {
  monitoring::SubjectKind kind = monitoring::SubjectKind::kFeature;
  std::string subject;
  monitoring::DriftOutcome outcome = monitoring::DriftOutcome::kInsufficientData;
  double psi = 0;  // bias removed, and its interval
  double psi_low = 0;
  double psi_high = 0;
  double p_value = 1;  // adjusted over the subjects of the window
  double deff = 1;
  std::vector<DeviceId> devices;  // that stand out
  std::string explanation;
  bool compared = true;  // else there is no PSI and no p-value: too few values or devices
  double missing = 0;    // share of values that were not there

  bool operator==(const SubjectVerdict&) const = default;
};

// Counts of one window span; device "" is the cohort's.
struct WindowRecord {
  Digest manifest;
  Cohort cohort;
  DeviceId device;
  int64_t index = 0;  // wall start / window length
  Millis start{0};
  Millis length{0};
  uint32_t devices = 1;
  bool closed = false;
  bool revised = false;  // late counts came after it closed
  monitoring::WindowCounts counts;
  // A cohort's row: what was said of the window when it closed, all cohorts together; empty where
  // nothing was judged.
  std::vector<SubjectVerdict> verdict;

  bool operator==(const WindowRecord&) const = default;
};

// An accepted report, as it came, and what was decided about it then: streams, totals and windows
// are made of the log, and may be behind it by what a start replays (docs/adr/0024).
struct ReportRecord {
  uint64_t position = 0;  // 1, 2, ...: SiteRecord::report_sequence
  DeviceId device;
  uint64_t boot_id = 0;
  Digest manifest;
  uint64_t sequence = 0;
  Millis wall{0};  // of its arrival
  Cohort cohort;
  std::optional<Millis> placed;  // the middle of its span, where a window takes it
  bool checked = true;           // its counts agreed with the artifact's tables; else quarantined
  Bytes payload;

  bool operator==(const ReportRecord&) const = default;
};

struct SampleRecord {
  DeviceId device;
  uint64_t boot_id = 0;
  uint64_t inference = 0;
  Digest manifest;
  Cohort cohort;
  uint32_t predicted = 0;
  uint32_t confidence = 0;
  uint32_t probability = 0;  // of 65,536
  Millis at{0};              // when it was made, as far as the gateway can know; never after `wall`
  Millis wall{0};            // when it came: retention goes by it

  bool operator==(const SampleRecord&) const = default;
};

// Labelled inferences of a device in one span of time, and how many of them were right: what is
// left of samples and labels when those have gone. Its start is a time of the wall, so that it
// means the same whatever length windows have later.
struct LabelTallyRecord {
  Digest manifest;
  DeviceId device;
  Millis start{0};
  uint64_t labelled = 0;
  uint64_t correct = 0;

  bool operator==(const LabelTallyRecord&) const = default;
};

struct LabelRecord {
  ModelName model;
  DeviceId device;
  uint64_t boot_id = 0;
  uint64_t inference = 0;
  uint32_t truth = 0;
  bool matched = false;
  Millis wall{0};  // when it came: retention goes by it

  bool operator==(const LabelRecord&) const = default;
};

// What is stored of an inference that somebody has labelled, or will.
struct StoredInference {
  std::optional<SampleRecord> sample;
  std::optional<LabelRecord> label;
};

}  // namespace covey
