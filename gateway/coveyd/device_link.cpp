// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/device_link.hpp"

#include <algorithm>
#include <vector>

#include "gateway/adapters/log/log.hpp"
#include "gateway/adapters/mqtt/topics.hpp"
#include "gateway/adapters/tls/sealing.hpp"
#include "gateway/codec/device_codec.hpp"
#include "gateway/runtime/clocks.hpp"

namespace covey {
namespace {

using runtime::EventClass;

EventClass class_of(mqtt::UpKind kind) {
  switch (kind) {
    case mqtt::UpKind::kHello:
    case mqtt::UpKind::kStatus:
    case mqtt::UpKind::kFetch:
    case mqtt::UpKind::kBye:
    case mqtt::UpKind::kEnroll:
      return EventClass::kLifecycle;
    case mqtt::UpKind::kReport:
      return EventClass::kTelemetry;
  }
  return EventClass::kTelemetry;
}

constexpr size_t kChunksAtOnce = 8;  // of one device
// Of what the client holds (4,096): acknowledgements have room beside chunks, goals and grants, and
// what is there leaves while the next are made. Paho looks through all of it for each message with
// QoS 1, so more would be slower, not faster.
constexpr uint64_t kInFlight = 512;
constexpr Millis kRoomWait = 1s;
constexpr size_t kRequestsWaitingMax = 4'096;

uint8_t shard(uint32_t number) { return static_cast<uint8_t>(number); }

bool lets_in(const engine::Effect& effect) {
  const auto* grant = std::get_if<engine::PublishGrant>(&effect);
  return grant != nullptr && grant->grant.state == engine::EnrollState::kAccepted;
}

tls::Serial serial_of(const Bytes& bytes) {
  tls::Serial serial{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), serial.size()), serial.begin());
  return serial;
}

}  // namespace

DeviceLink::DeviceLink(mqtt::MqttOptions options, mqtt::DeviceShares::Share share,
                       std::function<void()> let_in, std::optional<tls::DeviceAuthority> authority)
    : let_in_(std::move(let_in)),
      authority_(std::move(authority)),
      shares_(share),
      client_(std::move(options), {[this](bool connected) { on_connection(connected); },
                                   [this](std::string_view topic, ByteView payload, bool kept) {
                                     on_message(topic, payload, kept);
                                   }}),
      checking_("covey-requests", 1),
      granting_("covey-grants", 1),
      telling_("covey-goals", 1),
      sending_("covey-chunks", 1) {}

std::map<std::string, uint64_t> DeviceLink::malformed_by_reason() const {
  const std::lock_guard lock(mutex_);
  return malformed_by_reason_;
}

void DeviceLink::on_connection(bool connected) {
  log::log_event(connected ? log::Level::kInfo : log::Level::kWarn,
                 connected ? "broker_connected" : "broker_disconnected");
  runtime_->set_broker_session(connected ? ++sessions_ : 0);
}

void DeviceLink::refuse(const Error& error) {
  ++malformed_;
  const std::lock_guard lock(mutex_);
  ++malformed_by_reason_[error.reason];
}

