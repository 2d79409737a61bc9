// SPDX-License-Identifier: Apache-2.0
// Whatever is in the outbox when the agent starts: only what is whole is sent, and as it is; then
// the agent counts on, and what it counts arrives. The input is a list of {what u8, size u16,
// bytes}, one for each place.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/assert.hpp"
#include "device_agent/src/wire/wire.h"
#include "tests/fuzz/same_random.hpp"
#include "tests/unit/agent/bench.hpp"

namespace {

using covey::agent_test::Bench;
using covey::agent_test::Bytes;
using covey::agent_test::Message;
using covey::agent_test::Release;

constexpr uint32_t kPlaces = 2;
constexpr size_t kCrcBytes = 4;
constexpr uint64_t kInferences = 50;
constexpr uint64_t kHourMs = 3'600'000;
constexpr int kHoursMax = 48;

// By the boot that runs.
uint64_t counted(const Bench& bench) {
  uint64_t sum = 0;
  for (const auto& [key, stream] : bench.gateway.streams) {
    if (key.first == bench.gateway.hello->boot_id()) sum += stream.inferences;
  }
  return sum;
}

void append_crc(covey_host_store_t& place) {
  const uint32_t crc = covey_bytes_crc32(place.bytes, place.size);
  std::memcpy(place.bytes + place.size, &crc, kCrcBytes);
  place.size += kCrcBytes;
}

bool is_whole(const covey_host_store_t& place) {
  if (place.size <= kCrcBytes) return false;
  const uint32_t crc = covey_bytes_crc32(place.bytes, place.size - kCrcBytes);
  return std::memcmp(place.bytes + place.size - kCrcBytes, &crc, kCrcBytes) == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Release release = covey::agent_test::make_release({.model_bytes = 1000});
  covey::agent_test::DeviceOptions options;
  options.geometry.size_bytes = 32U << 10U;
  options.slot_bytes = 8U << 10U;
  options.outbox_places = kPlaces;
  Bench bench(options);
  uint8_t random = 1;
  bench.device.port.crypto.random = covey::fuzz::same_random;
  bench.device.port.crypto.ctx = &random;
  bench.bring_up();
  COVEY_ASSERT(bench.deploy(release));
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.run(10'000);

  std::vector<Bytes> records;  // that are whole
  for (covey_host_store_t& place : bench.device.places) {
    if (size < 3) break;
    const size_t told = bytes[1] | static_cast<size_t>(bytes[2]) << 8U;
    const size_t length = std::min({size - 3, told, sizeof place.bytes - kCrcBytes});
    std::memcpy(place.bytes, bytes + 3, length);
    place.size = length;
    if ((bytes[0] & 1U) != 0) append_crc(place);
    if (is_whole(place)) {
      records.emplace_back(reinterpret_cast<const char*>(place.bytes), place.size - kCrcBytes);
    }
    bytes += 3 + length;
    size -= 3 + length;
  }
  bool forged = false;  // a record of the boot that runs: no storage of before holds its random id
  bench.passes = [&](const Message& message) {
    if (!message.topic.ends_with("/up/report")) return true;
    const Bytes report = message.payload.substr(0, message.payload.size() - COVEY_MAC_FIELD_BYTES);
    covey::agent_test::wire::Report read;
    const bool readable = read.ParseFromString(report);
    const bool own = readable && read.boot_id() == bench.gateway.hello->boot_id();
    const bool kept = std::find(records.begin(), records.end(), report) != records.end();
    COVEY_ASSERT(own || kept);
    forged = forged || (own && kept);
    return readable;  // of others the gateway says nothing
  };
  COVEY_ASSERT(bench.reboot());
  bench.run(10'000);
  for (uint64_t i = 0; i < kInferences; ++i) COVEY_ASSERT(bench.device.infer());
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  for (int hours = 0; hours < kHoursMax && counted(bench) != kInferences; ++hours) {
    bench.run(kHourMs);
  }
  COVEY_ASSERT(forged || counted(bench) == kInferences);
  COVEY_ASSERT(bench.device.counters().bugs == 0);
  return 0;
}
