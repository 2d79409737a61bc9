// SPDX-License-Identifier: Apache-2.0
// A device as the gateway knows it: what it is, what it said last, what it should be.
// Thread safety: values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/artifact/compatibility.hpp"

namespace covey {

// kRegistered: known before it came. kDecommissioned: it was ours, and does not come back.
enum class DeviceState : uint8_t { kPending, kAccepted, kRejected, kRegistered, kDecommissioned };
std::string_view to_string(DeviceState state);  // PENDING, ACCEPTED, REJECTED, REGISTERED, ...
std::optional<DeviceState> parse_device_state(std::string_view text);

// The device's own account of one model (device.proto, ModelState). Phase and reason are the
// device's words as stable text; numbers from newer firmware appear as "PHASE_17", "REASON_618".
struct ModelReport {
  ModelName model;
  std::optional<Digest> confirmed;
  std::optional<Digest> active;
  std::optional<Digest> candidate;
  std::optional<Digest> fallback;
  std::string phase;            // IDLE, DOWNLOADING, ...
  std::string reason;           // "" or UPPER_SNAKE
  std::string fallback_reason;  // why a confirmed model was left
  uint32_t attempt = 0;
  uint32_t chunks_have = 0;
  uint32_t chunks_total = 0;
  uint32_t journal_generation = 0;
  uint32_t security_floor = 0;
  uint32_t retry_after_s = 0;
  int32_t port_code = 0;

  bool operator==(const ModelReport&) const = default;
};

// What the newest goal says about a model. Content and counter are stored together: a goal that is
// said again says the same, whatever was decided or reported since.
struct ModelOrder {
  std::optional<Digest> confirmed;
  std::optional<Digest> candidate;
  bool may_confirm = false;
  uint32_t attempt = 0;
  uint32_t security_floor = 0;
  uint32_t lease_s = 0;

  bool operator==(const ModelOrder&) const = default;
};

// One model on one device.
struct DeviceModel {
  ModelReport reported;
  std::optional<ModelOrder> ordered;  // nullopt: the newest goal does not name the model
  // What the gateway wants confirmed when no deployment is in progress; nullopt: nobody said yet.
  std::optional<Digest> desired;
  // The gateway's own, which only rises: the security version of what succeeded for good here.
  uint32_t security_floor = 0;
  uint32_t attempt_last = 0;         // numbers attempts over all rollouts
  uint32_t assignment_failures = 0;  // of `desired`, in a row
  Millis retry_not_before{0};        // observed time
  Millis step_deadline{0};           // observed time: of the offer or probation; 0: none

  bool operator==(const DeviceModel&) const = default;
};

// What an operator sets on devices, carried by their goals (docs/adr/0012).
struct DeviceSettings {
  uint32_t report_interval_s = 0;  // 0: the firmware's
  uint32_t sample_scale = 0;       // of 65,536, times the release's probabilities; 0: as released

  bool operator==(const DeviceSettings&) const = default;
};

struct Device {
  DeviceId id;
  DeviceState state = DeviceState::kPending;
  DeviceFacts facts;
  std::map<std::string, std::string> labels;
  uint32_t shard = 0;  // 0 to 63
  uint64_t enroll_nonce = 0;
  uint32_t enroll_changes = 0;     // how often somebody asked under its id with another nonce
  Millis enroll_changed_wall{0};   // when that was last
  uint32_t enroll_generation = 1;  // order key and credentials are derived from it
  uint32_t secret_number = 1;      // of the site's secret that they are derived from, too
  bool enrolled = false;           // said an authenticated hello since
  Bytes key;                       // its own, public: an uncompressed point of P-256; empty: none
  bool wants_certificate = false;
  ClaimName claim;        // that it enrolled by; empty: by the site's token
  std::string authority;  // whose certificate said who it is; empty: nobody's
  // SHA-256 of what it must show to be let in: its key (SubjectPublicKeyInfo), its certificate
  // (DER). Empty: it was not registered with one.
  Bytes registered_key;
  Bytes registered_certificate;
  DeviceId successor;          // that took its place; empty: none
  Bytes certificate_serial;    // of its newest one; empty: none was issued for this key
  Millis certificate_from{0};  // wall, as the next ones
  Millis certificate_until{0};
  Bytes certificate_before;  // serial of the one that this one renewed
  Millis certificate_before_until{0};
  uint64_t boot_id = 0;
  uint64_t nonce = 0;
  uint64_t goal_counter = 0;       // of the newest goal
  uint64_t goal_counter_seen = 0;  // the device accepted
  uint64_t goal_nonce = 0;         // nonce that the newest goal carries
  bool goal_dirty = false;         // newest goal may not have been published
  DeviceSettings settings;         // that the newest goal carries
  uint32_t status_number = 0;
  Millis last_seen_wall{0};
  std::map<ModelName, DeviceModel> models;

  bool operator==(const Device&) const = default;
};

// "00" to "3f": how topics write a shard.
std::string shard_text(uint32_t shard);

}  // namespace covey
