// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/engine/site.hpp"

#include <cstdlib>
#include <iostream>

#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/remembered.hpp"

namespace covey::test {
namespace {

[[noreturn]] void give_up(const std::string& what, const Error& error) {
  std::cerr << "site: " << what << ": " << error.reason << ": " << error.message << "\n";
  std::abort();
}
template <typename T>
T need(Result<T> result, const std::string& what) {
  if (!result) give_up(what, result.error());
  return *std::move(result);
}
void need(const Status& status, const std::string& what) {
  if (!status) give_up(what, status.error());
}

GatewayPart gateway_part(const Version& version) {
  GatewayPart part;
  part.model = kSiteModel;
  part.version = version;
  part.classes = {"healthy", "worn"};
  for (const char* name : {"rms", "kurtosis"}) {
    part.features.push_back({.name = name,
                             .edges = {50, 100, 150},
                             .counts = {2500, 2500, 2500, 2500},
                             .min = 0,
                             .max = 199});
  }
  part.class_counts = {5000, 5000};
  part.confidence_counts.assign(16, 0);
  part.confidence_counts[14] = 10'000;
  part.calibration.assign(16, {});
  part.calibration[14] = {10'000, 9'500};
  part.confusion = {{4800, 200}, {300, 4700}};
  return part;
}

}  // namespace

engine::EngineConfig quick_config() {
  engine::EngineConfig config;
  config.report_interval = 10s;
  config.offline_after = 40s;
  config.gate_interval = 500ms;
  config.ack_interval = 200ms;
  config.window = 60s;
  config.drift.devices_min = 3;
  return config;
}

StageDocument stage(const std::string& name, const std::string& size) {
  StageDocument document;
  document.name = name;
  document.size = size;
  return document;
}

GateDocument failures_gate(const std::string& max) {
  GateDocument gate;
  gate.failures = {.max = max, .of = "attempted", .min_sample = 1};
  return gate;
}

Bytes own_point(uint8_t number) {
  Bytes point(65, number);
  point.front() = 4;
  return point;
}

PlanDocument simple_plan(const std::string& name, const std::string& version) {
  PlanDocument plan;
  plan.name = name;
  plan.release = "bearing@" + version;
  plan.stages = {stage("all", "100%")};
  plan.gates = {failures_gate("30%")};
  plan.attempt = {.deadline = "10m", .retries = 1, .backoff = "10s"};
  return plan;
}

Site::Site(const engine::EngineConfig& config)
    : config_(config),
      author_(need(PrivateKey::generate(SignatureAlgorithm::kEd25519), "author's key")) {
  const std::vector<Write> first = engine::new_site(Bytes(32, 0x5e), 0ms);
  need(store_.commit(first), "first commit");
  load();
  connect_broker();
  pass(2 * config.report_interval, 1s);  // it has run for a while: no grace is left
  need(command(engine::AddTrustedKey{author_.public_key().to_pem(), "author"}), "trust");
}

void Site::load() {
  Snapshot snapshot = need(store_.load({}), "load");
  verdicts_.clear();
  ++config_.start_id;
  engine_ = std::make_unique<engine::Engine>(
      need(engine::Engine::load(std::move(snapshot), config_, now_, reports_), "engine"));
  need(replay(store_, *engine_), "replay");
}

std::vector<engine::Effect> Site::handle(engine::Event event) {
  engine::Output output = engine_->handle(std::span(&event, 1), now_);
  if (!output.writes.empty()) need(store_.commit(output.writes), "commit");
  if (on_committed) on_committed(output.writes);
  if (crash_next_ && !output.writes.empty()) {
    crash_next_ = false;
    restart();
    return {};
  }
  for (const engine::Effect& effect : output.after_commit) {
    if (const auto* goal = std::get_if<engine::PublishGoal>(&effect)) {
      goals_[goal->device] = goal->goal;
    }
    if (on_said) on_said(effect);
  }
  for (const engine::Effect& effect : output.after_commit) {
    const auto* asked = std::get_if<engine::JudgeWindow>(&effect);
    if (asked != nullptr) verdicts_.push_back(engine::judge(*asked->window));
  }
  if (!hold_verdicts) give_verdicts();
  return std::move(output.after_commit);
}

void Site::give_verdicts() {
  for (engine::WindowVerdict& verdict : std::exchange(verdicts_, {})) {
    handle(engine::WindowJudged{std::move(verdict)});
  }
}

void Site::pass(Millis duration, Millis tick) {
  for (Millis gone{0}; gone < duration; gone += tick) {
    now_.mono += tick;
    now_.wall += tick;
    handle(engine::Tick{broker_session_, chunks, backlog, certificate_until});
  }
}

void Site::connect_broker() {
  broker_session_ = ++broker_sessions_;
  handle(engine::Tick{broker_session_, chunks, backlog, certificate_until});
}

void Site::disconnect_broker() {
  broker_session_ = 0;
  handle(engine::Tick{broker_session_, chunks, backlog, certificate_until});
}

void Site::power_off(Millis duration) {
  now_.wall += duration;
  now_.mono = 10s;
  restart();
}

void Site::restart(const engine::EngineConfig& config) {
  const uint64_t start_id = config_.start_id;
  config_ = config;
  config_.start_id = start_id;
  restart();
}

void Site::restart() {
  load();
  connect_broker();
}

Result<engine::CommandReply> Site::command(engine::Command command, const std::string& etag,
                                           const std::string& actor) {
  if (auto* labels = std::get_if<engine::SubmitLabels>(&command)) {
    const auto reader = need(store_.reader(), "reader");
    need(engine::look_up(*reader, *labels), "look up");
  }
  const auto effects = handle(engine::CommandReceived{1, {std::move(command), actor, etag}});
  const auto* reply = find<engine::Reply>(effects);
  if (reply == nullptr) return Error{Code::kUnavailable, "NO_REPLY", "crashed"};
  return reply->result;
}

Result<engine::CommandReply> Site::roll_out(const PlanDocument& plan,
                                            const std::string& request_id) {
  return command(engine::CreateRollout{plan, request_id});
}

std::shared_ptr<const Artifact> Site::open(const Version& version,
                                           const std::vector<std::string>& classes, uint8_t salt,
                                           const ModelName& model) const {
  ArtifactInput input;
  for (const std::string& name : classes) input.device_classes.emplace_back(name);
  input.arena_bytes = 2048;
  input.input_bytes = 2;
  input.output_bytes = 2;
  input.chunk_size_bytes = 256;
  input.security_version = security_version;
  input.model.assign(3000, static_cast<uint8_t>(version.minor + salt));
  input.selftest.vectors = {{{1, 2}, {3, 4}}};
  input.gateway_part = gateway_part(version);
  input.gateway_part.model = model;
  input.tables = tables_of(input.gateway_part, std::vector<uint32_t>(16, 16'384));
  const UnsignedArtifact built = need(build_artifact(input), "artifact");
  const SignedManifest manifest{built.manifest_bytes, {sign(author_, built.manifest_digest)}};
  TrustStore trust;
  need(trust.add(author_.public_key()), "trust store");
  return std::make_shared<const Artifact>(
      need(open_artifact({.signed_manifest = need(encode(manifest), "manifest"),
                          .image = built.image,
                          .tables = built.tables,
                          .gateway_part = built.gateway_part},
                         trust),
           "open artifact"));
}

void Site::push(const Version& version, const std::vector<std::string>& classes) {
  need(command(engine::CreateRelease{{kSiteModel, version}, {open(version, classes)}}), "push");
}

Digest Site::manifest(const Version& version) const {
  return state().catalogue.releases.at({kSiteModel, version}).artifacts.front().artifact->digest;
}

void Site::accept(const std::string& id) {
  need(command(engine::AcceptDevices{{.ids = {DeviceId(id)}, .filter = ""}}), "accept " + id);
}

const Rollout& Site::rollout(const std::string& name) const {
  return state().rollouts.by_name.at(RolloutName(name));
}

std::string Site::rollout_text(const std::string& name) const {
  const Rollout& r = rollout(name);
  std::string text(to_string(r.progress.state));
  if (!r.progress.reason.empty()) text += "(" + r.progress.reason + ")";
  for (size_t i = 0; i < r.progress.stages.size(); ++i) {
    text += " " + r.plan->rules.stages[i].name + "=" +
            std::string(to_string(r.progress.stages[i].state));
  }
  return text;
}

const Deployment& Site::newest(const std::string& id) const {
  return state().rollouts.deployments.at(
      state().rollouts.newest_deployment.at({DeviceId(id), kSiteModel}));
}

size_t Site::attempts(const std::string& id) const {
  size_t count = 0;
  for (const Deployment& d : store_.deployments()) count += d.device.str() == id ? 1 : 0;
  return count;
}

uint64_t Site::drops(engine::Drop reason) const {
  return state().counters.drops[static_cast<size_t>(reason)];
}

std::vector<EventRecord> Site::events(const std::string& rollout) {
  const auto reader = need(store_.reader(), "reader");
  return need(reader->events(RolloutName(rollout), {.limit = 1000}), "events");
}

std::vector<AuditRecord> Site::audit() {
  const auto reader = need(store_.reader(), "reader");
  return need(reader->audit({.limit = 1000}), "audit");
}

void Site::check_reload() {
  Snapshot stored = need(store_.load({}), "load");
  // Observed time runs on between writes.
  stored.site.observed = state().site.observed;
  engine::Engine again =
      need(engine::Engine::load(std::move(stored), config_, now_, reports_), "reload");
  need(replay(store_, again), "replay");
  std::string different;
  if (!(again.snapshot() == engine_->snapshot())) different = "rows";
  if (!(remembered(again.state(), config_, now_) == remembered(state(), config_, now_))) {
    different += " telemetry";
  }
  if (!different.empty()) give_up("reload", {Code::kInternal, "MEMORY_DIFFERS", different});
}

}  // namespace covey::test
