// SPDX-License-Identifier: Apache-2.0
// Certificates of devices: when one is issued, renewed and taken back. What it says follows from a
// device's row, so that whoever has the authority's key makes it whenever it is asked for again.
#include <algorithm>
#include <utility>

#include "deploy/deployment/device_key.hpp"
#include "deploy/signing/sha256.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/fleet/own.hpp"
#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {
namespace {

constexpr Millis kClocksBehind = 24h;  // a broker's clock, or a device's, may be
constexpr size_t kSerialBytes = 16;
constexpr size_t kRenewedPerSweep = 200;
constexpr size_t kLookedAtPerSweep = 1'000;
// A clock that ran ahead for a while must not bring back what was revoked.
constexpr Millis kRevokedKept = 24h * 90;

Millis renewed_before_end(const Turn& turn) { return turn.config.certificate_life / 3; }

// Unlike any other of this site: who, which and when. RFC 5280, section 4.1.2.2: positive, and here
// always as many bytes.
Bytes new_serial(const Turn& turn, const Device& device) {
  std::string input("certificate");
  for (const std::string& part :
       {device.id.str(), to_hex(device.certificate_serial), to_hex(device.key),
        std::to_string(turn.now.wall.count()), std::to_string(turn.state.site.revision)}) {
    input += '\0';
    input += part;
  }
  const Digest digest =
      hmac_sha256(turn.state.fleet.secrets.at(device.secret_number).secret.bytes, as_bytes(input));
  Bytes serial(digest.bytes.begin(), digest.bytes.begin() + kSerialBytes);
  serial.front() = static_cast<uint8_t>((serial.front() & 0x3fU) | 0x40U);
  return serial;
}

CertificateOrder order_of(const Device& device) {
  return {.key = device.key,
          .serial = device.certificate_serial,
          .from = device.certificate_from,
          .until = device.certificate_until};
}

bool is_due(const Turn& turn, const Device& device) {
  return device.certificate_serial.empty() ||
         turn.now.wall >= device.certificate_until - renewed_before_end(turn);
}

void publish(Turn& turn, const Device& device, CertificateOrder order) {
  turn.emit(
      PublishCertificate{device.id, device.shard, std::move(order), order_key(turn.state, device)});
}

void revoke(Turn& turn, const Device& device, const Bytes& serial, Millis until,
            RevokeCertificates& effect) {
  if (serial.empty()) return;
  const RevokedCertificate row{.serial = serial, .device = device.id, .until = until};
  own_fleet(turn).revoked.insert_or_assign(serial, row);
  turn.write(PutRevoked{row});
  effect.serials.push_back(serial);
}

// Some of them each time, round and round: which have ended has nothing to do with their order.
void forget_revoked(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  auto row = fleet.revoked.upper_bound(fleet.revoked_looked_at);
  for (size_t n = 0; n < kLookedAtPerSweep && row != fleet.revoked.end(); ++n) {
    fleet.revoked_looked_at = row->first;
    if (row->second.until + kRevokedKept >= turn.now.wall) {
      ++row;
      continue;
    }
    turn.write(ForgetRevoked{row->first});
    row = fleet.revoked.erase(row);
  }
  if (row == fleet.revoked.end()) fleet.revoked_looked_at.clear();
}

}  // namespace

std::string key_fingerprint(const Bytes& key) { return device_key_fingerprint(key); }

uint64_t certificate_number(const Bytes& serial) {
  uint64_t number = 0;
  for (size_t i = 0; i < sizeof number && i < serial.size(); ++i) {
    number |= uint64_t{serial[i]} << (8 * i);
  }
  return number;
}

std::optional<CertificateOrder> certify(Turn& turn, Device& device) {
  if (!device.wants_certificate || device.key.empty() ||
      turn.config.certificate_life == Millis{0}) {
    return std::nullopt;
  }
  if (is_due(turn, device)) {
    Device& changed = change_device(turn, device.id);
    Bytes serial = new_serial(turn, changed);
    // The one before last has ended, or ends soon: a third of a life is left at each renewal.
    changed.certificate_before = std::exchange(changed.certificate_serial, std::move(serial));
    changed.certificate_before_until = changed.certificate_until;
    changed.certificate_from = turn.now.wall - kClocksBehind;
    changed.certificate_until = turn.now.wall + turn.config.certificate_life;
    own_fleet(turn).look_at_certificate(*turn.state.fleet.number_of(device.id),
                                        changed.certificate_until - renewed_before_end(turn));
  }
  return order_of(device);
}

void void_certificates(Turn& turn, Device& device) {
  RevokeCertificates effect;
  revoke(turn, device, device.certificate_serial, device.certificate_until, effect);
  revoke(turn, device, device.certificate_before, device.certificate_before_until, effect);
  if (!effect.serials.empty()) turn.emit(std::move(effect));
  device.certificate_serial.clear();
  device.certificate_before.clear();
  device.certificate_from = Millis{0};
  device.certificate_until = Millis{0};
  device.certificate_before_until = Millis{0};
  own_fleet(turn).look_at_certificate(*turn.state.fleet.number_of(device.id), Millis{0});
}

void void_own_key(Turn& turn, Device& device) {
  void_certificates(turn, device);
  device.key.clear();
  device.wants_certificate = false;
}

void check_certificate(Turn& turn, Device& device, uint64_t held) {
  std::optional<CertificateOrder> order = certify(turn, device);
  if (order && certificate_number(order->serial) != held) publish(turn, device, *std::move(order));
}

void renew_certificates(Turn& turn) {
  FleetState& fleet = own_fleet(turn);
  if (schedules_held(turn.state)) return;
  for (size_t n = 0; n < kRenewedPerSweep && !fleet.certificates.empty(); ++n) {
    const auto [at, number] = *fleet.certificates.begin();
    if (at > turn.now.wall) break;
    Device& device = *fleet.by_number[number];
    const bool due = is_due(turn, device);
    // Whoever is not here gets it with its next hello; whoever is may have missed it.
    const Millis again = turn.now.wall + std::max<Millis>(turn.config.certificate_life / 30, 1s);
    const Millis first = device.certificate_until - renewed_before_end(turn);
    if (due && fleet.sessions[number].online) {
      if (std::optional<CertificateOrder> order = certify(turn, device)) {
        publish(turn, device, *std::move(order));
      }
    }
    fleet.look_at_certificate(number, due ? again : std::max(first, turn.now.wall + 1s));
  }
  forget_revoked(turn);
}

}  // namespace covey::engine
