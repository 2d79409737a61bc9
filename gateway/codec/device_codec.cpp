// SPDX-License-Identifier: Apache-2.0
#include "gateway/codec/device_codec.hpp"

#include <algorithm>

#include "core/limits.hpp"
#include "covey/device/v1/device.pb.h"
#include "deploy/signing/sha256.hpp"

namespace covey::codec {
namespace {

namespace wire = covey::device::v1;

constexpr size_t kTextMax = 64;
constexpr int kModelsMax = COVEY_DEVICE_MODELS_MAX;

Error field(std::string_view name, std::string_view what) {
  return invalid("FIELD_INVALID", std::string(name) + ": " + std::string(what));
}

template <typename Message>
Result<Message> parse(ByteView payload) {
  if (payload.size() > kPayloadBytesMax) {
    return invalid("PAYLOAD_TOO_LARGE", std::to_string(payload.size()) + " bytes, at most " +
                                            std::to_string(kPayloadBytesMax));
  }
  Message message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return invalid("MALFORMED", "not a " + message.GetTypeName());
  }
  return message;
}

ByteView view(const std::string& text) { return as_bytes(text); }

Result<std::optional<Digest>> optional_digest(std::string_view name, const std::string& bytes) {
  if (bytes.empty()) return std::optional<Digest>{};
  const Result<Digest> digest = digest_from_bytes(view(bytes));
  if (!digest) return field(name, "a digest has 32 bytes");
  return std::optional<Digest>(*digest);
}

// Numbers of newer firmware are kept and shown.
std::string phase_text(uint32_t number) {
  constexpr std::string_view kPrefix = "PHASE_";
  if (wire::Phase_IsValid(static_cast<int>(number))) {
    return wire::Phase_Name(static_cast<wire::Phase>(number)).substr(kPrefix.size());
  }
  return "PHASE_" + std::to_string(number);
}

std::string reason_text(uint32_t number) {
  constexpr std::string_view kPrefix = "REASON_";
  if (number == 0) return "";
  if (wire::Reason_IsValid(static_cast<int>(number))) {
    return wire::Reason_Name(static_cast<wire::Reason>(number)).substr(kPrefix.size());
  }
  return number > 400 && number < 450 ? "RUNTIME_" + std::to_string(number)
                                      : "REASON_" + std::to_string(number);
}

Result<DeviceFacts> facts_of(const wire::DeviceFacts& facts) {
  const Result<DeviceClass> device_class = DeviceClass::parse(facts.device_class());
  if (!device_class) return field("facts.device_class", device_class.error().message);
  if (facts.firmware().size() > kTextMax || facts.agent().size() > kTextMax) {
    return field("facts.firmware, facts.agent", "at most 64 bytes");
  }
  return DeviceFacts{.device_class = *device_class,
                     .firmware = facts.firmware(),
                     .agent = facts.agent(),
                     .slot_bytes = facts.slot_bytes(),
                     .arena_bytes = facts.arena_bytes(),
                     .message_bytes_max = facts.message_bytes_max(),
                     .runtime = facts.runtime(),
                     .operator_set = facts.operator_set(),
                     .algorithms = facts.algorithms(),
                     .preprocessing_id = facts.preprocessing_id()};
}

Result<std::vector<ModelReport>> reports_of(
    const google::protobuf::RepeatedPtrField<wire::ModelState>& states) {
  if (states.size() > kModelsMax) return field("models", "at most 8");
  std::vector<ModelReport> reports;
  for (const wire::ModelState& state : states) {
    Result<ModelName> model = ModelName::parse(state.model());
    if (!model) return field("models.model", model.error().message);
    ModelReport report{.model = *std::move(model)};
    for (const auto& [name, bytes, target] :
         {std::tuple("models.confirmed", &state.confirmed(), &report.confirmed),
          std::tuple("models.active", &state.active(), &report.active),
          std::tuple("models.candidate", &state.candidate(), &report.candidate),
          std::tuple("models.fallback", &state.fallback(), &report.fallback)}) {
      const Result<std::optional<Digest>> digest = optional_digest(name, *bytes);
      if (!digest) return digest.error();
      *target = *digest;
    }
    report.phase = phase_text(state.phase());
    report.reason = reason_text(state.reason());
    report.fallback_reason = reason_text(state.fallback_reason());
    report.attempt = state.attempt();
    report.chunks_have = state.chunks_have();
    report.chunks_total = state.chunks_total();
    report.journal_generation = state.journal_generation();
    report.security_floor = state.security_floor();
    report.retry_after_s = state.retry_after_s();
    report.port_code = state.port_code();
    reports.push_back(std::move(report));
  }
  return reports;
}

Error too_long(std::string_view name) { return field(name, "at most 2^48 ms"); }

Result<engine::DeviceMessage> hello_of(ByteView payload) {
  const Result<wire::Hello> hello = parse<wire::Hello>(payload);
  if (!hello) return hello.error();
  if (hello->uptime_ms() > kUptimeMaxMs) return too_long("uptime_ms");
  engine::HelloMessage message{.boot_id = hello->boot_id(),
                               .nonce = hello->nonce(),
                               .site_epoch = hello->site_epoch(),
                               .goal_counter = hello->goal_counter(),
                               .uptime_ms = hello->uptime_ms(),
                               .status_number = hello->status_number(),
                               .connection = hello->connection(),
                               .certificate = hello->certificate()};
  if (!hello->device_id().empty()) {
    Result<DeviceId> device = DeviceId::parse(hello->device_id());
    if (!device) return field("device_id", device.error().message);
    message.device = *std::move(device);
  }
  Result<DeviceFacts> facts = facts_of(hello->facts());
  if (!facts) return facts.error();
  message.facts = *std::move(facts);
  Result<std::vector<ModelReport>> models = reports_of(hello->models());
  if (!models) return models.error();
  message.models = *std::move(models);
  return engine::DeviceMessage(std::move(message));
}

Result<engine::DeviceMessage> status_of(ByteView payload) {
  const Result<wire::DeviceStatus> status = parse<wire::DeviceStatus>(payload);
  if (!status) return status.error();
  if (status->uptime_ms() > kUptimeMaxMs) return too_long("uptime_ms");
  Result<std::vector<ModelReport>> models = reports_of(status->models());
  if (!models) return models.error();
  return engine::DeviceMessage(engine::StatusMessage{.boot_id = status->boot_id(),
                                                     .number = status->number(),
                                                     .uptime_ms = status->uptime_ms(),
                                                     .models = *std::move(models),
                                                     .site_epoch = status->site_epoch(),
                                                     .goal_counter = status->goal_counter()});
}

Result<engine::DeviceMessage> fetch_of(ByteView payload) {
  const Result<wire::Fetch> fetch = parse<wire::Fetch>(payload);
  if (!fetch) return fetch.error();
  const Result<Digest> manifest = digest_from_bytes(view(fetch->manifest()));
  if (!manifest) return field("manifest", manifest.error().message);
  if (fetch->first() > kChunksMax) return field("first", "beyond the largest image");
  return engine::DeviceMessage(engine::FetchMessage{.manifest = *manifest,
                                                    .first = fetch->first(),
                                                    .bitmap = fetch->bitmap(),
                                                    .attempt = fetch->attempt()});
}

Result<engine::DeviceMessage> bye_of(ByteView payload) {
  const Result<wire::Bye> bye = parse<wire::Bye>(payload);
  if (!bye) return bye.error();
  return engine::DeviceMessage(engine::ByeMessage{bye->boot_id(), bye->connection()});
}

Bytes serialize(const google::protobuf::MessageLite& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(bytes.data());
  return bytes;
}

void append_mac(Bytes& payload, std::string_view kind, const DeviceId& device,
                const Digest& order_key) {
  constexpr uint8_t kEnd = 0;
  const Digest16 mac = hmac_sha256_16(
      order_key.bytes, {as_bytes(kind), {&kEnd, 1}, as_bytes(device.str()), {&kEnd, 1}, payload});
  payload.push_back(0x7a);
  payload.push_back(static_cast<uint8_t>(mac.size()));
  payload.insert(payload.end(), mac.begin(), mac.end());
}

std::string text_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

uint32_t model_id(const ModelName& model) {
  const Digest digest = sha256(as_bytes(model.str()));
  return static_cast<uint32_t>(digest.bytes[0]) | static_cast<uint32_t>(digest.bytes[1]) << 8U |
         static_cast<uint32_t>(digest.bytes[2]) << 16U |
         static_cast<uint32_t>(digest.bytes[3]) << 24U;
}

}  // namespace

