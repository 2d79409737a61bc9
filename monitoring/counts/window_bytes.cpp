// SPDX-License-Identifier: Apache-2.0
// The stored form of a window: version, then LEB128 varints; vectors carry their length. Version 2
// appends what version 1 did not know, and is only written where there is some of it: one window
// has one encoding, so that aggregates can be compared as bytes.
#include <string>

#include "monitoring/counts/window.hpp"

namespace covey::monitoring {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kVersionLater = 2;

bool has_later(const WindowCounts& w) {
  return !w.joint.empty() || !w.energy.empty() || w.energy_sum_uj != 0 ||
         w.health.watchdog_resets != 0 || w.health.heap_free_min_bytes != 0 ||
         w.health.arena_used_max_bytes != 0 || w.health.stack_used_max_bytes != 0;
}

void put(Bytes& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<uint8_t>(value));
}
void put(Bytes& out, CountsView counts) {
  put(out, uint64_t{counts.size()});
  for (const uint64_t count : counts) put(out, count);
}
uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ (value < 0 ? ~uint64_t{0} : 0);
}
int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>((value >> 1) ^ ((value & 1) != 0 ? ~uint64_t{0} : 0));
}

// Reads until the first mistake, then only remembers it.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}

  uint64_t number(const char* field, uint64_t max = ~uint64_t{0}) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return fail(field, "ends early");
      const uint8_t byte = bytes_[at_++];
      if (shift == 63 && byte > 1) return fail(field, "exceeds 64 bits");
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift != 0) return fail(field, "is not minimal");
        return value > max ? fail(field, "is too large") : value;
      }
    }
    return fail(field, "exceeds 64 bits");
  }
  int32_t signed32(const char* field) {
    const int64_t value = unzigzag(number(field));
    if (value != static_cast<int32_t>(value)) fail(field, "exceeds 32 bits");
    return static_cast<int32_t>(value);
  }
  int64_t signed64(const char* field) { return unzigzag(number(field)); }
  Counts counts(const char* field, size_t max) {
    Counts values(static_cast<size_t>(number(field, max)));
    for (uint64_t& value : values) value = number(field);
    return values;
  }
  void end() {
    if (at_ != bytes_.size()) fail("the end", "has more bytes");
  }
  void refuse(const char* field, const char* what) { fail(field, what); }
  bool ok() const { return error_.empty(); }
  Error error() const {
    return {Code::kDataLoss, "BAD_WINDOW_BYTES", "stored window counts: " + error_};
  }

 private:
  uint64_t fail(const char* field, const char* what) {
    if (ok()) error_ = std::string(field) + " " + what;
    at_ = bytes_.size();
    return 0;
  }

  ByteView bytes_;
  size_t at_ = 0;
  std::string error_;
};

FeatureCounts read_feature(Reader& in) {
  FeatureCounts feature;
  feature.bins = in.counts("bins", kBinsMax);
  feature.missing = in.number("missing");
  feature.below = in.number("below");
  feature.above = in.number("above");
  feature.min = in.signed32("min");
  feature.max = in.signed32("max");
  feature.sum = in.signed64("sum");
  feature.sum_squares = in.number("sum_squares");
  return feature;
}

}  // namespace

Bytes encode(const WindowCounts& window) {
  const bool later = has_later(window);
  Bytes out{later ? kVersionLater : kVersion};
  put(out, window.inferences);
  put(out, uint64_t{window.features.size()});
  for (const FeatureCounts& feature : window.features) {
    put(out, feature.bins);
    put(out, feature.missing);
    put(out, feature.below);
    put(out, feature.above);
    put(out, zigzag(feature.min));
    put(out, zigzag(feature.max));
    put(out, zigzag(feature.sum));
    put(out, feature.sum_squares);
  }
  put(out, window.classes);
  put(out, window.confidence);
  put(out, window.latency);
  put(out, uint64_t{window.latency_max_us});
  put(out, window.latency_sum_us);
  put(out, window.errors);
  put(out, window.health.rejects);
  put(out, window.health.drops);
  put(out, window.health.saturated);
  if (!later) return out;
  put(out, window.joint);
  put(out, window.energy);
  put(out, window.energy_sum_uj);
  put(out, window.health.watchdog_resets);
  put(out, window.health.heap_free_min_bytes);
  put(out, window.health.arena_used_max_bytes);
  put(out, window.health.stack_used_max_bytes);
  return out;
}

Result<WindowCounts> decode_window(ByteView bytes) {
  if (bytes.empty() || (bytes[0] != kVersion && bytes[0] != kVersionLater)) {
    return Error{Code::kDataLoss, "BAD_WINDOW_BYTES",
                 "stored window counts: the version byte is missing or unknown"};
  }
  Reader in(bytes.subspan(1));
  WindowCounts window;
  window.inferences = in.number("inferences");
  const uint64_t features = in.number("features", kFeaturesMax);
  for (uint64_t i = 0; i < features && in.ok(); ++i) window.features.push_back(read_feature(in));
  window.classes = in.counts("classes", kClassesMax);
  window.confidence = in.counts("confidence", kConfidenceBins);
  window.latency = in.counts("latency", kLatencyBucketsMax);
  window.latency_max_us = static_cast<uint32_t>(in.number("latency_max_us", 0xffff'ffff));
  window.latency_sum_us = in.number("latency_sum_us");
  window.errors = in.number("errors");
  window.health.rejects = in.number("rejects");
  window.health.drops = in.number("drops");
  window.health.saturated = in.number("saturated");
  if (bytes[0] == kVersionLater) {
    window.joint = in.counts("joint", kJointLeavesMax);
    window.energy = in.counts("energy", kEnergyBucketsMax);
    window.energy_sum_uj = in.number("energy_sum_uj");
    window.health.watchdog_resets = in.number("watchdog_resets");
    window.health.heap_free_min_bytes = in.number("heap_free_min_bytes");
    window.health.arena_used_max_bytes = in.number("arena_used_max_bytes");
    window.health.stack_used_max_bytes = in.number("stack_used_max_bytes");
    if (!has_later(window)) in.refuse("the version", "is of more than there is");
  }
  in.end();
  if (!in.ok()) return in.error();
  return window;
}

}  // namespace covey::monitoring
