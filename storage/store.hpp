// SPDX-License-Identifier: Apache-2.0
// The Store port. The engine is its only client: it loads everything it works on at start, then
// hands over one list of writes per transaction. History (events, audit, windows, reports) is read
// by page.
//
// Errors of commit(): any error ends the process after the engine was told nothing
// (docs/design/time-and-persistence.md, "A failed commit"): DISK_FULL, STORE_IO, STORE_CORRUPT.
// Threading: commit() and load() on the one writing thread; condition() and backup() on any thread;
// the read functions of Reader on any thread, each Reader by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/result.hpp"
#include "deploy/deployment/deployment.hpp"
#include "deploy/deployment/device.hpp"
#include "deploy/rollout/rollout.hpp"
#include "storage/records.hpp"

namespace covey {

// Each Put replaces the row with the same key; Append adds one that is never changed.
struct PutSite {
  SiteRecord site;
};
struct PutDevice {
  Device device;
};
// With what was counted of it (streams, totals, samples, labels); windows and the log of reports
// age out.
struct ForgetDevice {
  DeviceId device;
};
struct PutRevoked {
  RevokedCertificate certificate;
};
struct ForgetRevoked {
  Bytes serial;
};
struct PutSiteSecret {
  SiteSecretRecord secret;
};
struct RemoveSiteSecret {
  uint32_t number = 0;
};
struct PutClaim {
  ClaimRecord claim;
};
struct PutClaimIds {
  ClaimIdsRecord claim;
};
struct PutAuthority {
  AuthorityRecord authority;
};
struct RemoveAuthority {
  std::string name;
};
struct PutTrustedKey {
  TrustedKeyRecord key;
};
struct RemoveTrustedKey {
  std::string key_id;
};
struct PutRoot {
  RootRecord root;
};
struct PutToken {
  TokenRecord token;
};
struct RemoveToken {
  std::string name;
};
struct PutRelease {
  ReleaseRecord release;
};
// Once: it never changes.
struct PutRolloutPlan {
  std::shared_ptr<const RolloutPlan> plan;
};
struct PutRolloutProgress {
  RolloutName rollout;
  RolloutProgress progress;
};
struct PutGates {
  GateRecord gates;
};
struct PutDeployment {
  Deployment deployment;
};
// With all that is its: plan, order, gates, counts, events and attempts. It has been over for long.
struct ForgetRollout {
  RolloutName rollout;
};
// It is history from now on: load() leaves it out, a Reader still has it. Its number is not put
// again.
struct ArchiveDeployment {
  uint64_t number = 0;
};
struct PutCount {
  CountRecord count;
};
struct PutAssignment {
  AssignmentRecord assignment;
};
struct RemoveAssignment {
  uint64_t number = 0;
};
struct PutRequest {
  RequestRecord request;
};
struct RemoveRequest {
  std::string request_id;
};
struct PutStream {
  StreamRecord stream;
};
struct RemoveStream {
  DeviceId device;
  uint64_t boot_id = 0;
  Digest manifest;
};
struct PutTotal {
  TotalRecord total;
};
struct RemoveTotal {
  DeviceId device;
  Digest manifest;
  Cohort cohort;
};
struct PutWindow {
  WindowRecord window;
};
struct PutSample {
  SampleRecord sample;
};
struct PutLabel {
  LabelRecord label;
};
struct RemoveLabel {
  DeviceId device;
  uint64_t boot_id = 0;
  uint64_t inference = 0;
};
struct PutLabelTally {
  LabelTallyRecord tally;
};
struct PutAlert {
  monitoring::Alert alert;
};
struct AppendReport {
  ReportRecord report;
};
struct AppendEvent {
  EventRecord event;
};
struct AppendAudit {
  AuditRecord entry;
};
// Retention, by the gateway's own clock: windows that ended before, samples and labels that came
// before, alerts that were resolved before; the log's beginning up to the first report that did
// not come before, or is not settled. And whatever claims to be of after `after`. Archived attempts
// of no rollout up to the first that did not change before; the audit's beginning up to the first
// entry that is not of before, and whatever is not above `audit_up_to`.
struct Forget {
  Millis windows_before{0};
  Millis reports_before{0};
  Millis labels_before{0};
  Millis alerts_before{0};
  Millis attempts_before{0};
  Millis audit_before{0};
  uint64_t audit_up_to = 0;
  Millis after = Millis::max();
};
using Write =
    std::variant<PutSite, PutDevice, PutTrustedKey, RemoveTrustedKey, PutRelease, PutRolloutPlan,
                 PutRolloutProgress, PutGates, PutDeployment, PutAssignment, RemoveAssignment,
                 PutRequest, PutStream, RemoveStream, PutTotal, PutWindow, PutSample, PutLabel,
                 PutAlert, AppendReport, AppendEvent, AppendAudit, Forget, ArchiveDeployment,
                 PutCount, RemoveRequest, RemoveTotal, RemoveLabel, PutLabelTally, ForgetDevice,
                 ForgetRollout, PutToken, RemoveToken, PutRevoked, ForgetRevoked, PutRoot, PutClaim,
                 PutClaimIds, PutAuthority, RemoveAuthority, PutSiteSecret, RemoveSiteSecret>;

// All that the engine needs at start, each in key order.
struct Snapshot {
  SiteRecord site;
  std::vector<SiteSecretRecord> secrets;  // none: the first time
  std::vector<Device> devices;
  std::vector<RevokedCertificate> revoked;
  std::vector<ClaimRecord> claims;
  std::vector<ClaimIdsRecord> claim_ids;
  std::vector<AuthorityRecord> authorities;
  std::vector<TrustedKeyRecord> trusted_keys;
  std::vector<RootRecord> roots;
  std::vector<TokenRecord> tokens;
  std::vector<ReleaseRecord> releases;
  std::vector<Rollout> rollouts;  // settled ones without order and exclusions
  std::vector<GateRecord> gates;
  std::vector<Deployment> deployments;  // without archived ones
  std::vector<CountRecord> counts;
  std::vector<AssignmentRecord> assignments;
  std::vector<RequestRecord> requests;
  std::vector<StreamRecord> streams;
  std::vector<TotalRecord> totals;
  std::vector<WindowRecord> windows;  // see LoadLimits
  std::vector<LabelTallyRecord> tallies;
  std::vector<LabelRecord> labels;        // that wait for their sample, in the order they came
  std::vector<monitoring::Alert> alerts;  // newest episode per key