Result<engine::DeviceMessage> decode_device_message(std::string_view kind, ByteView payload) {
  if (kind == "hello") return hello_of(payload);
  if (kind == "status") return status_of(payload);
  if (kind == "fetch") return fetch_of(payload);
  if (kind == "bye") return bye_of(payload);
  return invalid("MALFORMED", "no such message: " + std::string(kind.substr(0, 16)));
}

Result<engine::EnrollMessage> decode_enroll(ByteView payload) {
  const Result<wire::EnrollRequest> request = parse<wire::EnrollRequest>(payload);
  if (!request) return request.error();
  Result<DeviceId> device = DeviceId::parse(request->device_id());
  if (!device) return field("device_id", device.error().message);
  Result<DeviceFacts> facts = facts_of(request->facts());
  if (!facts) return facts.error();
  engine::EnrollMessage message{.device = *std::move(device),
                                .nonce = request->nonce(),
                                .facts = *std::move(facts),
                                .models = {},
                                .key = {}};
  const ByteView request_bytes = view(request->certificate_request());
  if (request_bytes.size() > COVEY_CERTIFICATE_REQUEST_BYTES_MAX) {
    return field("certificate_request", "at most 1,024 bytes");
  }
  const ByteView key = view(request->public_key());
  if (!key.empty() && key.size() != COVEY_POINT_BYTES) return field("public_key", "65 bytes");
  const ByteView proof = view(request->claim_proof());
  if (proof.size() > COVEY_CLAIM_PROOF_BYTES) return field("claim_proof", "32 bytes");
  const ByteView certificate = view(request->manufacturer_certificate());
  if (certificate.size() > kDeviceCertificateBytesMax) {
    return field("manufacturer_certificate", "at most 1,024 bytes");
  }
  message.manufacturer_certificate.assign(certificate.begin(), certificate.end());
  message.wants_certificate = !certificate.empty() && request->certificate_wanted();
  message.claim_proof.assign(proof.begin(), proof.end());
  message.certificate_request.assign(request_bytes.begin(), request_bytes.end());
  message.key.assign(key.begin(), key.end());
  if (message.nonce == 0) return field("nonce", "must not be 0");
  if (request->models_size() > kModelsMax) return field("models", "at most 8");
  for (const std::string& name : request->models()) {
    Result<ModelName> model = ModelName::parse(name);
    if (!model) return field("models", model.error().message);
    message.models.push_back(*std::move(model));
  }
  return message;
}