void DeviceLink::on_message(std::string_view topic, ByteView payload, bool retained) {
  // What a device had the broker keep is no word of now; empty is how such a message is deleted.
  if (retained) return client_.count_drop(mqtt::MqttDrop::kInRetained);
  if (payload.empty()) return client_.count_drop(mqtt::MqttDrop::kInEmpty);
  const Result<mqtt::UpTopic> parsed = mqtt::parse_up_topic(topic);
  if (!parsed) {
    client_.count_drop(mqtt::MqttDrop::kInBadTopic);
    // Whoever wonders why a device never appears finds it here; the log lets through a few.
    log::log_event(log::Level::kWarn, "bad_topic",
                   {{"reason", parsed.error().reason}, {"text", parsed.error().message}});
    return;
  }
  // Before anything of it is read or queued. The last will is the broker's word.
  if (parsed->kind != mqtt::UpKind::kBye &&
      !shares_.take(parsed->device, mqtt::DeviceShares::Clock::now())) {
    client_.count_drop(mqtt::MqttDrop::kInOverShare);
    return;
  }
  engine::Event event = engine::Tick{};
  if (parsed->kind == mqtt::UpKind::kEnroll) {
    Result<engine::EnrollMessage> message = codec::decode_enroll(payload);
    if (!message) return refuse(message.error());
    const bool has_key = !message->key.empty() || !message->certificate_request.empty() ||
                         !message->manufacturer_certificate.empty();
    engine::EnrollReceived asked{parsed->device, *std::move(message), parsed->claim};
    if (has_key && asked.message.device == asked.device) return on_enroll(std::move(asked));
    event = std::move(asked);
  } else if (parsed->kind == mqtt::UpKind::kReport) {
    event = engine::ReportReceived{parsed->device, parsed->shard,
                                   Bytes(payload.begin(), payload.end())};
  } else {
    Result<engine::DeviceMessage> message =
        codec::decode_device_message(mqtt::to_string(parsed->kind), payload);
    if (!message) return refuse(message.error());
    event =
        engine::FromDevice{parsed->device, parsed->shard, *std::move(message),
                           Bytes(payload.begin(), payload.end()), runtime::now_of_clocks().mono};
  }
  if (!runtime_->post(class_of(parsed->kind), std::move(event))) {
    client_.count_drop(mqtt::MqttDrop::kInQueueFull);
  }
}

void DeviceLink::on_enroll(engine::EnrollReceived asked) {
  if (requests_.size() >= kRequestsWaitingMax) {
    return client_.count_drop(mqtt::MqttDrop::kInQueueFull);
  }
  const DeviceId device = asked.device;
  requests_.put(device, std::move(asked));
  (void)checking_.post([this] { check_requests(); });  // one that waits takes all
}

void DeviceLink::check_requests() {
  while (auto asked = requests_.take()) {
    if (!check_key(asked->message)) continue;
    if (!runtime_->post(EventClass::kLifecycle, *std::move(asked))) {
      client_.count_drop(mqtt::MqttDrop::kInQueueFull);
    }
  }
}

bool DeviceLink::check_key(engine::EnrollMessage& message) {
  if (!message.manufacturer_certificate.empty()) return check_manufacturer(message);
  if (!message.certificate_request.empty()) {
    Result<Bytes> key = tls::key_of_request(message.certificate_request, message.device);
    if (key) {
      message.key = *std::move(key);
      message.certificate_request.clear();
      message.wants_certificate = true;
      return true;
    }
    refuse(key.error());
    return false;
  }
  const Status point = tls::check_point(message.key);
  if (!point) refuse(point.error());
  return point.ok();
}

bool DeviceLink::check_manufacturer(engine::EnrollMessage& message) {
  tls::Manufacturers manufacturers;
  {
    const std::lock_guard lock(mutex_);
    manufacturers = manufacturers_;
  }
  Result<tls::ManufacturedDevice> device = manufacturers.device_of(
      message.manufacturer_certificate, message.device, runtime::now_of_clocks().wall);
  if (!device) {
    refuse(device.error());
    log::log_event(log::Level::kWarn, "manufacturer_certificate_refused",
                   {{"device", message.device.str()},
                    {"reason", device.error().reason},
                    {"text", device.error().message}});
    return false;
  }
  if (!device->why_not.empty()) {
    log::log_event(log::Level::kWarn, "manufacturer_not_trusted",
                   {{"device", message.device.str()}, {"text", device->why_not}});
  }
  message.key = std::move(device->key);
  message.certificate_digest = std::move(device->digest);
  message.authority = std::move(device->authority);
  message.manufacturer_certificate.clear();
  message.certificate_request.clear();
  return true;
}

void DeviceLink::trust(const std::vector<AuthorityRecord>& authorities) {
  std::vector<tls::Manufacturer> trusted;
  trusted.reserve(authorities.size());
  for (const AuthorityRecord& row : authorities) trusted.push_back({row.name, row.certificate});
  tls::Manufacturers manufacturers(trusted);
  const std::lock_guard lock(mutex_);
  manufacturers_ = std::move(manufacturers);
}

