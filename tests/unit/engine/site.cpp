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

const ModelName kModel("bearing");

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

Digest secret() {
  Digest digest;
  digest.bytes.fill(0x5e);
  return digest;
}

GatewayPart gateway_part(const Version& version) {
  GatewayPart part;
  part.model = kModel;
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

std::string_view kind_of(const engine::DeviceMessage& message) {
  constexpr std::array<std::string_view, 4> kKinds{"hello", "status", "fetch", "bye"};
  return kKinds[message.index()];
}

// `n` values in the bins of a feature: a quarter each, or all in one.
monitoring::FeatureCounts feature(uint32_t n, int bin) {
  constexpr std::array<int32_t, 4> kValues{25, 75, 125, 175};
  monitoring::FeatureCounts counts;
  counts.bins.assign(4, 0);
  for (uint32_t i = 0; i < n; ++i) {
    const size_t at = bin < 0 ? i % 4 : static_cast<size_t>(bin);
    ++counts.bins[at];
    counts.min = std::min(counts.min, kValues[at]);
    counts.max = std::max(counts.max, kValues[at]);
    counts.sum += kValues[at];
    counts.sum_squares += static_cast<uint64_t>(kValues[at] * kValues[at]);
  }
  return counts;
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
  const std::vector<Write> first{PutSite{engine::new_site(secret())}};
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
    handle(engine::Tick{broker_session_});
  }
}

void Site::connect_broker() {
  broker_session_ = ++broker_sessions_;
  handle(engine::Tick{broker_session_});
}

void Site::disconnect_broker() {
  broker_session_ = 0;
  handle(engine::Tick{broker_session_});
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
                                           const std::vector<std::string>& classes,
                                           uint8_t salt) const {
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
  need(command(engine::CreateRelease{{kModel, version}, {open(version, classes)}}), "push");
}

Digest Site::manifest(const Version& version) const {
  return state().catalogue.releases.at({kModel, version}).artifacts.front().artifact->digest;
}

void Site::enroll(const std::string& id, uint64_t nonce, const std::string& device_class) {
  Played& played = devices_[id];
  if (played.id.empty()) {
    played.id = DeviceId(id);
    played.facts = {.device_class = DeviceClass(device_class),
                    .firmware = "1.0.0",
                    .agent = "1.0.0",
                    .slot_bytes = 16'384,
                    .arena_bytes = 8'192,
                    .message_bytes_max = 1024,
                    .runtime = static_cast<uint32_t>(Runtime::kTfliteInt8),
                    .algorithms = 0xff};
    played.boot_id = 0x1000 + 0x10000 * devices_.size();
    played.nonce = played.boot_id + 1;
    played.model.model = kModel;
    played.model.phase = "IDLE";
  }
  played.enroll_nonce = nonce;
  handle(engine::EnrollReceived{played.id, {played.id, nonce, played.facts, {kModel}}});
}

void Site::accept(const std::string& id) {
  need(command(engine::AcceptDevices{{.ids = {DeviceId(id)}, .filter = ""}}), "accept " + id);
}

void Site::join(const std::string& id, const std::string& device_class) {
  enroll(id, 1, device_class);
  accept(id);
  hello(id);
}

void Site::join_many(const std::string& prefix, int count) {
  for (int i = 0; i < count; ++i) join(prefix + std::to_string(i));
}

engine::HelloMessage Site::hello_of(const std::string& id) const {
  const Played& d = devices_.at(id);
  return {.device = d.id,
          .boot_id = d.boot_id,
          .nonce = d.nonce,
          .facts = d.facts,
          .models = {d.model},
          .site_epoch = d.site_epoch,
          .goal_counter = d.goal_counter,
          .uptime_ms = static_cast<uint64_t>(now_.mono.count()),
          .status_number = d.status_number,
          .connection = d.connection};
}

engine::StatusMessage Site::status_of(const std::string& id) const {
  const Played& d = devices_.at(id);
  return {.boot_id = d.boot_id,
          .number = d.status_number,
          .uptime_ms = static_cast<uint64_t>(now_.mono.count()),
          .models = {d.model},
          .site_epoch = d.site_epoch,
          .goal_counter = d.goal_counter};
}

Bytes PlayedReports::add(engine::ReportMessage message) {
  messages_.push_back(std::move(message));
  Bytes body;
  for (size_t rest = messages_.size() - 1, i = 0; i < sizeof rest; ++i, rest >>= 8) {
    body.push_back(static_cast<uint8_t>(rest));
  }
  return body;
}

Status PlayedReports::read(ByteView payload, engine::ReportMessage& into) {
  size_t index = 0;
  for (size_t i = sizeof index; i > 0; --i) index = index << 8 | payload[i - 1];
  into = messages_.at(index);
  return {};
}

Device Site::known(const std::string& id) const {
  const auto found = state().fleet.devices.find(devices_.at(id).id);
  if (found != state().fleet.devices.end()) return found->second;
  Device unknown;
  unknown.id = devices_.at(id).id;
  return unknown;
}

Bytes Site::seal(const Device& device, std::string_view kind, Bytes body) const {
  constexpr uint8_t kEnd = 0;
  const Digest16 mac =
      hmac_sha256_16(engine::order_key(state(), device).bytes,
                     {as_bytes(kind), {&kEnd, 1}, as_bytes(device.id.str()), {&kEnd, 1}, body});
  body.push_back(0x7a);
  body.push_back(16);
  body.insert(body.end(), mac.begin(), mac.end());
  return body;
}