Bytes encode(const engine::SiteMessage& site) {
  wire::Site message;
  message.set_site_epoch(site.site_epoch);
  message.set_gateway_start_id(site.gateway_start_id);
  message.set_utc_ms(static_cast<uint64_t>(site.utc.count()));
  message.set_hello_jitter_ms(static_cast<uint32_t>(site.hello_jitter.count()));
  return serialize(message);
}

Result<Bytes> encode(const engine::GoalMessage& goal, const Digest& order_key) {
  wire::Goal message;
  message.set_site_epoch(goal.site_epoch);
  message.set_counter(goal.counter);
  message.set_device_id(goal.device.str());
  message.set_nonce(goal.nonce);
  message.set_lease_s(goal.lease_s);
  for (const engine::ModelGoal& model : goal.models) {
    wire::ModelGoal& target = *message.add_models();
    target.set_model_id(model_id(model.model));
    if (model.confirmed) {
      target.set_confirmed(text_of(engine::prefix_of(*model.confirmed)));
    }
    if (model.candidate) {
      target.set_candidate(text_of(model.candidate->bytes));
      target.set_mode(static_cast<uint32_t>(model.mode));
    }
    target.set_may_confirm(model.may_confirm);
    target.set_attempt(model.attempt);
    target.set_security_floor(model.security_floor);
  }
  if (goal.settings != DeviceSettings{}) {
    message.mutable_settings()->set_report_interval_s(goal.settings.report_interval_s);
    message.mutable_settings()->set_sample_scale(goal.settings.sample_scale);
  }
  Bytes payload = serialize(message);
  append_mac(payload, "goal", goal.device, order_key);
  if (payload.size() > kGoalBytesMax) {
    return Error{Code::kResourceExhausted, "GOAL_TOO_LARGE",
                 "the goal of " + goal.device.str() + " has " + std::to_string(payload.size()) +
                     " bytes, at most 256: too many models on one device"};
  }
  return payload;
}

