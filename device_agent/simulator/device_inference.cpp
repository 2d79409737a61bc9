// SPDX-License-Identifier: Apache-2.0
// A device's work: sensor, preprocessing, inference, counting; and what can be asked about it.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/digest.hpp"
#include "device_agent/simulator/clock.hpp"
#include "device_agent/simulator/device.hpp"

namespace covey::simulator {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

uint64_t prefix_of(const uint8_t* digest) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < COVEY_PREFIX_BYTES; i++) prefix = prefix << 8 | digest[i];
  return prefix;
}

std::string hex_of(const uint8_t* digest) {
  return digest == nullptr ? std::string()
                           : to_hex(std::span<const uint8_t>(digest, COVEY_DIGEST_BYTES));
}

}  // namespace

void Device::inference_changed() {
  if (paused_ || environment_.inference_paused || !powered_) {
    infer_at_ = TimePoint::max();
  } else if (infer_at_ == TimePoint::max()) {
    const Options& options = environment_.options;
    const double interval_ms = scaled(options.inference_interval, options.speed_up, 1);
    infer_at_ = Clock::now() + milliseconds(static_cast<int64_t>(interval_ms * random_.uniform()));
  }
  schedule();
}

void Device::infer() {
  const Options& options = environment_.options;
  infer_at_ += milliseconds(scaled(options.inference_interval, options.speed_up, 1));
  if (infer_at_ < Clock::now()) infer_at_ = Clock::now();  // never a burst to catch up

  covey_model_view_t view{};
  if (covey_agent_model(&agent_, 0, &view) != COVEY_OK || view.model == nullptr) return;
  const std::span<const uint8_t> parameters(view.preprocessing, view.preprocessing_size);
  Reading reading;
  const bool usable = sensor_.read(
      view.preprocessing == nullptr ? std::span<const uint8_t>() : parameters, &reading);
  // Models of other kinds (benchmarks) get the features again and again.
  thread_local std::vector<int8_t> input;
  thread_local std::vector<int8_t> output;
  input.resize(view.format.input.size_bytes);
  output.resize(view.format.output.size_bytes);
  for (size_t i = 0; i < input.size(); i++) {
    input[i] = reading.features[i % COVEY_BEARING_FEATURES];
  }
  const uint64_t manifest = prefix_of(view.manifest);
  const uint32_t slot =
      view.model < hardware_->flash.bytes + hardware_->model.slots[1].offset ? 0 : 1;
  const TimePoint start = Clock::now();
  const int result = usable ? covey_agent_invoke(&agent_, 0, input.data(), input.size(),
                                                 output.data(), output.size())
                            : COVEY_ERROR_ARGUMENT;
  const auto invoke_us = duration_cast<std::chrono::microseconds>(Clock::now() - start).count();

  int16_t features[COVEY_BEARING_FEATURES];
  std::copy(std::begin(reading.features), std::end(reading.features), features);
  covey_inference_t inference{};
  inference.features = features;
  inference.feature_count = COVEY_BEARING_FEATURES;
  inference.latency_us = static_cast<uint32_t>(invoke_us + reading.preprocessing_us);
  inference.uptime_ms = uptime_ms();
  inference.failed = result != COVEY_OK;
  if (!inference.failed) {
    covey_classify(output.data(), std::min<size_t>(output.size(), COVEY_CLASSES_MAX), &inference);
  }
  const uint32_t number = covey_agent_record_inference(&agent_, 0, &inference);
  if (inference.failed) environment_.counters.inferences_failed++;
  if (number != 0) {
    Inference record;
    record.wall_ms = wall_ms();
    record.device = spec_.id;
    record.boot = covey_agent_boot_id(&agent_);
    record.number = number;
    record.manifest = manifest;
    record.slot = slot;
    record.machine_type = sensor_.machine_type();
    record.true_class = reading.true_class;
    record.predicted = inference.class_index;
    record.confidence = inference.confidence;
    const Status written = environment_.truth.add(record);
    if (!written) environment_.fail(written.error());
  }
  poll_at_ = Clock::now();  // probation counts inferences
}

void Device::flush() {
  if (!powered_) return;
  covey_agent_flush(&agent_, uptime_ms());
  after_agent();
}

bool Device::settled() const {
  return powered_ && covey_agent_quiet(&agent_) && unacknowledged() == 0;
}

uint64_t Device::unacknowledged() const {
  return powered_ ? covey_agent_unacknowledged(&agent_, 0) : 0;
}

uint64_t Device::at_risk() const {
  uint64_t inferences = unacknowledged();
  for (const covey_window_t& window : hardware_->telemetry.windows) {
    if (window.merged != 0 && window.kept) inferences -= window.tally.inferences;
  }
  return inferences;
}

bool Device::has_model() const {
  covey_model_view_t view{};
  return powered_ && covey_agent_model(&agent_, 0, &view) == COVEY_OK && view.model != nullptr;
}

covey_phase_t Device::phase() const {
  covey_model_status_t status{};
  if (!powered_ || covey_agent_model_status(&agent_, 0, &status) != COVEY_OK) {
    return COVEY_PHASE_IDLE;
  }
  return status.phase;
}

nlohmann::json Device::slots() const {
  nlohmann::json json{{"device", spec_.id},
                      {"powered", powered_},
                      {"online", online()},
                      {"offline", offline_},
                      {"enrolled", enrolled()}};
  covey_model_status_t status{};
  if (!powered_ || covey_agent_model_status(&agent_, 0, &status) != COVEY_OK) return json;
  const char* reason = status.reason == 0 ? "" : covey_error_name(status.reason);
  json["boot"] = fmt::format("{:016x}", covey_agent_boot_id(&agent_));
  json["confirmed"] = hex_of(status.confirmed);
  json["active"] = hex_of(status.active);
  json["candidate"] = hex_of(status.candidate);
  json["fallback"] = hex_of(status.fallback);
  json["phase"] = static_cast<int>(status.phase);
  json["reason"] = reason != nullptr ? std::string(reason) : std::to_string(status.reason);
  json["attempt"] = status.attempt;
  json["chunks_have"] = status.chunks_have;
  json["chunks_total"] = status.chunks_total;
  json["security_floor"] = status.security_floor;
  json["journal_generation"] = covey_agent_journal_generation(&agent_);
  json["root_version"] = covey_agent_root_version(&agent_);
  json["goal_counter"] = covey_agent_goal_counter(&agent_);
  json["site_epoch"] = covey_agent_site_epoch(&agent_);
  json["unacknowledged"] = unacknowledged();
  return json;
}

}  // namespace covey::simulator
