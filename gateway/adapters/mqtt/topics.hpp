// SPDX-License-Identifier: Apache-2.0
// Topics of the device wire (docs/design/device-wire.md, "Topics"): strict parsing of what comes
// up, building of what goes down. Topic is identity, so nothing is tolerated: another level,
// another case, a shard above 3f or an unknown kind are refused. Whether it is the device's own
// shard, the engine knows.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/id.hpp"
#include "core/result.hpp"

namespace covey::mqtt {

// "00" to "3f".
inline constexpr uint8_t kShards = 64;

enum class UpKind : uint8_t { kHello, kStatus, kReport, kFetch, kBye, kEnroll };
enum class DownKind : uint8_t { kGoal, kAck, kChunk, kCertificate };

std::string_view to_string(UpKind kind);
std::string_view to_string(DownKind kind);

struct UpTopic {
  UpKind kind = UpKind::kHello;
  uint8_t shard = 0;  // 0 for kEnroll
  DeviceId device;
  ClaimName claim;  // kEnroll only: that it comes by; empty: the site's token

  bool operator==(const UpTopic&) const = default;
};

// covey/v1/2a/dev-1/up/hello, covey/v1/enroll/dev-1/up, covey/v1/c/batch-7/dev-1/up.
// Errors: BAD_TOPIC, BAD_CLAIM_NAME, RESERVED_CLAIM_NAME, BAD_SHARD, BAD_DEVICE_ID,
// RESERVED_DEVICE_ID, UNKNOWN_TOPIC_KIND.
Result<UpTopic> parse_up_topic(std::string_view topic);

Result<uint8_t> parse_shard(std::string_view text);  // Errors: BAD_SHARD

std::string down_topic(uint8_t shard, const DeviceId& device, DownKind kind);
std::string enroll_down_topic(const DeviceId& device, const ClaimName& claim);
inline constexpr std::string_view kSiteTopic = "covey/v1/site";
// covey/v1/m/{64 hex digits}: retained signed manifests and telemetry tables.
std::string manifest_topic(const Digest& digest);
// covey/v1/m/root-{version}: there, so that whoever may read manifests may read it.
std::string root_topic(uint32_t version);

}  // namespace covey::mqtt
