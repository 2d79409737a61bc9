// SPDX-License-Identifier: Apache-2.0
// The fleet: who the devices are, who is here, what each is told. What this room offers to the
// others; it alone changes FleetState. Engine thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/engine/turn/turn.hpp"

namespace covey::engine {

// ---- enrolment.cpp

void on_enroll(Turn& turn, const EnrollReceived& event);
Result<CommandReply> accept_devices(Turn& turn, const AcceptDevices& command);
Result<CommandReply> reject_device(Turn& turn, const RejectDevice& command);
Result<CommandReply> reenroll_device(Turn& turn, const ReenrollDevice& command);
Result<CommandReply> remove_device(Turn& turn, const RemoveDevice& command);
// Strangers that nobody has accepted for long. Every sweep, some.
void expire_strangers(Turn& turn);

// ---- certificates.cpp: of devices with a key of their own

// Its certificate, issued now if it has none, or one that is due to be renewed. nullopt: it did not
// ask for one, or the site issues none.
std::optional<CertificateOrder> certify(Turn& turn, Device& device);
// All that were issued for its key are void.
void void_certificates(Turn& turn, Device& device);
// The same, and the key is forgotten.
void void_own_key(Turn& turn, Device& device);
// It said hello: with its newest certificate?
void check_certificate(Turn& turn, Device& device, uint64_t held);
// Every sweep, some of those that are due; and revoked ones that have ended are forgotten.
void renew_certificates(Turn& turn);
// SHA-256 of a device's own key as `openssl pkey -pubin -outform DER` writes it, in hex; "": none.
std::string key_fingerprint(const Bytes& key);
// How a device names the certificate that it holds: the first 8 bytes of its serial number.
uint64_t certificate_number(const Bytes& serial);

// ---- claims.cpp: batches of devices that may ask

Result<CommandReply> create_claim(Turn& turn, const CreateClaim& command);
Result<CommandReply> revoke_claim(Turn& turn, const RevokeClaim& command);
// What stands against it; empty: it may ask by this claim.
std::string refusal_of(const Turn& turn, const EnrollReceived& event);
// It was accepted.
void note_claimed(Turn& turn, const Device& device);
// With the broker those that have ended are over, too. Every sweep.
void close_claims(Turn& turn);
bool claim_is_good(const State& state, const ClaimRecord& claim, Millis wall);
std::string claim_password(const State& state, const ClaimRecord& claim);
// Of a claim with a proof per device: each device's is the HMAC-SHA-256 of its id with this.
Digest claim_secret(const State& state, const ClaimRecord& claim);

// ---- registration.cpp: devices that are known before they come

Result<CommandReply> import_devices(Turn& turn, const ImportDevices& command);
// What it must have shown and has not; empty: nothing.
std::string other_than_registered(const Device& device, const EnrollMessage& message);

// ---- succession.cpp: devices that go for good

Result<CommandReply> decommission_device(Turn& turn, const DecommissionDevice& command);
Result<CommandReply> replace_device(Turn& turn, const ReplaceDevice& command);

// ---- authorities.cpp: whose certificates say who a device is

Result<CommandReply> add_authority(Turn& turn, const AddDeviceAuthority& command);
Result<CommandReply> remove_authority(Turn& turn, const RemoveDeviceAuthority& command);

// ---- devices.cpp: rows of devices, and who has been heard

// The device, to be changed: its row is written at the end of the turn.
Device& change_device(Turn& turn, const DeviceId& device);
// What is wanted of one of its models; made where there is none. Its row is written.
DeviceModel& change_model(Turn& turn, const DeviceId& device, const ModelName& model);
Session& change_session(Turn& turn, const DeviceId& device);
Session& change_session(Turn& turn, DeviceNumber device);
void write_fleet(Turn& turn);
// Where the uptime of a boot lies on the wall is not known any more.
void forget_offsets(Turn& turn);

// ---- budget.cpp: what a device may cost (budget.hpp)

// False: more than it may, noted as a refusal. Nothing is charged.
bool affords(Turn& turn, DeviceNumber device, Spend kind, uint64_t units = 1);
void pay(Turn& turn, DeviceNumber device, Spend kind, uint64_t units = 1);
bool spend(Turn& turn, DeviceNumber device, Spend kind, uint64_t units = 1);
// Alerts for the worst. Now and then.
void judge_budgets(Turn& turn);

// ---- secrets.cpp: the site's secrets, and of which one devices have their keys

// Number of the newest one.
uint32_t newest_secret(const State& state);
Result<CommandReply> rotate_secret(Turn& turn, const RotateSecret& command);
// Every tick: some devices with a key of their own get keys of the newest secret; others keep
// theirs until they enrol anew. Secrets that nobody uses are forgotten.
void rekey_devices(Turn& turn);

// ---- credentials.cpp: derived from the site's secret, never stored

// One per purpose, name, number and secret of the site: RFC 5869's expand step with a single block.
Digest derive_key(const State& state, uint32_t secret_number, std::string_view purpose,
                  std::string_view name, uint64_t number);
Digest order_key(const State& state, const Device& device);
std::string broker_password(const State& state, const Device& device);
uint32_t shard_of(const DeviceId& device);

// ---- presence.cpp

void on_hello(Turn& turn, Device& device, const HelloMessage& hello);
void on_status(Turn& turn, Device& device, const StatusMessage& status);
void on_bye(Turn& turn, Device& device, const ByeMessage& bye);
// Whoever was not heard for offline_after is gone. Every tick: those whose time has come.
void expire_sessions(Turn& turn);
// The broker is gone: nobody can be heard.
void lose_everybody(Turn& turn);
bool is_online(const State& state, const DeviceId& device);
// Online, and it would take a goal.
bool is_reachable(const State& state, const DeviceId& device);
// Wall time of its last message of any kind; 0: never. Exact since the start, before that to a
// hello or status.
Millis last_heard(const State& state, const Device& device);

// ---- restore.cpp

// A device that has seen more than was ever said to it here: the store is older than the world, or
// the device lies. Its counter is adopted, for it alone; the epoch, and a pause of what is going
// on, only when enough devices say so. Until then it is in quarantine where its epoch is above the
// site's: it would refuse every goal, and is offered none. True: something was adopted.
bool adopt_newer(Turn& turn, Device& device, uint32_t site_epoch, uint64_t goal_counter);
// What such a device runs is what it should run.
void adopt_reported(Turn& turn, Device& device);
bool is_quarantined(const State& state, const DeviceId& device);
void forget_claim(Turn& turn, const DeviceId& device, const std::string& why);
void expire_claims(Turn& turn);
// Over when every enrolled device has said hello, or those that did not have had their time.
void end_reconciling(Turn& turn);

// ---- retelling.cpp

void begin_retelling(Turn& turn);
// Every tick: the next few.
void go_on_retelling(Turn& turn);

// ---- goals.cpp

// What should be said is not what the newest goal says.
bool goal_is_outdated(const State& state, const Device& device);
// A new goal with a higher counter, at the end of the turn.
void refresh_goal(Turn& turn, const DeviceId& device);
// That end, of all of them: before the rows are written, which it changes.
void renew_goals(Turn& turn);
// Content and counter change together, and nowhere else.
void renew_goal(Turn& turn, Device& device);
// The newest goal, as it is stored: one counter never has two contents.
void publish_goal(Turn& turn, const Device& device);
// An entry for the time when the goal is said again; the earlier one counts.
void repeat_later(FleetState& fleet, DeviceNumber number);
// Says goals again that online devices have not shown for too long. Every tick: those that are due.
void repeat_goals(Turn& turn);
// Tells devices that are here the settings of the configuration. Every tick, a few.
void order_settings(Turn& turn);
void publish_site(Turn& turn);
void publish_root(Turn& turn, uint32_t version);
void publish_release(Turn& turn, const ReleaseRecord& release);

// ---- goal_size.cpp

// No goal with these models is longer on the wire, whatever its counters grow to.
size_t goal_bytes_max(const GoalMessage& goal);
// The same of the goal that makes a release of `candidate` the device's work: beside what it is
// asked for now, or when nothing else is under way.
enum class Beside : uint8_t { kNothing, kWorkOfNow };
size_t goal_bytes_with(const State& state, const Device& device, const ModelName& candidate,
                       Beside beside);
bool goal_fits(const State& state, const Device& device, const ModelName& candidate, Beside beside);

// ---- floors.cpp

// Ended, but not long ago: it can be taken back.
bool may_roll_back(const Turn& turn, const Rollout& rollout);
uint32_t floor_of(const DeviceModel& model);
// Every tick, a few devices.
void raise_floors(Turn& turn);

// ---- selection.cpp

Result<std::vector<DeviceId>> select(const State& state, const DeviceSelection& selection);
Result<CommandReply> label_devices(Turn& turn, const LabelDevices& command,
                                   const std::string& etag);
// Errors: BAD_LABEL.
Status check_label(const std::string& key, const std::string& value);

}  // namespace covey::engine
