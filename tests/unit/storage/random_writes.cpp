// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/storage/random_writes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "tests/unit/deploy/example_artifact.hpp"
#include "tests/unit/storage/row_values.hpp"

namespace covey::test {
namespace {

constexpr std::array kTexts = {"",
                               "a",
                               "B",
                               "bearing \"quoted\" \\ text",
                               "Zürich, 中文",
                               "line\nbreak",
                               "'; DROP TABLE devices; --"};

// Building one costs signatures: a few, once.
const std::vector<std::shared_ptr<const Artifact>>& artifacts() {
  static const auto all = [] {
    std::vector<std::shared_ptr<const Artifact>> built;
    const PrivateKey key = *PrivateKey::generate(SignatureAlgorithm::kEd25519);
    TrustStore trusted;
    EXPECT_TRUE(trusted.add(key.public_key()));
    for (uint32_t patch = 0; patch < 4; ++patch) {
      ArtifactInput input = example_input();
      input.gateway_part.version.patch = patch;
      input.model.push_back(static_cast<uint8_t>(patch));
      Result<Artifact> artifact =
          open_artifact(sign_and_pack(*build_artifact(input), key), trusted);
      EXPECT_TRUE(artifact);
      built.push_back(std::make_shared<const Artifact>(*std::move(artifact)));
    }
    return built;
  }();
  return all;
}

}  // namespace

std::string RandomWrites::any_text() { return kTexts[below(kTexts.size())]; }

Digest RandomWrites::any_digest() {
  Digest digest;
  digest.bytes.fill(static_cast<uint8_t>(below(3) * 100));
  return digest;
}

std::optional<Digest> RandomWrites::maybe_digest() {
  if (any_flag()) return std::nullopt;
  return any_digest();
}

DeviceId RandomWrites::any_device() { return DeviceId("dev-" + std::to_string(below(12))); }

ModelName RandomWrites::any_model() {
  return ModelName(any_flag() ? "bearing-vibration" : "keyword");
}

Cohort RandomWrites::any_cohort() {
  return any_flag() ? Cohort() : Cohort::canary(RolloutName("r"));
}
RolloutName RandomWrites::any_rollout() { return RolloutName("r" + std::to_string(below(5))); }

uint64_t RandomWrites::any_boot() {
  constexpr std::array<uint64_t, 4> kBoots = {0, 7, uint64_t{1} << 63,
                                              std::numeric_limits<uint64_t>::max()};
  return kBoots[below(kBoots.size())];
}

ReleaseId RandomWrites::any_release() {
  return {any_model(), {1, static_cast<uint32_t>(below(2) * 9 + 1), any32()}};
}

Device RandomWrites::device() {
  constexpr std::array kStates = {DeviceState::kPending, DeviceState::kAccepted,
                                  DeviceState::kRejected, DeviceState::kRegistered,
                                  DeviceState::kDecommissioned};
  Device d;
  d.id = any_device();
  d.state = kStates[below(kStates.size())];
  d.facts = {DeviceClass("m4f-256k"),
             any_text(),
             any_text(),
             any32(),
             any32(),
             any32(),
             any32(),
             any64(),
             any32(),
             any32()};
  if (any_flag()) d.labels["line"] = any_text();
  if (any_flag()) d.labels["hall"] = any_text();
  d.shard = static_cast<uint32_t>(below(64));
  d.enroll_nonce = any64();
  d.enroll_generation = any32();
  d.enrolled = any_flag();
  d.boot_id = any64();
  d.nonce = any64();
  d.goal_counter = below(1000);
  d.goal_counter_seen = below(1000);
  d.goal_nonce = any64();
  d.goal_dirty = any_flag();
  d.settings = {any32(), any32()};
  d.status_number = any32();
  d.last_seen_wall = any_wall();
  d.enroll_changes = any32();
  d.enroll_changed_wall = any_wall();
  d.key = Bytes(below(2) * 65, 4);
  d.wants_certificate = any_flag();
  d.certificate_serial = Bytes(below(2) * 16, 0x41);
  d.certificate_from = any_wall();
  d.certificate_until = any_wall();
  d.certificate_before = Bytes(below(2) * 16, 0x42);
  d.certificate_before_until = any_wall();
  if (any_flag()) d.claim = ClaimName("batch-7");
  d.authority = any_text();
  d.registered_key = Bytes(below(2) * 32, 0x43);
  d.registered_certificate = Bytes(below(2) * 32, 0x44);
  if (any_flag()) d.successor = any_device();
  for (uint64_t i = below(3); i > 0; --i) {
    DeviceModel& model = d.models[any_model()];
    model.reported = {any_model(), maybe_digest(), maybe_digest(), maybe_digest(), maybe_digest(),
                      any_text(),  any_text(),     any_text(),     any32(),        any32(),
                      any32(),     any32(),        any32(),        any32(),        -5};
    model.desired = maybe_digest();
    model.security_floor = any32();
    model.step_deadline = any_wall();
    if (any_flag()) {
      model.ordered =
          ModelOrder{maybe_digest(), maybe_digest(), any_flag(), any32(), any32(), any32()};
    }
    model.attempt_last = any32();
    model.assignment_failures = any32();
    model.retry_not_before = any_wall();
  }
  return d;
}

ReleaseRecord RandomWrites::release() {
  const auto& artifact = artifacts()[below(artifacts().size())];
  const ReleaseId id = artifact->manifest.release();
  if (below(4) > 0) return {id, {{id, 0, artifact}}, any_wall()};
  const auto left = std::make_shared<const Artifact>(without_image(*artifact));
  return {id, {{id, 0, left}}, any_wall(), Millis{1 + static_cast<int64_t>(below(1'000'000))}};
}

PutRolloutPlan RandomWrites::rollout_plan() {
  RolloutPlan r;
  r.name = any_rollout();
  r.document.name = r.name.str();
  r.document.release = "bearing-vibration@1.4." + std::to_string(below(9));
  r.document.target = any_flag() ? "" : R"(labels.line = "press" AND class = m4f-256k)";
  r.document.holdback = any_flag() ? "" : "5%";
  StageDocument stage;
  stage.name = "canary";
  stage.size = std::to_string(1 + below(99)) + "%";
  stage.soak = "10m";
  r.document.stages = {stage};
  GateDocument gate;
  gate.failures = GateDocument::Failures{"2%", "attempted", 20};
  r.document.gates = {gate};
  Result<Plan> rules = parse_plan(r.document);
  EXPECT_TRUE(rules) << rules.error().message;
  r.rules = *std::move(rules);
  for (uint64_t i = below(4); i > 0; --i) r.order.push_back(any_device());
  r.ends = {any32(), any32()};
  r.holdback = any32();
  if (any_flag()) r.excluded.push_back({any_device(), any_text(), any_text()});
  r.creator = any_text();
  r.create_wall = any_wall();
  return {std::make_shared<const RolloutPlan>(std::move(r))};
}

RolloutProgress RandomWrites::rollout_progress() {
  constexpr std::array kStates = {RolloutState::kDraft,       RolloutState::kAwaitingApproval,
                                  RolloutState::kRunning,     RolloutState::kPaused,
                                  RolloutState::kRollingBack, RolloutState::kSucceeded,
                                  RolloutState::kAborted,     RolloutState::kRolledBack};
  constexpr std::array kStages = {StageState::kPending,     StageState::kDeploying,
                                  StageState::kSoaking,     StageState::kAnalyzing,
                                  StageState::kPassed,      StageState::kFailed,
                                  StageState::kInconclusive};
  RolloutProgress r;
  r.state = kStates[below(kStates.size())];
  r.reason = any_text();
  r.explanation = any_text();
  StageProgress stage{.state = kStages[below(kStages.size())],
                      .approved = any_flag(),
                      .approver = any_text(),
                      .soak_used = any_wall(),
                      .analysis_used = any_wall(),
                      .start_wall = any_wall(),
                      .end_wall = any_wall()};
  if (any_flag()) stage.since = any_wall();
  r.stages.push_back(stage);
  r.end_wall = any_wall();
  r.end_observed = any_wall();
  r.revision = below(1000);
  r.settled = any_flag();
  r.queued = any32();
  r.cancels = any_flag();
  r.assigning = any_flag();
  return r;
}

GateRecord RandomWrites::gates() {
  constexpr std::array kVerdicts = {Verdict::kPass, Verdict::kFail, Verdict::kInconclusive,
                                    Verdict::kError};
  GateRecord record{any_rollout(), static_cast<uint32_t>(below(3)), {}};
  for (uint64_t i = below(3); i > 0; --i) {
    monitoring::GateResult result{
        "drift", kVerdicts[below(kVerdicts.size())], any_text(), any_text(), {}};
    result.measures.push_back({"psi", 1.0 / static_cast<double>(1 + below(1000)), 0.1, any_text()});
    result.measures.push_back({"worst", std::numeric_limits<double>::infinity(), {}, ""});
    record.results.push_back(std::move(result));
  }
  return record;
}

Deployment RandomWrites::deployment() {
  constexpr std::array kCauses = {Cause::kRollout, Cause::kRollback, Cause::kAssignment};
  constexpr std::array kStates = {
      DeploymentState::kQueued,    DeploymentState::kOffered,   DeploymentState::kDownloading,
      DeploymentState::kVerifying, DeploymentState::kStaged,    DeploymentState::kShadowing,
      DeploymentState::kProbation, DeploymentState::kConfirmed, DeploymentState::kDeclined,
      DeploymentState::kFailed,    DeploymentState::kReverted,  DeploymentState::kTimedOut,
      DeploymentState::kCanceled,  DeploymentState::kRemoved};
  Deployment d;
  d.number = 1 + below(30);
  d.device = any_device();
  d.release = any_release();
  d.manifest = any_digest();
  d.previous = maybe_digest();
  if (any_flag()) d.rollout = any_rollout();
  d.stage = static_cast<uint32_t>(below(3));
  d.cause = kCauses[below(kCauses.size())];
  d.state = kStates[below(kStates.size())];
  d.attempt = any32();
  d.attempt_in_rollout = any32();
  d.reason = any_text();
  d.chunks_have = any32();
  d.chunks_total = any32();
  d.attempted = any_flag();
  d.granted = any_flag();
  d.late_confirmed = any_flag();
  d.deadline = any_wall();
  d.create_wall = any_wall();
  d.update_wall = any_wall();
  return d;
}

StreamRecord RandomWrites::stream() {
  StreamRecord s{any_device(), any_boot(), any_digest(), {}, below(100)};
  s.mark = {below(99), any64(), {}, below(9), below(9), below(99), any64(), any64()};
  if (any_flag()) s.mark.gaps = {{1, 2}, {5, monitoring::kSequenceMax}};
  return s;
}

WindowRecord RandomWrites::window() {
  WindowRecord w;
  w.manifest = any_digest();
  w.cohort = any_cohort();
  if (any_flag()) w.device = any_device();
  w.index = static_cast<int64_t>(below(100));
  w.length = Millis{1000};
  w.start = w.index * w.length;
  w.devices = any32();
  w.closed = any_flag();
  w.revised = any_flag();
  if (any_flag()) {
    SubjectVerdict& said = w.verdict.emplace_back();
    said.kind = any_flag() ? monitoring::SubjectKind::kFeature : monitoring::SubjectKind::kJoint;
    said.subject = any_text();
    said.outcome = monitoring::DriftOutcome::kPage;
    said.psi = 1.0 / static_cast<double>(1 + below(1000));
    said.p_value = 0;
    said.devices = {any_device()};
    said.explanation = any_text();
  }
  w.counts.inferences = below(1000);
  w.counts.classes = {below(100), below(100)};
  w.counts.latency_sum_us = any64() >> 20U;
  monitoring::FeatureCounts feature;
  feature.bins = {below(10), below(10)};
  feature.min = -3;
  feature.max = 9;
  feature.sum = -77;
  w.counts.features = {feature};
  return w;
}

monitoring::Alert RandomWrites::alert() {
  constexpr std::array kStates = {monitoring::AlertState::kPending, monitoring::AlertState::kFiring,
                                  monitoring::AlertState::kResolved};
  monitoring::Alert a;
  a.key = {any_model().str(),
           any_flag() ? monitoring::AlertKind::kFeatureDrift : monitoring::AlertKind::kAheadOfSite,
           any_text(), any_text()};
  a.episode = 1 + below(3);
  a.state = kStates[below(kStates.size())];
  a.severity = any_flag() ? monitoring::Severity::kWarn : monitoring::Severity::kPage;
  a.explanation = any_text();
  a.abnormal = any32();
  a.quiet_streak = any32();
  if (any_flag()) a.histories.push_back({any_device(), any32(), any_flag()});
  a.opened_at = any_wall();
  if (any_flag()) a.fired_at = any_wall();
  if (any_flag()) a.resolved_at = any_wall();
  if (any_flag()) a.acknowledged = monitoring::Acknowledgement{any_text(), any_text(), any_wall()};
  return a;
}

Write RandomWrites::make(size_t kind) {
  switch (kind) {
    case 0:
      return PutSite{{any32(), any_wall(), any64(), below(9), below(9), below(9), any_digest(),
                      below(99), below(99), any_flag(), below(99)}};
    case 1:
      return PutDevice{device()};
    case 2:
      return PutTrustedKey{
          {"key" + std::to_string(below(4)), "ES256", any_text(), any_text(), any_wall()}};
    case 3:
      return RemoveTrustedKey{"key" + std::to_string(below(4))};
    case 4:
      return PutRelease{release()};
    case 5:
      return rollout_plan();
    case 6:
      return PutGates{gates()};
    case 7:
      return PutDeployment{deployment()};
    case 8:
      return PutAssignment{{any_model(), any_rollout(), any_text(), any_release(), 1 + below(9)}};
    case 9:
      return PutRequest{{fmt::format("id{}", below(9)), any_text(), any_digest(), any64()}};
    case 10:
      return PutStream{stream()};
    case 11:
      return RemoveStream{any_device(), any_boot(), any_digest()};
    case 12:
      return PutTotal{{any_device(),
                       any_digest(),
                       any_cohort(),
                       any64(),
                       below(99),
                       below(9),
                       below(9),
                       below(9),
                       below(9),
                       any64(),
                       any64(),
                       {below(9), below(9), below(9), below(9), any64(), any64(), any64()}}};
    case 13:
      return PutWindow{window()};
    case 14:
      return PutSample{{any_device(), any_boot(), below(20), any_digest(), any_cohort(), any32(),
                        any32(), any32(), any_wall(), any_wall()}};
    case 15:
      return PutLabel{
          {any_model(), any_device(), any_boot(), below(20), any32(), any_flag(), any_wall()}};
    case 16:
      return PutAlert{alert()};
    case 17:
      return AppendReport{{++sequence_, any_device(), any_boot(), any_digest(), below(99),
                           any_wall(), any_flag() ? Cohort() : Cohort::canary(RolloutName("r")),
                           any_flag() ? std::optional(any_wall()) : std::nullopt, any_flag(),
                           Bytes(below(300), 0xa5)}};
    case 18:
      return AppendEvent{
          {++sequence_, any_rollout(), any_wall(), any_text(), any_text(), any_text()}};
    case 19:
      return AppendAudit{{++sequence_, any_wall(), any_text(), any_text(), any_text(), any_text(),
                          any_text(), any_text(), any_text(), any_text(), any_text(), any_digest(),
                          any_digest()}};
    case 20:
      return Forget{
          some_time(), some_time(), some_time(),          some_time(),
          some_time(), some_time(), below(sequence_ + 1), any_flag() ? Millis::max() : some_time()};
    case 21:
      return RemoveAssignment{below(4)};
    case 22:
      return ArchiveDeployment{1 + below(30)};
    case 23:
      return PutCount{{any_rollout(), static_cast<uint32_t>(below(3)), any_flag(),
                       any_flag() ? "CONFIRMED" : "FAILED", any32()}};
    case 24:
      return RemoveRequest{fmt::format("id{}", below(9))};
    case 25:
      return PutRolloutProgress{any_rollout(), rollout_progress()};
    case 26:
      return RemoveTotal{any_device(), any_digest(), any_cohort()};
    case 27:
      return RemoveLabel{any_device(), any_boot(), below(20)};
    case 28:
      return PutLabelTally{{any_digest(), any_device(), any_wall(), any64(), any64()}};
    case 29:
      return ForgetDevice{any_device()};
    case 30:
      return ForgetRollout{any_rollout()};
    case 31:
      return PutToken{{fmt::format("token{}", below(4)), any_digest(), "ci", any_text(), any_text(),
                       any_wall(), any_wall(), any_wall()}};
    case 32:
      return RemoveToken{fmt::format("token{}", below(4))};
    case 33:
      return PutRevoked{{Bytes(1 + below(4), 0x41), any_device(), any_wall()}};
    case 34:
      return ForgetRevoked{Bytes(1 + below(4), 0x41)};
    case 35:
      return PutRoot{{static_cast<uint32_t>(1 + below(4)), Bytes(1 + below(40), 0x42), any_wall()}};
    case 36:
      return PutSiteSecret{
          {1 + static_cast<uint32_t>(below(4)), Bytes(1 + below(64), 0x42), any_wall()}};
    case 37:
      return RemoveSiteSecret{1 + static_cast<uint32_t>(below(4))};
    case 38:
      return PutClaim{{ClaimName(fmt::format("batch-{}", below(4))), any64(), any_wall(),
                       any_wall(), any_wall(), any32(), any32(), any_flag(), any_flag(), any_flag(),
                       any32()}};
    case 39:
      return PutClaimIds{{ClaimName(fmt::format("batch-{}", below(4))), {any_device()}}};
    case 40:
      return PutAuthority{
          {fmt::format("acme-{}", below(4)), Bytes(1 + below(4), 0x30), any_wall()}};
    case 41:
      return RemoveAuthority{fmt::format("acme-{}", below(4))};
    default:
      ADD_FAILURE() << "a new kind of Write: make one here";
      return RemoveTrustedKey{};
  }
}

std::vector<Write> RandomWrites::batch(size_t size) {
  std::vector<Write> writes;
  for (size_t i = 0; i < size; ++i) writes.push_back(next());
  return writes;
}

template <typename Record>
static void expect_rows(const std::vector<Record>& a, const std::vector<Record>& b) {
  const std::string table = rows::table_of<Record>().name;
  EXPECT_EQ(a.size(), b.size()) << table;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!(a[i] == b[i])) ADD_FAILURE() << table << ", row " << i << ": " << difference(a[i], b[i]);
  }
}

