// SPDX-License-Identifier: Apache-2.0
// Acknowledgements of one device are coalesced: publishing one costs more than all else about a
// report. How soon a device needs its answer decides when it leaves.
#include <algorithm>

#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/telemetry/own.hpp"
#include "gateway/engine/telemetry/settling.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"

namespace covey::engine {
namespace {

constexpr size_t kAckStreamsMax = 6;  // of one message: 256 bytes

// The earlier one counts.
void acknowledge_at(Turn& turn, DeviceNumber number, Millis at) {
  TelemetryState& telemetry = own_telemetry(turn);
  DeviceTelemetry& known = device_telemetry(telemetry, number);
  if (known.ack_at != Millis{0} && known.ack_at <= at) return;
  known.ack_at = at;
  telemetry.acks.add(at, number);
}

Millis not_too_near(const Turn& turn, DeviceNumber number) {
  const DeviceTelemetry& known = turn.state.telemetry.devices[number];
  if (known.last_ack == Millis{0}) return turn.now.mono;
  return std::max(turn.now.mono, known.last_ack + std::min(kAckGap, turn.config.ack_interval));
}

AckMessage head_of(const Turn& turn, const Device& device, uint64_t boot_id) {
  // The number of the last status is of the boot that said hello last.
  const bool runs = boot_id == device.boot_id;
  const auto later = come_later(turn.state.backlog.telemetry_percent);
  return {.boot_id = boot_id,
          .status_number = runs ? device.status_number : 0,
          .credit = turn.config.report_credit,
          .backoff_ms = later ? static_cast<uint32_t>(later->count()) : 0,
          .reports_only = !runs};
}

// One boot of a device: the streams that were heard, then its newest ones as far as there is room.
// More than one message where the limit on the wire is below what was heard; at least one.
void say(Turn& turn, const Device& device, const Digest& key, uint64_t boot_id,
         const std::vector<StreamUse>& all) {
  std::vector<const StreamUse*> streams;
  size_t heard = 0;
  for (const StreamUse& use : all) {
    if (use.record->boot_id != boot_id) continue;
    streams.push_back(&use);
    if (use.heard) ++heard;
  }
  std::ranges::stable_sort(streams, [](const StreamUse* a, const StreamUse* b) {
    return a->heard != b->heard ? a->heard : a->record->order > b->record->order;
  });
  if (streams.size() > kAckStreamsMax) streams.resize(std::max(heard, kAckStreamsMax));
  auto next = streams.begin();
  do {
    AckMessage ack = head_of(turn, device, boot_id);
    for (; next != streams.end() && ack.streams.size() < kAckStreamsMax; ++next) {
      const StreamRecord& record = *(*next)->record;
      const monitoring::StreamAck mark = monitoring::ack(record.mark);
      ack.streams.push_back(
          {prefix_of(record.manifest), static_cast<uint32_t>(mark.cumulative), mark.bitmap});
    }
    turn.emit(PublishAck{device.id, device.shard, std::move(ack), key});
  } while (next != streams.end());
}

void acknowledge(Turn& turn, const Device& device, DeviceTelemetry& known) {
  known.last_ack = turn.now.mono;
  known.unacknowledged = 0;
  const Digest key = order_key(turn.state, device);
  // Reports may be of earlier boots: devices keep over a reboot what was not acknowledged.
  std::vector<uint64_t> boots{device.boot_id};
  for (const StreamUse& use : known.streams) {
    const uint64_t boot_id = use.record->boot_id;
    if (use.heard && std::ranges::find(boots, boot_id) == boots.end()) boots.push_back(boot_id);
  }
  for (const uint64_t boot_id : boots) say(turn, device, key, boot_id, known.streams);
  for (StreamUse& use : known.streams) use.heard = false;
}

}  // namespace

void acknowledge_now(Turn& turn, const Device& device) {
  acknowledge_at(turn, *turn.state.fleet.number_of(device.id), turn.now.mono);
}

void acknowledge_soon(Turn& turn, const Device& device) {
  const DeviceNumber number = *turn.state.fleet.number_of(device.id);
  device_telemetry(own_telemetry(turn), number);
  acknowledge_at(turn, number, not_too_near(turn, number));
}

void acknowledge_report(Turn& turn, DeviceNumber number) {
  DeviceTelemetry& known = device_telemetry(own_telemetry(turn), number);
  // A device that has no credit left must not wait for the interval to pass.
  const bool half = ++known.unacknowledged >= std::max(1U, turn.config.report_credit / 2);
  acknowledge_at(turn, number,
                 half ? not_too_near(turn, number) : turn.now.mono + turn.config.ack_interval);
}

void flush_acks(Turn& turn) {
  TelemetryState& telemetry = own_telemetry(turn);
  telemetry.acks.run(turn.now.mono, kAcksPerTurn,
                     [&](DeviceNumber number, Millis at) -> std::optional<Millis> {
                       DeviceTelemetry& known = telemetry.devices[number];
                       if (known.ack_at != at) return std::nullopt;  // another entry counts
                       known.ack_at = Millis{0};
                       acknowledge(turn, *turn.state.fleet.by_number[number], known);
                       return std::nullopt;
                     });
}

}  // namespace covey::engine