Bytes encode(const engine::AckMessage& ack, const DeviceId& device, const Digest& order_key) {
  wire::Ack message;
  message.set_boot_id(ack.boot_id);
  for (const engine::StreamAckMessage& stream : ack.streams) {
    wire::StreamAck& target = *message.add_streams();
    target.set_manifest(text_of(stream.manifest));
    target.set_cumulative(stream.cumulative);
    target.set_bitmap(stream.bitmap);
  }
  message.set_status_number(ack.status_number);
  message.set_credit(ack.credit);
  message.set_backoff_ms(ack.backoff_ms);
  message.set_reports_only(ack.reports_only);
  Bytes payload = serialize(message);
  append_mac(payload, "ack", device, order_key);
  return payload;
}

Bytes encode(const engine::GrantMessage& grant, ByteView certificate) {
  wire::EnrollGrant message;
  message.set_nonce(grant.nonce);
  message.set_state(static_cast<uint32_t>(grant.state));
  if (grant.state == engine::EnrollState::kAccepted) {
    message.set_order_key(text_of(grant.order_key.bytes));
    message.set_username(grant.username);
    message.set_password(grant.password);
    message.set_shard(grant.shard);
    message.set_site_epoch(grant.site_epoch);
    message.set_certificate(certificate.data(), certificate.size());
  }
  message.set_retry_after_s(grant.retry_after_s);
  return serialize(message);
}

Bytes encode_sealed(const engine::GrantMessage& grant, ByteView sealed) {
  wire::EnrollGrant message;
  message.set_nonce(grant.nonce);
  message.set_state(static_cast<uint32_t>(grant.state));
  message.set_sealed(sealed.data(), sealed.size());
  return serialize(message);
}

Bytes encode_certificate(ByteView certificate, const DeviceId& device, const Digest& order_key) {
  wire::Certificate message;
  message.set_certificate(certificate.data(), certificate.size());
  Bytes payload = serialize(message);
  append_mac(payload, "certificate", device, order_key);
  return payload;
}

Bytes encode_chunk(const engine::Prefix& manifest, uint32_t index, engine::ChunkResult result,
                   uint32_t retry_after_ms, ByteView data) {
  wire::Chunk message;
  message.set_manifest(text_of(manifest));
  message.set_index(index);
  message.set_result(static_cast<uint32_t>(result));
  message.set_retry_after_ms(retry_after_ms);
  if (!data.empty()) message.set_data(data.data(), data.size());
  return serialize(message);
}

}  // namespace covey::codec
