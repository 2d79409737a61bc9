// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/mqtt/topics.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "deploy/deployment/device.hpp"

namespace covey::mqtt {
namespace {

constexpr std::string_view kRoot = "covey/v1/";
constexpr size_t kTopicBytesMax = 128;
constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr std::array<std::pair<UpKind, std::string_view>, 5> kUpKinds{{
    {UpKind::kHello, "hello"},
    {UpKind::kStatus, "status"},
    {UpKind::kReport, "report"},
    {UpKind::kFetch, "fetch"},
    {UpKind::kBye, "bye"},
}};

// Quoted for a message: what is not printable ASCII would forge lines.
std::string shown(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, kTopicBytesMax)) quoted += c >= 0x20 && c < 0x7f ? c : '?';
  return quoted + "'";
}

// Takes one level off the front. False when there is none, or when it is the last.
bool take_level(std::string_view& rest, std::string_view& level) {
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return false;
  level = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  return true;
}

}  // namespace

std::string_view to_string(UpKind kind) {
  switch (kind) {
    case UpKind::kHello:
      return "hello";
    case UpKind::kStatus:
      return "status";
    case UpKind::kReport:
      return "report";
    case UpKind::kFetch:
      return "fetch";
    case UpKind::kBye:
      return "bye";
    case UpKind::kEnroll:
      return "enroll";
  }
  return "";
}

std::string_view to_string(DownKind kind) {
  switch (kind) {
    case DownKind::kGoal:
      return "goal";
    case DownKind::kAck:
      return "ack";
    case DownKind::kChunk:
      return "chunk";
    case DownKind::kCertificate:
      return "certificate";
  }
  return "";
}

Result<uint8_t> parse_shard(std::string_view text) {
  if (text.size() == 2) {
    const size_t high = kHexDigits.find(text[0]);
    const size_t low = kHexDigits.find(text[1]);
    if (high != std::string_view::npos && low != std::string_view::npos &&
        high * 16 + low < kShards) {
      return static_cast<uint8_t>(high * 16 + low);
    }
  }
  return invalid("BAD_SHARD", shown(text) + " is not a shard: 00 to 3f");
}

Result<UpTopic> parse_up_topic(std::string_view topic) {
  const auto bad = [&] {
    return invalid("BAD_TOPIC", shown(topic) + " is not a topic on which a device speaks");
  };
  if (topic.size() > kTopicBytesMax || !topic.starts_with(kRoot)) return bad();
  std::string_view rest = topic.substr(kRoot.size());
  std::string_view first;
  std::string_view name;
  if (!take_level(rest, first) || !take_level(rest, name)) return bad();

  UpTopic parsed;
  if (first == "c") {
    Result<ClaimName> claim = ClaimName::parse(name);
    if (!claim) return claim.error();
    if (!take_level(rest, name) || rest != "up") return bad();
    parsed.kind = UpKind::kEnroll;
    parsed.claim = *std::move(claim);
  } else if (first == "enroll") {
    if (rest != "up") return bad();
    parsed.kind = UpKind::kEnroll;
  } else {
    std::string_view direction;
    if (!take_level(rest, direction) || direction != "up") return bad();
    const Result<uint8_t> shard = parse_shard(first);
    if (!shard) return shard.error();
    parsed.shard = *shard;
    bool known = false;
    for (const auto& [kind, text] : kUpKinds) {
      if (text != rest) continue;
      parsed.kind = kind;
      known = true;
    }
    if (!known) {
      return invalid("UNKNOWN_TOPIC_KIND", shown(rest) + " is not something a device says");
    }
  }
  Result<DeviceId> device = DeviceId::parse(name);
  if (!device) return device.error();
  parsed.device = std::move(*device);
  return parsed;
}

std::string down_topic(uint8_t shard, const DeviceId& device, DownKind kind) {
  std::string topic(kRoot);
  topic += shard_text(shard);
  topic += '/';
  topic += device.str();
  topic += "/down/";
  topic += to_string(kind);
  return topic;
}

std::string enroll_down_topic(const DeviceId& device, const ClaimName& claim) {
  return std::string(kRoot) + (claim.empty() ? "enroll" : "c/" + claim.str()) + "/" + device.str() +
         "/down";
}

std::string manifest_topic(const Digest& digest) {
  return std::string(kRoot) + "m/" + to_hex(digest);
}

std::string root_topic(uint32_t version) { return fmt::format("{}m/root-{}", kRoot, version); }

}  // namespace covey::mqtt