// What does not go out is said again: goals at the next hello, the rest when devices ask.
bool DeviceLink::publish(const std::string& topic, ByteView payload, mqtt::Qos qos, bool retain) {
  return client_.publish(topic, payload, qos, retain).ok();
}

void DeviceLink::deliver(std::span<const engine::Effect> effects) {
  for (const engine::Effect& effect : effects) {
    if (lets_in(effect)) {
      grant_later(effect);
    } else if (const auto* certificate = std::get_if<engine::PublishCertificate>(&effect)) {
      certificates_.put(certificate->device, *certificate);
      (void)granting_.post([this] { give_grants(); });
    } else {
      deliver_one(effect);
    }
  }
}

// A broker that is slow to take passwords holds up those whom it lets in, and nobody else.
void DeviceLink::grant_later(const engine::Effect& effect) {
  const auto& grant = std::get<engine::PublishGrant>(effect);
  grants_.put(grant.device, grant);
  (void)granting_.post([this] { give_grants(); });  // one that waits takes all
}

void DeviceLink::give_grants() {
  std::vector<engine::PublishGrant> grants;
  while (auto grant = grants_.take()) grants.push_back(*std::move(grant));
  if (!grants.empty() && let_in_) let_in_();
  for (const engine::PublishGrant& grant : grants) {
    while (client_.connected() && !has_room()) {
    }
    publish_grant(grant);
  }
  give_certificates();
}

void DeviceLink::give_certificates() {
  while (client_.connected()) {
    if (!has_room()) continue;
    const auto next = certificates_.take();
    if (!next) return;
    publish_certificate(*next);
  }
  certificates_.clear();  // said again after the next hello
}

Bytes DeviceLink::issue(const DeviceId& device, const engine::CertificateOrder& order) const {
  if (!authority_) return {};
  Result<Bytes> der = authority_->issue({.device = device,
                                         .key = order.key,
                                         .serial = serial_of(order.serial),
                                         .not_before = order.from,
                                         .not_after = order.until});
  if (der) return *std::move(der);
  log::log_event(log::Level::kError, "certificate_not_issued",
                 {{"device", device.str()}, {"reason", der.error().message}});
  return {};
}

void DeviceLink::publish_grant(const engine::PublishGrant& grant) {
  const engine::GrantMessage& message = grant.grant;
  Bytes certificate;
  if (message.certificate) certificate = issue(grant.device, *message.certificate);
  Bytes payload = codec::encode(message, certificate);
  if (!message.key.empty() && message.state == engine::EnrollState::kAccepted) {
    const Result<Bytes> sealed = tls::seal(message.key, tls::kEnrolmentInfo, payload);
    if (!sealed) {  // never in clear
      log::log_event(log::Level::kError, "grant_not_sealed",
                     {{"device", grant.device.str()}, {"reason", sealed.error().message}});
      return;
    }
    payload = codec::encode_sealed(message, *sealed);
  }
  (void)publish(mqtt::enroll_down_topic(grant.device, grant.claim), payload,
                mqtt::Qos::kAtLeastOnce, false);
}

void DeviceLink::publish_certificate(const engine::PublishCertificate& next) {
  const Bytes certificate = issue(next.device, next.certificate);
  if (certificate.empty()) return;
  (void)publish(mqtt::down_topic(shard(next.shard), next.device, mqtt::DownKind::kCertificate),
                codec::encode_certificate(certificate, next.device, next.order_key),
                mqtt::Qos::kAtLeastOnce, false);
}

void DeviceLink::tell_later(const DeviceId& device, GoalOrNone goal) {
  goals_.put(device, std::move(goal));
  (void)telling_.post([this] { tell_goals(); });  // one that waits takes all
}

void DeviceLink::tell_goals() {
  while (client_.connected()) {
    if (!has_room()) continue;
    const auto next = goals_.take();
    if (!next) return;
    if (const auto* goal = std::get_if<engine::PublishGoal>(&*next)) {
      publish_goal(*goal);
    } else {
      const auto& gone = std::get<engine::ClearGoal>(*next);
      (void)publish(mqtt::down_topic(shard(gone.shard), gone.device, mqtt::DownKind::kGoal), {},
                    mqtt::Qos::kAtLeastOnce, true);
    }
  }
  goals_.clear();  // told again when a session begins
}