engine::FromDevice Site::sealed(const std::string& id, engine::DeviceMessage message) const {
  const Device device = known(id);
  Bytes payload = seal(device, kind_of(message), {0x08, 0x01});
  return {device.id, device.shard, std::move(message), std::move(payload)};
}

engine::ReportReceived Site::sealed(const std::string& id, engine::ReportMessage message) const {
  const Device device = known(id);
  return {device.id, device.shard, seal(device, "report", reports_->add(std::move(message)))};
}

std::vector<engine::Effect> Site::send(const std::string& id, engine::DeviceMessage message) {
  return handle(sealed(id, std::move(message)));
}

void Site::hello(const std::string& id) { send(id, hello_of(id)); }

void Site::leave(const std::string& id) {
  const Played& d = devices_.at(id);
  send(id, engine::ByeMessage{d.boot_id, d.connection});
}

void Site::reboot(const std::string& id) {
  Played& d = devices_.at(id);
  d.boot_id += 0x10;
  d.nonce = d.boot_id + 1;
  d.connection = 1;
  d.status_number = 0;
  d.window = 0;
  d.inferences = 0;
}

void Site::status(const std::string& id) {
  ++devices_.at(id).status_number;
  send(id, status_of(id));
}

const engine::GoalMessage* Site::goal(const std::string& id) const {
  const auto found = goals_.find(DeviceId(id));
  return found == goals_.end() ? nullptr : &found->second;
}

void Site::say(const std::string& id, const std::string& phase, const std::string& reason) {
  Played& d = devices_.at(id);
  if (const engine::GoalMessage* newest = goal(id)) {
    d.goal_counter = newest->counter;
    d.site_epoch = newest->site_epoch;
    for (const engine::ModelGoal& model : newest->models) {
      if (model.model != kModel || !model.candidate) continue;
      d.model.candidate = model.candidate;
      d.model.attempt = model.attempt;
    }
  }
  d.model.phase = phase;
  d.model.reason = reason;
  if (phase == "PROBATION" || phase == "PROBATION_OK") d.model.active = d.model.candidate;
  if (phase == "CONFIRMED") {
    d.model.fallback = d.model.confirmed;
    d.model.confirmed = d.model.candidate;
    d.model.active = d.model.candidate;
    d.model.fallback_reason = "";
    ++d.model.journal_generation;
  }
  if (phase == "REVERTED" || phase == "FAILED") d.model.active = d.model.confirmed;
  status(id);
}

void Site::obey(const std::string& id) {
  for (const char* phase :
       {"DOWNLOADING", "VERIFYING", "STAGED", "PROBATION", "PROBATION_OK", "CONFIRMED"}) {
    say(id, phase);
  }
}

void Site::obey_all() {
  for (auto& [id, played] : devices_) {
    if (!engine::is_online(state(), played.id)) continue;
    const Deployment* open = engine::deployment_in_progress(state(), played.id, kModel);
    if (open != nullptr && in_flight(open->state)) obey(id);
  }
}

void Site::run(const std::string& id, const Version& version) {
  Played& d = devices_.at(id);
  d.model.confirmed = manifest(version);
  d.model.active = d.model.confirmed;
  hello(id);
}

void Site::fall_back(const std::string& id, const Version& version, const std::string& reason) {
  Played& d = devices_.at(id);
  reboot(id);
  d.model.confirmed = manifest(version);
  d.model.active = d.model.confirmed;
  d.model.candidate.reset();
  d.model.phase = "IDLE";
  d.model.fallback_reason = reason;
  hello(id);
}

void Site::fetch(const std::string& id, const Digest& manifest, uint32_t first, uint32_t bitmap,
                 uint32_t attempt) {
  send(id, engine::FetchMessage{manifest, first, bitmap, attempt});
}

engine::ReportMessage Site::window(const std::string& id, uint32_t n, int rms_bin,
                                   uint32_t samples) {
  Played& d = devices_.at(id);
  engine::ReportMessage message;
  message.boot_id = d.boot_id;
  message.manifest = engine::prefix_of(d.model.active.value_or(Digest{}));
  message.sequence = ++d.window;
  message.t1_ms = static_cast<uint64_t>(now_.mono.count());
  message.t0_ms = message.t1_ms - 1000;
  for (uint32_t i = 0; i < samples; ++i) {
    message.samples.push_back({.inference = d.inferences + i + 1,
                               .predicted = 0,
                               .confidence = 230,
                               .probability = 65'536,
                               .uptime_ms = message.t1_ms});
  }
  d.inferences += n;
  message.inferences_total = d.inferences;
  message.counts.inferences = n;
  message.counts.classes = {n / 2, n - n / 2};
  message.counts.confidence.assign(16, 0);
  message.counts.confidence[14] = n;
  message.counts.features = {feature(n, rms_bin), feature(n, -1)};
  return message;
}

std::vector<engine::Effect> Site::report(const std::string& id, engine::ReportMessage message) {
  return handle(sealed(id, std::move(message)));
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
      state().rollouts.newest_deployment.at({DeviceId(id), kModel}));
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
