// Whatever is in the outbox when the agent starts: only what is whole is sent, and as it is; then
// the agent counts on, and what it counts arrives. The input is a list of {what u8, size u16,
// bytes}, one for each place.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "tests/unit/agent/bench.hpp"
#include "wire.h"

namespace {

using covey::agent_test::Bench;
using covey::agent_test::Bytes;
using covey::agent_test::Message;
using covey::agent_test::Release;

constexpr uint32_t kPlaces = 2;
constexpr uint64_t kInferences = 50;
constexpr uint64_t kHourMs = 3'600'000;
constexpr int kHoursMax = 48;

void expect(bool truth) {
  if (!truth) std::abort();
}

int same_random(void* ctx, void* into, size_t size) {
  auto& next = *static_cast<std::minstd_rand*>(ctx);
  for (size_t i = 0; i < size; ++i) static_cast<uint8_t*>(into)[i] = static_cast<uint8_t>(next());
  return 0;
}

bool is_report(const Message& message) {
  constexpr std::string_view kEnd = "/up/report";
  return std::string_view(message.topic).substr(message.topic.size() - kEnd.size()) == kEnd;
}

// By the boot that runs.
uint64_t counted(const Bench& bench) {
  uint64_t sum = 0;
  for (const auto& [key, stream] : bench.gateway.streams) {
    if (key.first == bench.gateway.hello->boot_id()) sum += stream.inferences;
  }
  return sum;
}

// The bytes, with their CRC-32 if they are to be whole. Returns whether they are.
bool fill(covey_host_store_t& place, const uint8_t* bytes, size_t size, bool make_whole) {
  uint32_t crc = covey_crc32(bytes, size);
  std::memcpy(place.bytes, bytes, size);
  place.size = size;
  if (make_whole) {
    std::memcpy(place.bytes + size, &crc, sizeof crc);
    place.size += sizeof crc;
  }
  if (place.size <= sizeof crc) return false;
  const size_t body = place.size - sizeof crc;
  std::memcpy(&crc, place.bytes + body, sizeof crc);
  return crc == covey_crc32(place.bytes, body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Release release = covey::agent_test::make_release({.model_bytes = 1000});
  covey::agent_test::DeviceOptions options;
  options.geometry.size_bytes = 32U << 10U;
  options.slot_bytes = 8U << 10U;
  options.outbox_places = kPlaces;
  Bench bench(options);
  std::minstd_rand random;
  bench.device.port.crypto.random = same_random;
  bench.device.port.crypto.ctx = &random;
  bench.bring_up();
  expect(bench.deploy(release));
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  bench.run(10'000);

  std::vector<Bytes> records;  // that are whole
  for (covey_host_store_t& place : bench.device.places) {
    if (size < 3) break;
    const size_t told = bytes[1] | static_cast<size_t>(bytes[2]) << 8U;
    const size_t length = std::min({size - 3, told, sizeof place.bytes - sizeof(uint32_t)});
    if (fill(place, bytes + 3, length, (bytes[0] & 1U) != 0)) {
      records.emplace_back(reinterpret_cast<const char*>(place.bytes),
                           place.size - sizeof(uint32_t));
    }
    bytes += 3 + length;
    size -= 3 + length;
  }
  bench.passes = [&](const Message& message) {
    if (!is_report(message)) return true;
    const Bytes report = message.payload.substr(0, message.payload.size() - COVEY_MAC_FIELD_BYTES);
    covey::agent_test::wire::Report read;
    const bool readable = read.ParseFromString(report);
    const bool own = readable && read.boot_id() == bench.gateway.hello->boot_id();
    expect(own || std::find(records.begin(), records.end(), report) != records.end());
    return readable;  // of others the gateway says nothing
  };
  expect(bench.reboot());
  bench.run(10'000);
  for (uint64_t i = 0; i < kInferences; ++i) expect(bench.device.infer());
  covey_agent_flush(&bench.device.agent, bench.device.now_ms);
  for (int hours = 0; hours < kHoursMax && counted(bench) != kInferences; ++hours) {
    bench.run(kHourMs);
  }
  expect(counted(bench) == kInferences);
  expect(bench.device.counters().bugs == 0);
  return 0;
}
