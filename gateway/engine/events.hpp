// SPDX-License-Identifier: Apache-2.0
// What comes into the engine, and what must leave it once the revision that caused it is durable.
// Values; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "gateway/engine/commands.hpp"
#include "gateway/engine/messages.hpp"
#include "gateway/engine/telemetry/judgement.hpp"
#include "storage/store.hpp"

namespace covey::engine {

// ---- in

// What becomes of chunks (PublishChunks, kOk) outside the engine.
struct ChunkFlow {
  uint64_t waiting = 0;  // have not left yet
  uint64_t sent = 0;     // have left, since the start
};
// How full the queues before the engine are.
struct Backlog {
  uint32_t lifecycle_percent = 0;
  uint32_t telemetry_percent = 0;
};
// Some time has passed, or the session with the broker is another one. Levels, not edges: what was
// not seen is made up for by the next.
struct Tick {
  uint64_t broker_session = 0;  // number of the connection to the broker; 0: there is none
  ChunkFlow chunks;
  Backlog backlog;
  Millis certificate_until{0};  // wall: end of the one that the gateway shows; 0: it shows none
};

// `payload` is what was received, mac included: the engine verifies it with the device's order key.
struct FromDevice {
  DeviceId device;  // of the topic
  uint32_t shard = 0;
  DeviceMessage message;
  Bytes payload;
  Millis arrived{0};  // mono: it may have waited since; 0: just now
};
// As it came, mac included: read when its mac was found good, and then stored.
struct ReportReceived {
  DeviceId device;  // of the topic
  uint32_t shard = 0;
  Bytes payload;
};
struct EnrollReceived {
  DeviceId device;  // of the topic
  EnrollMessage message;
  ClaimName claim = {};  // of the topic: the broker vouches for it; empty: by the site's token
};
struct CommandReceived {
  uint64_t ticket = 0;  // comes back in Reply
  CommandRequest request;
};
// The answer to JudgeWindow.
struct WindowJudged {
  WindowVerdict verdict;
};
using Event =
    std::variant<Tick, FromDevice, ReportReceived, EnrollReceived, CommandReceived, WindowJudged>;

// ---- out, after the commit

struct PublishSite {
  SiteMessage site;
};
struct PublishGoal {
  DeviceId device;
  uint32_t shard = 0;
  GoalMessage goal;
  Digest order_key;
};
struct PublishAck {
  DeviceId device;
  uint32_t shard = 0;
  AckMessage ack;
  Digest order_key;
};
// Retained at covey/v1/m/{digest}: a signed manifest, chunk table or telemetry tables.
struct PublishBlob {
  Digest digest;
  std::shared_ptr<const Artifact> artifact;  // keeps the bytes alive
  ByteView bytes;
};
// Retained at covey/v1/m/root-{version}.
struct PublishRoot {
  uint32_t version = 0;
  Bytes document;
};
struct PublishChunks {
  DeviceId device;
  uint32_t shard = 0;
  Prefix manifest{};
  ChunkResult result = ChunkResult::kOk;
  uint32_t retry_after_ms = 0;
  std::vector<uint32_t> indexes;
  std::shared_ptr<const Artifact> artifact;  // kOk only
};
struct PublishGrant {
  DeviceId device;
  GrantMessage grant;
  ClaimName claim = {};  // whose topic it listens to
};
// A newer certificate for the same key.
struct PublishCertificate {
  DeviceId device;
  uint32_t shard = 0;
  CertificateOrder certificate;
  Digest order_key;
};
// Nobody may come in with these any more.
struct RevokeCertificates {
  std::vector<Bytes> serials;
};
// The broker must let this device in with this password (and no other); "" shuts it out.
struct SetCredential {
  DeviceId device;
  std::string password;
};
// The broker must let devices ask as this user with this password; "": no more.
struct SetClaim {
  ClaimName claim;
  std::string password;
};
// Whose certificates say who a device is: all of them.
struct TrustAuthorities {
  std::vector<AuthorityRecord> authorities;
};
// What is retained for a device that is gone.
struct ClearGoal {
  DeviceId device;
  uint32_t shard = 0;
};
struct Reply {
  uint64_t ticket = 0;
  Result<CommandReply> result;
};
// A line for the log of the daemon.
struct LogLine {
  enum class Level : uint8_t { kInfo, kWarning } level = Level::kInfo;
  std::string event;  // snake_case
  std::string subject;
  std::string text;
};
// Somebody with time is asked for judge(); WindowJudged brings the answer back. One at a time.
struct JudgeWindow {
  std::shared_ptr<const WindowSnapshot> window;
};
using Effect =
    std::variant<PublishSite, PublishGoal, PublishAck, PublishBlob, PublishRoot, PublishChunks,
                 PublishGrant, PublishCertificate, RevokeCertificates, SetCredential, SetClaim,
                 TrustAuthorities, ClearGoal, Reply, LogLine, JudgeWindow>;

struct Output {
  std::vector<Write> writes;
  std::vector<Effect> after_commit;
  uint64_t revision = 0;  // that this output makes durable
  bool urgent = false;    // control or lifecycle: commit at once; else it may wait for company
};

}  // namespace covey::engine
