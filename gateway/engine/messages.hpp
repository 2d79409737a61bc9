// SPDX-License-Identifier: Apache-2.0
// What travels between gateway and devices, as domain types; gateway/codec reads and writes the
// bytes (proto/covey/device/v1/device.proto). Values; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/time.hpp"
#include "deploy/artifact/artifact.hpp"
#include "deploy/deployment/device.hpp"
#include "monitoring/counts/window.hpp"

namespace covey::engine {

// First 8 bytes of a manifest digest.
using Prefix = std::array<uint8_t, 8>;
Prefix prefix_of(const Digest& digest);

// ---- device to gateway

struct HelloMessage {
  DeviceId device;  // as the body says; empty: it does not
  uint64_t boot_id = 0;
  uint64_t nonce = 0;
  DeviceFacts facts;
  std::vector<ModelReport> models;
  uint32_t site_epoch = 0;
  uint64_t goal_counter = 0;
  uint64_t uptime_ms = 0;
  uint32_t status_number = 0;
  uint32_t connection = 0;
  uint64_t certificate = 0;  // that it holds, by its serial number; 0: none
};

struct StatusMessage {
  uint64_t boot_id = 0;
  uint32_t number = 0;
  uint64_t uptime_ms = 0;
  std::vector<ModelReport> models;
  uint32_t site_epoch = 0;
  uint64_t goal_counter = 0;
};

struct FetchMessage {
  Digest manifest;
  uint32_t first = 0;
  uint32_t bitmap = 0;  // bit i: chunk first + i
  uint32_t attempt = 0;
};

struct ByeMessage {
  uint64_t boot_id = 0;
  uint32_t connection = 0;
};

struct SampleMessage {
  uint64_t inference = 0;
  uint32_t predicted = 0;
  uint32_t confidence = 0;
  uint32_t probability = 0;  // of 65,536
  uint64_t uptime_ms = 0;

  bool operator==(const SampleMessage&) const = default;
};

struct ReportMessage {
  uint64_t boot_id = 0;
  Prefix manifest{};
  uint32_t sequence = 0;
  uint32_t base_sequence = 1;
  uint64_t t0_ms = 0;  // uptime
  uint64_t t1_ms = 0;
  uint32_t merged = 1;
  uint64_t inferences_total = 0;  // of the stream, this window included
  monitoring::WindowCounts counts;
  std::vector<SampleMessage> samples;
  uint32_t samples_dropped = 0;
  uint32_t unknown_bytes = 0;  // of a large one: what is in none of the fields above

  bool operator==(const ReportMessage&) const = default;
};

// All but reports, which the engine has read for itself (report_reader.hpp).
using DeviceMessage = std::variant<HelloMessage, StatusMessage, FetchMessage, ByeMessage>;

struct EnrollMessage {
  DeviceId device;
  uint64_t nonce = 0;
  DeviceFacts facts;
  std::vector<ModelName> models;
  Bytes key = {};                  // its own: a point of P-256; empty: it has none
  Bytes certificate_request = {};  // until somebody with time has looked at it, who fills in `key`
  bool wants_certificate = false;
  Bytes claim_proof = {};
  Bytes manufacturer_certificate = {};  // as certificate_request
  Bytes certificate_digest = {};        // SHA-256 of that; empty: it showed none
  std::string authority = {};           // trusted one that issued it; empty: none
};

// ---- gateway to device

struct SiteMessage {
  uint32_t site_epoch = 0;
  uint64_t gateway_start_id = 0;
  Millis utc{0};
  Millis hello_jitter{0};
};

enum class GoalMode : uint8_t { kStaged = 1, kShadow = 2, kActive = 3 };  // the wire's numbers

struct ModelGoal {
  ModelName model;
  std::optional<Digest> confirmed;  // what the gateway holds as confirmed
  std::optional<Digest> candidate;
  GoalMode mode = GoalMode::kActive;
  bool may_confirm = false;
  uint32_t attempt = 0;
  uint32_t security_floor = 0;

  bool operator==(const ModelGoal&) const = default;
};

struct GoalMessage {
  uint32_t site_epoch = 0;
  uint64_t counter = 0;
  DeviceId device;
  uint64_t nonce = 0;
  std::vector<ModelGoal> models;
  uint32_t lease_s = 0;
  DeviceSettings settings{};
};

struct StreamAckMessage {
  Prefix manifest{};
  uint32_t cumulative = 0;
  uint64_t bitmap = 0;
};
struct AckMessage {
  uint64_t boot_id = 0;
  std::vector<StreamAckMessage> streams;
  uint32_t status_number = 0;
  uint32_t credit = 0;
  uint32_t backoff_ms = 0;
  bool reports_only = false;  // no answer to a hello
};

enum class ChunkResult : uint8_t { kOk = 0, kBusy = 1, kSuperseded = 2, kNotFound = 3 };

// What a certificate of a device says beside its id; it can be made from this again and again.
struct CertificateOrder {
  Bytes key;  // of the device
  Bytes serial;
  Millis from{0};  // wall
  Millis until{0};

  bool operator==(const CertificateOrder&) const = default;
};

enum class EnrollState : uint8_t { kPending = 1, kAccepted = 2, kRejected = 3 };
struct GrantMessage {
  uint64_t nonce = 0;
  EnrollState state = EnrollState::kPending;
  Digest order_key;  // kAccepted only, as are the next ones
  std::string username;
  std::string password;
  std::string shard;
  uint32_t site_epoch = 0;
  uint32_t retry_after_s = 0;
  Bytes key = {};  // that it has to be sealed for; empty: it is said in clear
  std::optional<CertificateOrder> certificate = std::nullopt;
};

}  // namespace covey::engine