void expect_same(const Snapshot& a, const Snapshot& b) {
  expect_rows<SiteRecord>({a.site}, {b.site});
  expect_rows(a.devices, b.devices);
  expect_rows(a.revoked, b.revoked);
  expect_rows(a.claims, b.claims);
  expect_rows(a.claim_ids, b.claim_ids);
  expect_rows(a.authorities, b.authorities);
  expect_rows(a.trusted_keys, b.trusted_keys);
  expect_rows(a.roots, b.roots);
  expect_rows(a.tokens, b.tokens);
  expect_rows(a.releases, b.releases);
  EXPECT_EQ(a.rollouts, b.rollouts);
  expect_rows(a.gates, b.gates);
  expect_rows(a.deployments, b.deployments);
  expect_rows(a.counts, b.counts);
  expect_rows(a.assignments, b.assignments);
  expect_rows(a.requests, b.requests);
  expect_rows(a.streams, b.streams);
  expect_rows(a.totals, b.totals);
  expect_rows(a.windows, b.windows);
  expect_rows(a.tallies, b.tallies);
  expect_rows(a.labels, b.labels);
  expect_rows(a.alerts, b.alerts);
  EXPECT_TRUE(a == b) << "a member of Snapshot that is not compared above";
}

}  // namespace covey::test
