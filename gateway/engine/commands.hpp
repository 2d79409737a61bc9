// SPDX-License-Identifier: Apache-2.0
// What operators and CI ask of the engine. Each is decided in one turn and answered after its
// transaction is durable. Values; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/id.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "deploy/artifact/artifact.hpp"
#include "deploy/rollout/plan.hpp"
#include "storage/records.hpp"

namespace covey {
class Reader;
struct RolloutPlan;
}  // namespace covey

namespace covey::engine {

// Devices by id and by AIP-160 filter (both: their union). `all` with an empty filter: every one.
struct DeviceSelection {
  std::vector<DeviceId> ids;
  std::string filter;
  bool all = false;
};

struct AcceptDevices {
  DeviceSelection devices;
  std::string key_fingerprint = {};  // that the one device must have; "": whatever it is
};
struct RejectDevice {
  DeviceId device;
};
struct LabelDevices {
  DeviceSelection devices;
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
};
struct ReenrollDevice {
  DeviceId device;
};

// It leaves lists and counts, and its keys are void. What comes back under its id is a new device.
struct RemoveDevice {
  DeviceId device;
};

struct CreateClaim {
  ClaimName claim;
  uint32_t count = 0;
  Millis life{0};  // 0: for ever
  bool per_device = false;
  bool accept = false;
  std::vector<DeviceId> ids;
};
// Nobody comes in by it any more; whom it brought stay.
struct RevokeClaim {
  ClaimName claim;
};
// A device that has not come yet.
struct Registration {
  DeviceId device;
  DeviceClass device_class;  // that it must have; empty: any
  std::map<std::string, std::string> labels;
  Bytes key;          // SHA-256 that it must show; empty: none
  Bytes certificate;  // the same of its certificate
};
// All or, if one can't be, none.
struct ImportDevices {
  std::vector<Registration> devices;
  bool validate_only = false;
};
// Its keys are void, and nothing but ReenrollDevice lets it in again.
struct DecommissionDevice {
  DeviceId device;
};
// Other hardware in the same place.
struct ReplaceDevice {
  DeviceId device;
  DeviceId successor;
  std::string key_fingerprint;  // that the successor must have; "": whatever it is
};
// `certificate` was looked at: it is an authority's.
struct AddDeviceAuthority {
  std::string name;
  Bytes certificate;
};
struct RemoveDeviceAuthority {
  std::string name;
};

// The artifacts were opened (verified) against a trust store; the engine checks again that the
// signer is still trusted.
struct CreateRelease {
  ReleaseId release;
  std::vector<std::shared_ptr<const Artifact>> artifacts;
  std::string source;  // where it was made; of a release that is there already, the first stays
};

// Its images leave the store; what names it stays readable, and its version stays taken.
struct DeleteRelease {
  ReleaseId release;
};

struct CreateRollout {
  PlanDocument document;   // with its name
  std::string request_id;  // AIP-155; "": none
  bool validate_only = false;
};
struct PauseRollout {
  RolloutName rollout;
  std::string explanation;
};
struct ResumeRollout {
  RolloutName rollout;
};
struct ApproveRollout {
  RolloutName rollout;
};
struct AbortRollout {
  RolloutName rollout;
  bool now = false;
  std::string explanation;
};
struct RollBackRollout {
  RolloutName rollout;
  std::string explanation;
};

struct LabelInput {
  DeviceId device;
  uint64_t boot_id = 0;
  uint64_t inference = 0;
  uint32_t truth = 0;
  StoredInference stored{};  // look_up() fills it
};
// The rollout does not wait for the device any more.
struct SkipDevice {
  RolloutName rollout;
  DeviceId device;
  std::string explanation;
};

struct SubmitLabels {
  ModelName model;
  std::vector<LabelInput> labels;
};
// Before it is given to the engine, which remembers the last minutes only: what the store has of
// these inferences. It must be of a moment after the command was made. Errors: the reader's.
Status look_up(Reader& reader, SubmitLabels& command);
struct AcknowledgeAlert {
  std::string alert;
};

struct AddTrustedKey {
  std::string pem;
  std::string comment;
};
struct RemoveTrustedKeyCommand {
  std::string key_id;
};

// The next version of the root document: covey.device.v1.SignedRoot.
struct ImportRoot {
  Bytes document;
};

// A new secret of the site, from which devices get their keys bit by bit.
struct RotateSecret {
  Digest secret;        // random
  Bytes sealed;         // the same, as it is kept
  uint32_t number = 0;  // that it was sealed as: of the newest one and 1
};

struct CreateToken {
  std::string name;
  Digest hash;            // of what its owner is shown once
  std::string role;       // a word of access::Role
  std::string models;     // globs with blanks between; "": all
  Millis lifetime{0};     // 0: without an end
  Millis expire_wall{0};  // then; 0: never
};
struct RevokeToken {
  std::string name;
};
// When tokens were used last: for people, who look for those that nobody needs. Not audited.
struct NoteTokenUses {
  std::map<std::string, Millis> uses;  // wall, by name
};

// A call that was not let in: an entry of the audit log, and nothing else.
struct NoteDenial {
  std::string call;
  std::string reason;
  std::string message;
};

using Command =
    std::variant<AcceptDevices, RejectDevice, LabelDevices, ReenrollDevice, RemoveDevice,
                 CreateRelease, DeleteRelease, CreateRollout, PauseRollout, ResumeRollout,
                 ApproveRollout, AbortRollout, RollBackRollout, SkipDevice, SubmitLabels,
                 AcknowledgeAlert, AddTrustedKey, RemoveTrustedKeyCommand, ImportRoot, CreateToken,
                 RevokeToken, NoteTokenUses, NoteDenial, CreateClaim, RevokeClaim, ImportDevices,
                 DecommissionDevice, ReplaceDevice, AddDeviceAuthority, RemoveDeviceAuthority,
                 RotateSecret>;

// How and from where somebody asked, for the audit log.
struct Origin {
  std::string known;       // how it is known who: "unix-peer", "token"
  std::string from;        // an address; "": this machine
  std::string request_id;  // of the call
};

struct CommandRequest {
  Command command;
  std::string actor;      // who, for the audit log
  std::string etag;       // "": whatever the resource is now; else ABORTED (ETAG_MISMATCH)
  Origin origin{};        // "": not a call
  bool own_only = false;  // may pause, resume and abort only rollouts that `actor` created
};

struct CommandReply {
  std::string subject;            // id or name of what was created or changed
  uint32_t changed = 0;           // how many were
  std::vector<DeviceId> devices;  // which, where a command is about several
  bool already_existed = false;
  uint32_t registered = 0;  // of devices: new ones
  uint32_t known = 0;       // and those that are accepted already
  uint32_t labels_matched = 0;
  uint32_t labels_unmatched = 0;
  uint32_t labels_unchanged = 0;
  uint32_t labels_of_nobody = 0;                 // no such device: it may have been removed
  std::vector<std::string> warnings;             // of a plan, in words
  std::vector<std::string> withheld;             // releases that are offered no more
  std::vector<std::string> paused;               // rollouts, for that
  std::shared_ptr<const RolloutPlan> validated;  // only: nothing was changed
};

}  // namespace covey::engine
