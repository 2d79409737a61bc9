// SPDX-License-Identifier: Apache-2.0
// The fleet's part of the state: devices, and what is known of them beside their rows. Changed by
// gateway/engine/fleet only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "core/deadlines.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/deployment/device.hpp"
#include "gateway/engine/config.hpp"
#include "gateway/engine/fleet/budget.hpp"
#include "storage/records.hpp"

namespace covey::engine {

// Where the uptime of a boot lies: wall = uptime + offset, the smallest that was seen.
struct BootOffset {
  uint64_t boot_id = 0;
  Millis offset{0};
};

// Soft state: expires, is not stored.
struct Session {
  bool heard = false;  // since coveyd started; nothing else here means anything before
  bool online = false;
  bool said_hello = false;  // since coveyd started, or since a restore was noticed
  uint32_t connection = 0;
  Millis last_heard{0};              // mono
  Millis last_heard_wall{0};         // of any message; a device's row keeps hello and status only
  std::optional<BootOffset> offset;  // of the newest boot that was heard
  std::optional<BootOffset> offset_before;  // of the one before it
  Millis last_report_observed{0};
  Millis reported_until{0};  // wall time up to which windows have come in
  // mono: when the oldest goal was made that it has not shown, and it was online ever since; 0:
  // none
  Millis goal_made{0};
  Millis goal_said{0};  // mono: when a goal left that it has not shown yet; 0: none
  Millis goal_repeat = kGoalRepeatFirst;  // after this long it is said again
  Millis expiry_at{0};                    // mono: its entry in FleetState::expiries; 0: none
  Millis repeat_at{0};                    // mono: its entry in FleetState::repeats; 0: none
  Millis waiting_at{0};                   // wall: its entry in FleetState::strangers; 0: none
  Millis certificate_at{0};               // wall: its entry in FleetState::certificates; 0: none
  uint64_t boot_before = 0;
  uint32_t boot_flaps = 0;  // two boots alternating: somebody else uses the id
};

// A device that says it has seen more than the store ever said to it.
struct AheadClaim {
  uint32_t site_epoch = 0;
  Millis made{0};  // observed
};

struct SiteSecret {
  SiteSecretRecord record;
  Digest secret;  // opened
};

// After a new secret of the site was made: who gets keys of it. Round and round while there is more
// than one.
struct Rekeying {
  DeviceNumber next = 0;
  std::set<uint32_t> seen;  // secrets that devices use, in this round so far
};

// Rows to be written at the end of the turn.
struct FleetRows {
  std::set<DeviceId> devices;
  std::set<DeviceId> goals;  // renewed, with a higher counter
};

// What is retained at the broker is told again bit by bit when a session with it begins.
struct Retelling {
  bool going_on = false;
  DeviceNumber credentials = 0;  // whose turn is next
  uint32_t roots = 0;            // the last version that was told
  std::optional<ReleaseId> releases_until;
  bool releases_told = false;
  DeviceNumber goals = 0;
};

// Of strangers that had asked just now; a token bucket.
struct StrangersReplaced {
  double credit = 0;
  Millis earned_until{0};  // mono
};

class FleetState {
 public:
  FleetState() = default;
  FleetState(FleetState&&) = default;
  FleetState& operator=(FleetState&&) = default;
  FleetState(const FleetState&) = delete;  // by_number points into devices
  FleetState& operator=(const FleetState&) = delete;

  std::map<uint32_t, SiteSecret> secrets;  // by number; the last one is the site's
  std::map<DeviceId, Device> devices;

  std::map<ClaimName, ClaimRecord> claims;
  std::map<ClaimName, std::vector<DeviceId>> claim_ids;  // of those that list some; sorted
  std::map<std::string, AuthorityRecord> authorities;    // whose certificates say who a device is
  std::map<Bytes, RevokedCertificate> revoked;           // by serial
  Bytes revoked_looked_at;  // up to here; empty: the next look begins anew

  // Soft.
  std::vector<Device*> by_number;  // nullptr: the number is free
  std::vector<Session> sessions;   // by number
  BudgetState budgets;
  std::map<DeviceId, AheadClaim> ahead;
  std::set<DeviceId> settings_due;   // said hello while their goal says other settings
  Deadlines<DeviceNumber> expiries;  // mono: of who is online
  Deadlines<DeviceNumber> repeats;   // mono: of goals that were said and not shown yet
  Retelling retelling;
  Rekeying rekeying;
  std::optional<DeviceId> floors_until;  // whose floors were looked at last
  Millis reconciling_since{0};           // observed time; the start where it was so already
  // Waiting or rejected, and never accepted: when they were heard last (wall), the oldest first.
  // There is no place for them but what nobody else needs.
  std::set<std::pair<Millis, DeviceNumber>> strangers;
  std::set<std::pair<Millis, DeviceNumber>> asked_once;  // of these, since when
  StrangersReplaced replaced;
  std::map<ClaimName, uint32_t> claimed;  // devices that came by it and wait
  std::set<ClaimName> claims_open;        // the broker lets their devices ask
  // Who has a certificate: when (wall) it is to be looked at again.
  std::set<std::pair<Millis, DeviceNumber>> certificates;
  // Recounted by tests/sim.
  size_t waiting = 0;     // devices that have asked and are not accepted
  size_t enrolled = 0;    // accepted, and said an authenticated hello once
  size_t said_hello = 0;  // of those, since coveyd started or a restore was noticed

  Device& add(Device&& device);
  // It is gone, and its number is free: nobody may refer to it any more.
  void remove(const DeviceId& device);
  // A stranger was heard.
  void heard_stranger(const Device& device, Millis wall);
  // Its certificate is looked at then; 0: not at all.
  void look_at_certificate(DeviceNumber device, Millis wall);
  // It has asked, and nobody has let it in (yet).
  static bool waits(const Device& device) {
    return device.state == DeviceState::kPending || device.state == DeviceState::kRejected;
  }
  // Around each change of a device's state, `enrolled` or `said_hello`: what is counted above.
  void count_out(const Device& device);
  void count_in(const Device& device);
  // nullopt: no such device
  std::optional<DeviceNumber> number_of(const DeviceId& device) const;
  // nullptr: not heard since coveyd started, or no such device
  const Session* session_of(const DeviceId& device) const;

 private:
  void forget_stranger(DeviceNumber number);

  std::unordered_map<DeviceId, DeviceNumber> numbers_;
  std::vector<DeviceNumber> free_;
};

}  // namespace covey::engine