void DeviceLink::publish_goal(const engine::PublishGoal& goal) {
  const Result<Bytes> payload = codec::encode(goal.goal, goal.order_key);
  if (!payload) {
    log::log_event(log::Level::kError, "goal_refused",
                   {{"device", goal.device.str()}, {"reason", payload.error().message}});
    return;
  }
  (void)publish(mqtt::down_topic(shard(goal.shard), goal.device, mqtt::DownKind::kGoal), *payload,
                mqtt::Qos::kAtLeastOnce, true);
}

// Waits a while for it. Of what has lanes of its own.
bool DeviceLink::has_room() {
  return client_.counters().in_flight < kInFlight || client_.await_room(kInFlight / 2, kRoomWait);
}

void DeviceLink::send_chunks() {
  while (client_.connected()) {
    if (!has_room()) continue;
    const std::optional<engine::PublishChunks> some = chunks_.take(kChunksAtOnce);
    if (!some) return;
    for (const uint32_t index : some->indexes) publish_chunk(*some, index);
  }
  chunks_.clear();  // their devices ask again
}

void DeviceLink::publish_chunk(const engine::PublishChunks& chunks, uint32_t index) {
  ByteView data;
  if (chunks.result == engine::ChunkResult::kOk) {
    const ByteView image = chunks.artifact->image;
    const size_t size = chunks.artifact->manifest.chunk_size_bytes;
    const size_t begin = index * size;
    data = image.subspan(begin, std::min(size, image.size() - begin));
  }
  const bool out = publish(
      mqtt::down_topic(shard(chunks.shard), chunks.device, mqtt::DownKind::kChunk),
      codec::encode_chunk(chunks.manifest, index, chunks.result, chunks.retry_after_ms, data),
      mqtt::Qos::kAtMostOnce, false);
  if (out && !data.empty()) ++chunks_sent_;
}

void DeviceLink::deliver_one(const engine::Effect& effect) {
  struct Deliver {
    DeviceLink& link;

    void operator()(const engine::PublishSite& e) const {
      (void)link.publish(std::string(mqtt::kSiteTopic), codec::encode(e.site),
                         mqtt::Qos::kAtLeastOnce, true);
    }
    void operator()(const engine::PublishGoal& e) const { link.tell_later(e.device, e); }
    void operator()(const engine::PublishAck& e) const {
      (void)link.publish(mqtt::down_topic(shard(e.shard), e.device, mqtt::DownKind::kAck),
                         codec::encode(e.ack, e.device, e.order_key), mqtt::Qos::kAtMostOnce,
                         false);
    }
    void operator()(const engine::PublishBlob& e) const {
      (void)link.publish(mqtt::manifest_topic(e.digest), e.bytes, mqtt::Qos::kAtLeastOnce, true);
    }
    void operator()(const engine::PublishRoot& e) const {
      (void)link.publish(mqtt::root_topic(e.version), e.document, mqtt::Qos::kAtLeastOnce, true);
    }
    void operator()(const engine::PublishChunks& e) const {
      if (e.result != engine::ChunkResult::kOk) {
        for (const uint32_t index : e.indexes) link.publish_chunk(e, index);
        return;
      }
      link.chunks_.put(e);
      (void)link.sending_.post([&link = link] { link.send_chunks(); });  // one that waits takes all
    }
    void operator()(const engine::PublishGrant& e) const { link.publish_grant(e); }
    void operator()(const engine::ClearGoal& e) const { link.tell_later(e.device, e); }
    void operator()(const engine::PublishCertificate&) const {}  // deliver() has put it aside
    void operator()(const engine::TrustAuthorities& e) const { link.trust(e.authorities); }
    // Not for devices: the router gives them to others.
    void operator()(const engine::RevokeCertificates&) const {}
    void operator()(const engine::SetClaim&) const {}
    void operator()(const engine::SetCredential&) const {}
    void operator()(const engine::Reply&) const {}
    void operator()(const engine::LogLine&) const {}
    void operator()(const engine::JudgeWindow&) const {}
  };
  std::visit(Deliver{*this}, effect);
}

}  // namespace covey
