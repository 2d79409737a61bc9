// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.hpp"

#include <algorithm>
#include <cstdio>

#include "core/assert.hpp"
#include "deploy/artifact/artifact.hpp"
#include "gateway/codec/device_codec.hpp"

namespace covey::sim {
namespace {

constexpr Millis kSafetyPhase = 20min;
constexpr Millis kLivenessPhase = 3h;
constexpr Millis kStep = 1s;
constexpr Millis kLiesFrom = 30s;
constexpr int kBusiestPercent = 70;  // that a slow gateway is with reports alone

PrivateKey make_key(SignatureAlgorithm algorithm) {
  Result<PrivateKey> key = PrivateKey::generate(algorithm);
  COVEY_ASSERT(key.ok());
  return *std::move(key);
}

engine::EngineConfig config(const WorldOptions& options) {
  engine::EngineConfig config;
  config.report_interval = kReportInterval;
  config.offline_after = 40s;
  config.hello_jitter = 500ms;
  config.ack_interval = 500ms;  // devices repeat after a second what was not answered
  config.window = 60s;
  config.bandwidth_bytes_per_s = 200'000;
  config.rollback_window = 2min;
  const uint64_t more = options.no_budgets ? 1'000'000 : 1;
  config.allowances = engine::allowances_of(more * kReportsPerInterval,
                                            more * kReportBytesPerInterval, kReportInterval);
  return config;
}

GatewayPart gateway_part(const ReleaseId& release) {
  GatewayPart part;
  part.model = release.model;
  part.version = release.version;
  part.classes = {"low", "high"};
  for (const char* name : {"a", "b"}) {
    part.features.push_back({.name = name,
                             .edges = {50, 100, 150},
                             .counts = {250, 250, 250, 250},
                             .min = 0,
                             .max = 199});
  }
  part.class_counts = {500, 500};
  part.confidence_counts.assign(16, 0);
  part.confidence_counts[14] = 1000;
  part.calibration.assign(16, {});
  part.calibration[14] = {1000, 950};
  part.confusion = {{480, 20}, {30, 470}};
  return part;
}

}  // namespace

World::World(WorldOptions options)
    : options_(options),
      random_(options.seed),
      network_(schedule_, random_),
      author_(make_key(SignatureAlgorithm::kEs256)),
      thief_(make_key(SignatureAlgorithm::kEd25519)) {
  const uint64_t count = 3 + random_.below(8);
  gateway_ = std::make_unique<Gateway>(schedule_, random_, network_, config(options),
                                       count * (1 + random_.below(8)));
  gateway_->faults.speak_before_persist = options.speak_before_persist;
  gateway_->on_effect = [this](const engine::Effect& effect) { check_effect(effect); };
  labels_ = std::make_unique<Labels>(schedule_, random_, *gateway_);
  if (random_.chance(options.liars)) {
    liar_ = std::make_unique<Liar>(schedule_, random_, network_, DeviceId("liar"));
  }
  // A third of the worlds is slow: up to what their devices say at least, a report in ten seconds.
  // Not those of a liar: what one device may take of a busy engine is the link's to bound.
  if (random_.chance(0.35) && !liar_) {
    service_max_ = random_.between(1ms, 2 * kReportInterval * kBusiestPercent / 100 / count);
    chunk_max_ = service_max_ / (1 + random_.below(8));
    gateway_->faults.chunk_max = chunk_max_;
  }
  for (uint64_t i = 0; i < count; ++i) {
    devices_.push_back(
        std::make_unique<Device>(schedule_, random_, network_,
                                 DeviceSetup{.id = DeviceId("dev-" + std::to_string(i)),
                                             .device_class = random_.chance(0.15) ? "other" : "sim",
                                             .slot_bytes = random_.chance(0.1) ? 8'192U : 16'384U,
                                             .trusted = {author_.public_key()},
                                             .inference_interval = random_.between(300ms, 3s)}));
    devices_.back()->on_inference = [this, id = devices_.back()->id()](
                                        uint64_t boot, uint32_t inference, const Digest& manifest,
                                        uint32_t predicted) {
      labels_->inferred(id, boot, inference, manifest, predicted);
    };
  }
}

void World::fail(const std::string& what) {
  if (result_.violation) return;
  result_.violation = what;
  if (options_.verbose) {
    std::fprintf(stderr, "t=%lld ms: VIOLATION %s\n",
                 static_cast<long long>(schedule_.now().count()), what.c_str());
  }
}

void World::push(const ReleaseId& release, Behaviour behaviour, const PrivateKey& key,
                 uint32_t security_version, const std::string& device_class) {
  ArtifactInput input;
  input.device_classes = {DeviceClass(device_class)};
  input.runtime = Runtime::kNative;
  input.arena_bytes = kArenaBytes;
  input.input_bytes = 2;
  input.output_bytes = 2;
  input.chunk_size_bytes = 256;
  input.security_version = security_version;
  input.model = make_model(behaviour, release.version.minor, 1000 + random_.below(4000));
  const auto vector = [](int8_t a, int8_t b, int8_t low, int8_t high) {
    return SelftestVector{{static_cast<uint8_t>(a), static_cast<uint8_t>(b)},
                          {static_cast<uint8_t>(low), static_cast<uint8_t>(high)}};
  };
  input.selftest.vectors = {vector(10, 5, -100, 100), vector(5, 10, 100, -100)};
  input.gateway_part = gateway_part(release);
  input.tables = tables_of(input.gateway_part, std::vector<uint32_t>(16, 16'384));
  Result<UnsignedArtifact> built = build_artifact(input);
  COVEY_ASSERT(built.ok());
  SignedManifest signed_manifest{built->manifest_bytes, {sign(key, built->manifest_digest)}};
  TrustStore trust;
  COVEY_ASSERT(trust.add(key.public_key()).ok());
  Result<Artifact> artifact = open_artifact({.signed_manifest = *encode(signed_manifest),
                                             .image = built->image,
                                             .tables = built->tables,
                                             .gateway_part = built->gateway_part},
                                            trust);
  COVEY_ASSERT(artifact.ok());
  if (&key == &thief_) evil_.insert(artifact->digest);
  if (liar_) liar_->knows(artifact->digest);
  gateway_->submit(
      engine::CreateRelease{release, {std::make_shared<const Artifact>(*std::move(artifact))}});
  releases_.push_back(release);
}

void World::push_releases() {
  gateway_->submit(engine::AddTrustedKey{author_.public_key().to_pem(), "author"});
  gateway_->submit(engine::AddTrustedKey{thief_.public_key().to_pem(), "stolen"});
  const ModelName model("sim-model");
  push({model, {1, 0, 0}}, Behaviour::kGood, author_, 1, "sim");
  push({model, {1, 1, 0}}, Behaviour::kGood, author_, 1, "sim");
  push({model, {1, 2, 0}}, Behaviour::kWrongOutput, author_, 1, "sim");
  push({model, {1, 3, 0}}, Behaviour::kGood, author_, 2, "sim");  // raises the floor
  push({model, {6, 6, 6}}, Behaviour::kGood, thief_, 1, "sim");
  push({model, {1, 4, 0}}, Behaviour::kLoadFails, author_, 1, "sim");
}

void World::start_some_rollout() {
  PlanDocument plan;
  plan.name = "r" + std::to_string(++rollout_number_);
  // Mostly good ones: 1.0.0, 1.1.0 and 1.3.0.
  const std::vector<size_t> good{0, 1, 3};
  plan.release = to_string(releases_[random_.chance(0.7) ? good[random_.below(good.size())]
                                                         : random_.below(releases_.size())]);
  plan.on_fail = random_.chance(0.8) ? "ROLLBACK" : "PAUSE";
  plan.holdback = random_.chance(0.3) ? "10%" : "";
  plan.attempt = {.deadline = "90s", .retries = 1, .backoff = "5s"};
  plan.offline.skip_after = "60s";
  plan.stages.push_back({.name = "canary",
                         .size = random_.chance(0.5) ? "30%" : "1",
                         .soak = "10s",
                         .timeout = "60s"});
  if (random_.chance(0.6)) {
    plan.stages.push_back({.name = "half", .size = "60%", .soak = "5s", .max_in_flight = 2});
  }
  plan.stages.push_back({.name = "fleet",
                         .size = "100%",
                         .soak = "5s",
                         .approval = random_.chance(0.2) ? "required" : ""});
  GateDocument gate;
  gate.failures = GateDocument::Failures{.max = "30%", .of = "attempted", .min_sample = 1};
  plan.gates = {gate};
  if (random_.chance(0.4)) {
    GateDocument silence;
    silence.silence = GateDocument::Silence{"60%"};
    plan.gates.push_back(silence);
  }
  gateway_->submit(engine::CreateRollout{plan, "request-" + plan.name},
                   [this](const Result<engine::CommandReply>& reply) {
                     if (reply && !reply->already_existed) ++result_.rollouts;
                   });
}

void World::operate() {
  if (calm_ || !gateway_->running()) return;
  labels_->say_some();
  gateway_->submit(engine::AcceptDevices{.devices = {.ids = {}, .filter = "", .all = true}});
  std::vector<RolloutName> open;
  for (const auto& [name, rollout] : gateway_->engine().state().rollouts.by_name) {
    if (!has_ended(rollout.progress.state)) open.push_back(name);
  }
  const auto& all = gateway_->engine().state().rollouts.by_name;
  if (!all.empty() && random_.chance(0.03)) {
    // Perhaps one that has ended: within its window it goes back.
    const auto any = std::next(all.begin(), static_cast<std::ptrdiff_t>(random_.below(all.size())));
    return gateway_->submit(engine::RollBackRollout{any->first, "back"});
  }
  if (open.empty() || random_.chance(0.1)) return start_some_rollout();
  const RolloutName& name = open[random_.below(open.size())];
  switch (random_.below(30)) {
    case 0:
      return gateway_->submit(engine::PauseRollout{name, "looking"});
    case 1:
    case 2:
    case 3:
      return gateway_->submit(engine::ResumeRollout{name});
    case 4:
    case 5:
    case 6:
      return gateway_->submit(engine::ApproveRollout{name});
    case 7:
      return gateway_->submit(engine::AbortRollout{name, random_.chance(0.5), "enough"});
    case 8:
      return gateway_->submit(engine::RollBackRollout{name, "back"});
    default:
      return;
  }
}

// A goal that nobody authenticated must have no effect.
void World::forge_goal() {
  if (evil_.empty() || !gateway_->running()) return;
  const auto& state = gateway_->engine().state();
  Device& target = *devices_[random_.below(devices_.size())];
  const auto known = state.fleet.devices.find(target.id());
  if (known == state.fleet.devices.end()) return;
  engine::GoalMessage goal{.site_epoch = 1,
                           .counter = known->second.goal_counter + 1000,
                           .device = target.id(),
                           .nonce = known->second.nonce,
                           .models = {{.model = ModelName("sim-model"),
                                       .candidate = *evil_.begin(),
                                       .may_confirm = true,
                                       .attempt = 9999}},
                           .lease_s = 600};
  Digest wrong_key;
  const Result<Bytes> payload = codec::encode(goal, wrong_key);
  if (!payload) return;
  (void)network_.connect(
      "mallory", {.message = [](const std::string&, const Bytes&) {}, .disconnected = [] {}});
  network_.publish(
      "mallory",
      "covey/v1/" + shard_text(known->second.shard) + "/" + target.id().str() + "/down/goal",
      *payload, false);
}

void World::disturb() {
  if (calm_) return;
  Device& device = *devices_[random_.below(devices_.size())];
  switch (random_.below(16)) {
    case 0:
    case 1:
    case 2:
      device.cut_at_flash_operation(random_.below(12));
      break;
    case 3:
      device.power_off();
      schedule_.after(random_.between(100ms, 60s), [&device] { device.power_on(); });
      break;
    case 4:
    case 5:
      device.disconnect(random_.between(1s, 90s));
      break;
    case 6:
      gateway_->crash(random_.between(100ms, 20s));
      break;
    case 7:
      if (random_.chance(0.3)) {
        network_.kill_broker(random_.between(100ms, 10s), [this] { gateway_->broker_back(); });
      }
      break;
    case 8:
      forge_goal();
      break;
    case 9:
      device.reset(random_.between(100ms, 60s));
      break;
    case 10: {  // just when what waited goes out
      const Millis outage = random_.between(30s, 90s);
      device.disconnect(outage);
      schedule_.after(outage + random_.between(0ms, 4s),
                      [&device, this] { device.reset(random_.between(100ms, 5s)); });
      break;
    }
    case 11: {  // so slow that what is said is more than it can hear
      gateway_->faults.service_max = random_.between(1s, 10s);
      schedule_.after(random_.between(10s, 120s),
                      [this] { gateway_->faults.service_max = service_max_; });
      break;
    }
    default:
      break;
  }
}

void World::calm() {
  calm_ = true;
  network_.faults = {.loss = 0, .duplicate = 0, .delay_max = 20ms};
  gateway_->faults.crash_between = 0;
  gateway_->faults.service_max = service_max_;
  if (liar_) liar_->slow_down();
}

bool World::parked(const DeviceId& device) const {
  const engine::State& state = gateway_->engine().state();
  const auto newest = state.rollouts.newest_deployment.find({device, ModelName("sim-model")});
  if (newest == state.rollouts.newest_deployment.end()) return false;
  const Deployment& deployment = state.rollouts.deployments.at(newest->second);
  return deployment.state == DeploymentState::kQueued && deployment.rollout &&
         state.rollouts.by_name.at(*deployment.rollout).progress.state != RolloutState::kRunning &&
         state.rollouts.by_name.at(*deployment.rollout).progress.state !=
             RolloutState::kRollingBack;
}

bool World::settled() {
  if (!gateway_->running() || !gateway_->idle() || !labels_->answered()) return false;
  const engine::State& state = gateway_->engine().state();
  for (const auto& [name, rollout] : state.rollouts.by_name) {
    if (rollout.progress.state == RolloutState::kRunning ||
        rollout.progress.state == RolloutState::kRollingBack) {
      return false;
    }
  }
  for (const uint64_t number : state.rollouts.in_progress) {
    const DeviceId& device = state.rollouts.deployments.at(number).device;
    if (!parked(device) && !lies(device)) return false;
  }
  for (const auto& device : devices_) {
    const auto known = state.fleet.devices.find(device->id());
    if (known == state.fleet.devices.end()) return false;
    if (known->second.state != DeviceState::kAccepted) continue;
    if (!device->quiet()) return false;
    if (parked(device->id())) continue;
    for (const auto& [name, model] : known->second.models) {
      if (!model.desired || evil_.contains(*model.desired)) continue;
      if (model.reported.confirmed != model.desired) return false;
    }
  }
  return true;
}

WorldResult World::run() {
  network_.faults = {.loss = 0.02 * static_cast<double>(random_.below(6)),
                     .duplicate = 0.02 * static_cast<double>(random_.below(3)),
                     .delay_max = random_.between(5ms, 400ms)};
  gateway_->faults.service_max = service_max_;
  gateway_->faults.commit_max = random_.between(1ms, 300ms);
  gateway_->faults.crash_between = random_.chance(0.5) ? 0.001 : 0;
  gateway_->start();
  push_releases();
  for (const auto& device : devices_) {
    schedule_.after(random_.between(0ms, 5s), [&d = *device] { d.power_on(); });
  }
  if (liar_) schedule_.after(random_.between(0ms, kLiesFrom), [this] { liar_->begin(); });
  const Millis disturbance = random_.between(2s, 120s);
  Millis next_disturbance = 20s;
  Millis next_operation = 10s;
  for (Millis t = kStep; t <= kSafetyPhase && !result_.violation; t += kStep) {
    schedule_.run(t);
    if (t >= next_operation) {
      operate();
      next_operation = t + random_.between(2s, 20s);
    }
    labels_->repeat();
    if (t >= next_disturbance) {
      disturb();
      next_disturbance = t + random_.between(500ms, disturbance);
    }
    check();
  }
  calm();
  // What an operator left open must not keep devices between two releases for ever.
  for (Millis t = kSafetyPhase; t <= kSafetyPhase + kLivenessPhase && !result_.violation;
       t += kStep) {
    schedule_.run(t);
    labels_->repeat();
    check();
    if (t == kSafetyPhase + 5min) {
      for (const auto& device : devices_) device->set_inferring(false);
    }
    // Out of step with what the engine does every ten seconds: looks must find it idle.
    if (t > kSafetyPhase + 6min && t.count() % 7'000 == 0) {
      for (const auto& device : devices_) device->flush();
      if (settled()) break;
    }
  }
  if (!result_.violation) check_end();
  for (const auto& device : devices_) {
    result_.power_cuts += device->truth().power_cuts;
    result_.resets += device->truth().resets;
    result_.chunks_needed += device->chunks_fetched();
  }
  result_.gateway_crashes = gateway_->crashes;
  result_.messages = network_.published;
  result_.liar = liar_ != nullptr;
  result_.refused = gateway_->refused();
  result_.labels = labels_->labelled();
  result_.service_max = service_max_;
  result_.ended = schedule_.now();
  if (gateway_->running()) {
    for (const auto& [name, rollout] : gateway_->engine().state().rollouts.by_name) {
      if (rollout.progress.state == RolloutState::kSucceeded) ++result_.rollouts_succeeded;
      if (rollout.progress.state == RolloutState::kRolledBack) ++result_.rollouts_rolled_back;
    }
    for (const auto& [key, total] : gateway_->engine().state().telemetry.totals) {
      if (!lies(total.device)) result_.inferences += total.inferences;
    }
  }
  return result_;
}

}  // namespace covey::sim
