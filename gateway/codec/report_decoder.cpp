// SPDX-License-Identifier: Apache-2.0
#include "gateway/codec/report_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "covey/device/v1/device.pb.h"
#include "covey/limits.h"
#include "gateway/codec/device_codec.hpp"

namespace covey::codec {
namespace {

namespace wire = covey::device::v1;

constexpr int kSamplesMax = COVEY_REPORT_SAMPLES_MAX;

Error bad_field(std::string_view name, std::string_view what) {
  return invalid("FIELD_INVALID", fmt::format("{}: {}", name, what));
}

// Before anything is copied.
Status within_limits(const wire::Report& r) {
  if (r.manifest().size() != sizeof(engine::Prefix)) {
    return bad_field("manifest", "a prefix has 8 bytes");
  }
  struct UptimeOf {
    std::string_view name;
    uint64_t ms;
  };
  for (const UptimeOf& uptime : {UptimeOf{"t0_ms", r.t0_ms()}, UptimeOf{"t1_ms", r.t1_ms()}}) {
    if (uptime.ms > kUptimeMaxMs) return bad_field(uptime.name, "at most 2^48 ms");
  }
  struct ListSize {
    std::string_view name;
    int found;
    size_t most;
    std::string_view of;
  };
  namespace counts = monitoring;
  for (const ListSize& list :
       {ListSize{"classes", r.classes_size(), counts::kClassesMax, ""},
        ListSize{"confidence", r.confidence_size(), counts::kConfidenceBins, " bins"},
        ListSize{"latency", r.latency_size(), counts::kLatencyBucketsMax, " buckets"},
        ListSize{"features", r.features_size(), counts::kFeaturesMax, ""},
        ListSize{"joint", r.joint_size(), counts::kJointLeavesMax, " leaves"},
        ListSize{"energy.buckets", r.energy().buckets_size(), counts::kEnergyBucketsMax, ""},
        ListSize{"samples", r.samples_size(), kSamplesMax, ""}}) {
    if (static_cast<size_t>(list.found) > list.most) {
      return bad_field(list.name, fmt::format("at most {}{}", list.most, list.of));
    }
  }
  for (const wire::FeatureWindow& window : r.features()) {
    if (static_cast<size_t>(window.bins_size()) > counts::kBinsMax) {
      return bad_field("features.bins", "at most 64");
    }
  }
  for (const wire::Sample& sample : r.samples()) {
    if (sample.uptime_ms() > kUptimeMaxMs) {
      return bad_field("samples.uptime_ms", "at most 2^48 ms");
    }
  }
  return {};
}

void copy(const google::protobuf::RepeatedField<uint32_t>& from, monitoring::Counts& to) {
  to.assign(from.begin(), from.end());
}

monitoring::Health health_of(const wire::Health& health) {
  return {.rejects = health.rejects(),
          .drops = health.drops(),
          .saturated = health.saturated(),
          .watchdog_resets = health.watchdog_resets(),
          .heap_free_min_bytes = health.heap_free_min_bytes(),
          .arena_used_max_bytes = health.arena_used_max_bytes(),
          .stack_used_max_bytes = health.stack_used_max_bytes()};
}

void copy(const wire::FeatureWindow& from, monitoring::FeatureCounts& to) {
  constexpr monitoring::FeatureCounts kNothing;
  copy(from.bins(), to.bins);
  to.missing = from.missing();
  to.below = from.below();
  to.above = from.above();
  to.sum = from.sum();
  to.sum_squares = from.sum_squares();
  const bool has_values = monitoring::total(to.bins) > 0;
  to.min = has_values ? from.min() : kNothing.min;
  to.max = has_values ? from.max() : kNothing.max;
}

void copy(const wire::Report& r, monitoring::WindowCounts& counts) {
  counts.inferences = r.inferences();
  copy(r.classes(), counts.classes);
  copy(r.confidence(), counts.confidence);
  copy(r.latency(), counts.latency);
  counts.latency_max_us = r.latency_max_us();
  counts.latency_sum_us = r.latency_sum_us();
  counts.errors = r.errors();
  copy(r.joint(), counts.joint);
  copy(r.energy().buckets(), counts.energy);
  counts.energy_sum_uj = r.energy().sum_uj();
  counts.health = health_of(r.health());
  counts.features.resize(static_cast<size_t>(r.features_size()));
  for (size_t i = 0; i < counts.features.size(); ++i) {
    copy(r.features(static_cast<int>(i)), counts.features[i]);
  }
}

void copy(const google::protobuf::RepeatedPtrField<wire::Sample>& from,
          std::vector<engine::SampleMessage>& to) {
  to.clear();
  for (const wire::Sample& sample : from) {
    to.push_back({.inference = sample.inference(),
                  .predicted = sample.class_(),
                  .confidence = sample.confidence(),
                  .probability = sample.probability(),
                  .uptime_ms = sample.uptime_ms()});
  }
}

// Only worth its time where a report is larger than any that an agent makes.
uint32_t unknown_bytes(wire::Report& report, size_t size) {
  constexpr size_t kLarge = 4'096;
  if (size <= kLarge) return 0;
  report.DiscardUnknownFields();
  const size_t known = report.ByteSizeLong();
  return static_cast<uint32_t>(size - std::min(size, known));
}

}  // namespace

struct ReportDecoder::Wire {
  wire::Report report;
};

ReportDecoder::ReportDecoder() : wire_(std::make_unique<Wire>()) {}
ReportDecoder::~ReportDecoder() = default;

Status ReportDecoder::read(ByteView payload, engine::ReportMessage& into) {
  if (payload.size() > kPayloadBytesMax) {
    return invalid("PAYLOAD_TOO_LARGE",
                   fmt::format("{} bytes, at most {}", payload.size(), kPayloadBytesMax));
  }
  wire::Report& r = wire_->report;
  if (!r.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return invalid("MALFORMED", "not a covey.device.v1.Report");
  }
  if (Status fits = within_limits(r); !fits) return fits;
  into.boot_id = r.boot_id();
  std::copy(r.manifest().begin(), r.manifest().end(), into.manifest.begin());
  into.sequence = r.sequence();
  into.base_sequence = r.base_sequence();
  into.t0_ms = r.t0_ms();
  into.t1_ms = r.t1_ms();
  into.merged = r.merged();
  into.inferences_total = r.inferences_total();
  into.samples_dropped = r.samples_dropped();
  copy(r, into.counts);
  copy(r.samples(), into.samples);
  into.unknown_bytes = unknown_bytes(r, payload.size());
  return {};
}

}  // namespace covey::codec
