// SPDX-License-Identifier: Apache-2.0
// The devices of a Site: what they say, sealed, and that they do what they are told.
#include <array>

#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey::test {
namespace {

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
    played.model.model = kSiteModel;
    played.model.phase = "IDLE";
  }
  played.enroll_nonce = nonce;
  handle(engine::EnrollReceived{played.id, {played.id, nonce, played.facts, {kSiteModel}}});
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
      if (model.model != kSiteModel || !model.candidate) continue;
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
    const Deployment* open = engine::deployment_in_progress(state(), played.id, kSiteModel);
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

}  // namespace covey::test