  bool operator==(const Snapshot&) const = default;
};

struct LoadLimits {
  Millis windows_since{0};  // wall: windows that started before stay on disk, but for those that
  Millis window{0};         // reports which are not settled belong to, by their length
  // Wall: windows that start later stay, too, unless reports have come later than that.
  Millis windows_until = Millis::max();
};

enum class PageOrder : uint8_t { kNewestFirst, kOldestFirst };

struct Page {
  size_t limit = 100;
  uint64_t before = 0;  // sequences below this one; 0: all
  uint64_t after = 0;   // sequences above this one
  PageOrder order = PageOrder::kNewestFirst;
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual Result<std::vector<EventRecord>> events(const RolloutName& rollout, Page page) = 0;
  virtual Result<std::vector<AuditRecord>> audit(Page page) = 0;
  // Archived ones too: numbers above `after`, ascending.
  virtual Result<std::vector<Deployment>> deployments(const RolloutName& rollout, uint64_t after,
                                                      size_t limit) = 0;
  // With order and exclusions, settled or not; none: there is no such rollout.
  virtual Result<std::optional<RolloutPlan>> rollout_plan(const RolloutName& rollout) = 0;
  // Pages by start (wall, milliseconds), never between windows of one start: as many more as that
  // takes. Device "" for the cohorts'.
  virtual Result<std::vector<WindowRecord>> windows(std::span<const Digest> manifests,
                                                    const DeviceId& device, Page page) = 0;
  // What there is of one inference.
  virtual Result<StoredInference> inference(const DeviceId& device, uint64_t boot_id,
                                            uint64_t inference) = 0;
};

// How the store stands now.
struct Condition {
  std::optional<uint64_t> free_bytes;  // that its disk offers; none: nobody knows
  std::optional<Error> read_only;      // why it writes nothing any more: the owner serves reads
  bool recovered = false;              // read-only, but a new start would write
};

class Store {
 public:
  virtual ~Store() = default;
  // All or nothing, durable on return.
  virtual Status commit(std::span<const Write> writes) = 0;
  virtual Result<Snapshot> load(const LoadLimits& limits) = 0;
  // Reports above `position`, in the log's order, until `each` has an error, which is returned.
  virtual Status replay(uint64_t position,
                        const std::function<Status(const ReportRecord&)>& each) = 0;
  virtual Result<std::unique_ptr<Reader>> reader() = 0;
  virtual Condition condition() const = 0;
  // A copy of all that is committed, of one moment, as the file `to`: there whole or not at all,
  // for its owner only. Commits go on meanwhile. What it holds is restored by the store's own
  // means. Errors: UNSUPPORTED, BACKUP_EXISTS, DISK_FULL, STORE_IO.
  virtual Status backup(const std::filesystem::path& to) = 0;
};

}  // namespace covey
