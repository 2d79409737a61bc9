// SPDX-License-Identifier: Apache-2.0
// The gateway's reading and writing of the device wire, against the generated messages.
#include <gtest/gtest.h>

#include "covey/device/v1/device.pb.h"
#include "deploy/signing/sha256.hpp"
#include "gateway/codec/device_codec.hpp"
#include "gateway/codec/report_decoder.hpp"
#include "gateway/engine/fleet/fleet.hpp"

namespace covey {
namespace {

namespace wire = covey::device::v1;
using codec::decode_device_message;

Bytes bytes_of(const google::protobuf::MessageLite& message) {
  const std::string text = message.SerializeAsString();
  return {text.begin(), text.end()};
}
std::string digest_text(char c) { return std::string(32, c); }
Digest digest(uint8_t byte) {
  Digest digest;
  digest.bytes.fill(byte);
  return digest;
}

wire::Hello hello() {
  wire::Hello hello;
  hello.set_boot_id(0x1122334455667788);
  hello.set_nonce(42);
  hello.set_site_epoch(3);
  hello.set_goal_counter(9);
  hello.set_uptime_ms(1234);
  hello.set_status_number(5);
  hello.set_connection(2);
  hello.set_device_id("press-01");
  wire::DeviceFacts& facts = *hello.mutable_facts();
  facts.set_device_class("m4f-256k");
  facts.set_firmware("2.1.0");
  facts.set_agent("1.0.0");
  facts.set_slot_bytes(65'536);
  facts.set_arena_bytes(32'768);
  facts.set_message_bytes_max(2048);
  facts.set_runtime(1);
  facts.set_operator_set(77);
  facts.set_algorithms(2);
  facts.set_preprocessing_id(4);
  wire::ModelState& model = *hello.add_models();
  model.set_model("bearing");
  model.set_confirmed(digest_text('a'));
  model.set_active(digest_text('b'));
  model.set_candidate(digest_text('c'));
  model.set_fallback(digest_text('d'));
  model.set_phase(wire::PHASE_PROBATION_OK);
  model.set_attempt(6);
  model.set_reason(wire::REASON_WATCHDOG);
  model.set_chunks_have(7);
  model.set_chunks_total(8);
  model.set_journal_generation(10);
  model.set_security_floor(11);
  model.set_retry_after_s(12);
  model.set_port_code(-13);
  model.set_fallback_reason(wire::REASON_BOOT_LOOP);
  return hello;
}

std::string text_of(const Status& status) {
  return status.ok() ? "" : status.error().reason + " " + status.error().message;
}

std::string reason_of(std::string_view kind, const Bytes& payload) {
  if (kind == "report") {
    engine::ReportMessage report;
    return text_of(codec::ReportDecoder().read(payload, report));
  }
  const auto message = decode_device_message(kind, payload);
  return message.ok() ? "" : message.error().reason + " " + message.error().message;
}

TEST(DeviceCodec, HelloComesThroughWhole) {
  const auto message = decode_device_message("hello", bytes_of(hello()));
  ASSERT_TRUE(message.ok()) << message.error().message;
  const auto& h = std::get<engine::HelloMessage>(*message);
  EXPECT_EQ(h.device.str(), "press-01");
  EXPECT_EQ(h.boot_id, 0x1122334455667788U);
  EXPECT_EQ(h.nonce, 42U);
  EXPECT_EQ(h.site_epoch, 3U);
  EXPECT_EQ(h.goal_counter, 9U);
  EXPECT_EQ(h.uptime_ms, 1234U);
  EXPECT_EQ(h.status_number, 5U);
  EXPECT_EQ(h.connection, 2U);
  EXPECT_EQ(h.facts, (DeviceFacts{.device_class = DeviceClass("m4f-256k"),
                                  .firmware = "2.1.0",
                                  .agent = "1.0.0",
                                  .slot_bytes = 65'536,
                                  .arena_bytes = 32'768,
                                  .message_bytes_max = 2048,
                                  .runtime = 1,
                                  .operator_set = 77,
                                  .algorithms = 2,
                                  .preprocessing_id = 4}));
  ASSERT_EQ(h.models.size(), 1U);
  EXPECT_EQ(h.models[0], (ModelReport{.model = ModelName("bearing"),
                                      .confirmed = digest('a'),
                                      .active = digest('b'),
                                      .candidate = digest('c'),
                                      .fallback = digest('d'),
                                      .phase = "PROBATION_OK",
                                      .reason = "WATCHDOG",
                                      .fallback_reason = "BOOT_LOOP",
                                      .attempt = 6,
                                      .chunks_have = 7,
                                      .chunks_total = 8,
                                      .journal_generation = 10,
                                      .security_floor = 11,
                                      .retry_after_s = 12,
                                      .port_code = -13}));
}

// Devices live ten years: what newer firmware says is kept by number and shown.
TEST(DeviceCodec, UnknownNumbersAndFieldsOfNewerFirmwareAreKept) {
  wire::Hello h = hello();
  h.mutable_models(0)->set_phase(17);
  h.mutable_models(0)->set_reason(618);
  h.mutable_models(0)->set_fallback_reason(407);
  Bytes payload = bytes_of(h);
  payload.insert(payload.end(), {0xf8, 0x07, 0x01});  // field 127
  const auto message = decode_device_message("hello", payload);
  ASSERT_TRUE(message.ok());
  const ModelReport& report = std::get<engine::HelloMessage>(*message).models[0];
  EXPECT_EQ(report.phase, "PHASE_17");
  EXPECT_EQ(report.reason, "REASON_618");
  EXPECT_EQ(report.fallback_reason, "RUNTIME_407");
}

TEST(DeviceCodec, WhatIsNotAMessageIsRefusedWithItsField) {
  EXPECT_TRUE(
      reason_of("hello", Bytes(codec::kPayloadBytesMax + 1)).starts_with("PAYLOAD_TOO_LARGE"));
  EXPECT_TRUE(reason_of("hello", {0xff, 0xff}).starts_with("MALFORMED"));
  EXPECT_TRUE(reason_of("goal", {}).starts_with("MALFORMED"));
  EXPECT_TRUE(reason_of("hello", {}).starts_with("FIELD_INVALID facts.device_class"));
  const auto changed = [](const auto& change) {
    wire::Hello h = hello();
    change(h);
    return reason_of("hello", bytes_of(h));
  };
  EXPECT_TRUE(changed([](wire::Hello& h) {
                h.set_device_id("a/b");
              }).starts_with("FIELD_INVALID device_id"));
  EXPECT_TRUE(changed([](wire::Hello& h) {
                h.set_uptime_ms(~uint64_t{0});
              }).starts_with("FIELD_INVALID uptime_ms"));
  EXPECT_TRUE(changed([](wire::Hello& h) {
                h.mutable_models(0)->set_model("Not A Name");
              }).starts_with("FIELD_INVALID models.model"));
  EXPECT_TRUE(changed([](wire::Hello& h) {
                h.mutable_models(0)->set_candidate("short");
              }).starts_with("FIELD_INVALID models.candidate"));
  EXPECT_TRUE(changed([](wire::Hello& h) {
                for (int i = 0; i < 8; ++i) *h.add_models() = h.models(0);
              }).starts_with("FIELD_INVALID models"));
  EXPECT_TRUE(changed([](wire::Hello& h) {
                h.mutable_facts()->set_firmware(std::string(65, 'x'));
              }).starts_with("FIELD_INVALID facts.firmware"));
}

wire::Report report() {
  wire::Report r;
  r.set_boot_id(1);
  r.set_manifest("12345678");
  r.set_sequence(4);
  r.set_base_sequence(2);
  r.set_t0_ms(100);
  r.set_t1_ms(200);
  r.set_merged(1);
  r.set_inferences(3);
  r.set_inferences_total(30);
  r.add_classes(1);
  r.add_classes(2);
  wire::FeatureWindow& feature = *r.add_features();
  feature.add_bins(1);
  feature.add_bins(2);
  feature.set_min(-7);
  feature.set_max(9);
  feature.set_sum(-3);
  feature.set_sum_squares(200);
  wire::Sample& sample = *r.add_samples();
  sample.set_inference(28);
  sample.set_class_(1);
  sample.set_confidence(250);
  sample.set_probability(655);
  sample.set_uptime_ms(150);
  for (const uint32_t count : {1, 0, 2}) r.add_joint(count);
  r.mutable_energy()->add_buckets(1);
  r.mutable_energy()->add_buckets(2);
  r.mutable_energy()->set_sum_uj(60);
  wire::Health& health = *r.mutable_health();
  health.set_heap_free_min_bytes(11);
  health.set_arena_used_max_bytes(12);
  health.set_stack_used_max_bytes(13);
  health.set_drops(14);
  health.set_rejects(15);
  health.set_watchdog_resets(16);
  health.set_saturated(17);
  return r;
}

TEST(DeviceCodec, ReportComesThroughWhole) {
  engine::ReportMessage r;
  ASSERT_TRUE(codec::ReportDecoder().read(bytes_of(report()), r).ok());
  EXPECT_EQ(r.sequence, 4U);
  EXPECT_EQ(r.base_sequence, 2U);
  EXPECT_EQ(r.inferences_total, 30U);
  EXPECT_EQ(r.counts.inferences, 3U);
  EXPECT_EQ(r.counts.classes, (monitoring::Counts{1, 2}));
  ASSERT_EQ(r.counts.features.size(), 1U);
  EXPECT_EQ(r.counts.features[0].min, -7);
  EXPECT_EQ(r.counts.features[0].max, 9);
  EXPECT_EQ(r.counts.features[0].sum, -3);
  ASSERT_EQ(r.samples.size(), 1U);
  EXPECT_EQ(r.samples[0].inference, 28U);
  EXPECT_EQ(r.samples[0].predicted, 1U);
  EXPECT_EQ(r.counts.joint, (monitoring::Counts{1, 0, 2}));
  EXPECT_EQ(r.counts.energy, (monitoring::Counts{1, 2}));
  EXPECT_EQ(r.counts.energy_sum_uj, 60U);
  EXPECT_EQ(r.counts.health.heap_free_min_bytes, 11U);
  EXPECT_EQ(r.counts.health.arena_used_max_bytes, 12U);
  EXPECT_EQ(r.counts.health.stack_used_max_bytes, 13U);
  EXPECT_EQ(r.counts.health.drops, 14U);
  EXPECT_EQ(r.counts.health.rejects, 15U);
  EXPECT_EQ(r.counts.health.watchdog_resets, 16U);
  EXPECT_EQ(r.counts.health.saturated, 17U);
}

TEST(DeviceCodec, AFeatureWithoutValuesHasNoExtremes) {
  wire::Report r = report();
  r.mutable_features(0)->clear_bins();
  r.mutable_features(0)->set_missing(3);
  engine::ReportMessage message;
  ASSERT_TRUE(codec::ReportDecoder().read(bytes_of(r), message).ok());
  const auto& feature = message.counts.features[0];
  EXPECT_GT(feature.min, feature.max);
}

TEST(DeviceCodec, AReportSaysNothingOfTheOneBefore) {
  codec::ReportDecoder decoder;
  engine::ReportMessage again;
  ASSERT_TRUE(decoder.read(bytes_of(report()), again).ok());
  wire::Report least;
  least.set_manifest("12345678");
  least.set_sequence(9);
  least.add_features();
  ASSERT_TRUE(decoder.read(bytes_of(least), again).ok());
  engine::ReportMessage fresh;
  ASSERT_TRUE(codec::ReportDecoder().read(bytes_of(least), fresh).ok());
  EXPECT_EQ(again, fresh);
}

TEST(DeviceCodec, ReportsAreBounded) {
  const auto changed = [](const auto& change) {
    wire::Report r = report();
    change(r);
    return reason_of("report", bytes_of(r));
  };
  EXPECT_EQ(changed([](wire::Report&) {}), "");
  EXPECT_TRUE(changed([](wire::Report& r) {
                r.set_manifest("123");
              }).starts_with("FIELD_INVALID manifest"));
  EXPECT_TRUE(changed([](wire::Report& r) {
                r.set_t1_ms(uint64_t{1} << 63U);
              }).starts_with("FIELD_INVALID t1_ms"));
  EXPECT_TRUE(changed([](wire::Report& r) {
                r.add_samples()->set_uptime_ms(~uint64_t{0});
              }).starts_with("FIELD_INVALID samples.uptime_ms"));
  const auto many = [&](const std::string& field, int count, const auto& add) {
    EXPECT_TRUE(changed([&](wire::Report& r) {
                  for (int i = 0; i < count; ++i) add(r);
                }).starts_with("FIELD_INVALID " + field))
        << field;
  };
  many("classes", 65, [](wire::Report& r) { r.add_classes(1); });
  many("confidence", 17, [](wire::Report& r) { r.add_confidence(1); });
  many("latency", 65, [](wire::Report& r) { r.add_latency(1); });
  many("features", 17, [](wire::Report& r) { r.add_features(); });
  many("features.bins", 65, [](wire::Report& r) { r.mutable_features(0)->add_bins(1); });
  many("joint", 17, [](wire::Report& r) { r.add_joint(1); });
  many("energy.buckets", 17, [](wire::Report& r) { r.mutable_energy()->add_buckets(1); });
  many("samples", 257, [](wire::Report& r) { r.add_samples(); });
}

TEST(DeviceCodec, FetchAndByeAndEnroll) {
  wire::Fetch fetch;
  fetch.set_manifest(digest_text('m'));
  fetch.set_first(3);
  fetch.set_bitmap(0b101);
  fetch.set_attempt(2);
  const auto message = decode_device_message("fetch", bytes_of(fetch));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(std::get<engine::FetchMessage>(*message).bitmap, 0b101U);
  fetch.set_first(kChunksMax + 1);
  EXPECT_TRUE(reason_of("fetch", bytes_of(fetch)).starts_with("FIELD_INVALID first"));
  wire::Bye bye;
  bye.set_boot_id(4);
  bye.set_connection(6);
  EXPECT_EQ(std::get<engine::ByeMessage>(*decode_device_message("bye", bytes_of(bye))).connection,
            6U);

  wire::EnrollRequest request;
  request.set_device_id("press-01");
  request.set_nonce(8);
  request.mutable_facts()->set_device_class("m4");
  request.add_models("bearing");
  const auto enroll = codec::decode_enroll(bytes_of(request));
  ASSERT_TRUE(enroll.ok());
  EXPECT_EQ(enroll->models.at(0).str(), "bearing");
  request.set_nonce(0);
  EXPECT_EQ(codec::decode_enroll(bytes_of(request)).error().message, "nonce: must not be 0");
  request.set_nonce(8);
  request.set_device_id("svc-gateway");
  EXPECT_FALSE(codec::decode_enroll(bytes_of(request)).ok()) << "a reserved name";
  for (int i = 0; i < 8; ++i) request.add_models("m");
  request.set_device_id("press-01");
  EXPECT_FALSE(codec::decode_enroll(bytes_of(request)).ok());
}

engine::GoalMessage goal(int models) {
  engine::GoalMessage goal{.site_epoch = 0xffffffff,
                           .counter = UINT64_MAX,
                           .device = DeviceId(std::string(20, 'd')),
                           .nonce = 5,
                           .models = {},
                           .lease_s = 86'400};
  for (int i = 0; i < models; ++i) {
    goal.models.push_back({.model = ModelName("model-" + std::to_string(i)),
                           .confirmed = digest(1),
                           .candidate = digest(2),
                           .may_confirm = true,
                           .attempt = 3,
                           .security_floor = 4});
  }
  return goal;
}

// What is admitted by the bound can be sent.
TEST(DeviceCodec, AGoalIsNoLongerThanItsBound) {
  for (int models = 1; models <= 3; ++models) {
    engine::GoalMessage message = goal(models);
    message.settings = {86'400, 65'536};
    message.models.back().security_floor = UINT32_MAX;
    message.models.back().attempt = UINT32_MAX;
    if (models == 3) message.models.front().candidate.reset();
    const size_t bound = engine::goal_bytes_max(message);
    const Result<Bytes> payload = codec::encode(message, digest(1));
    if (!payload) {
      EXPECT_EQ(payload.error().reason, "GOAL_TOO_LARGE");
      EXPECT_GT(bound, codec::kGoalBytesMax);
      continue;
    }
    EXPECT_LE(payload->size(), bound);
    EXPECT_LE(bound, payload->size() + 20U) << "so much more is refused for nothing";
  }
}

TEST(DeviceCodec, AGoalIsSealedForItsDevice) {
  const Digest key = digest(0x42);
  const Result<Bytes> payload = codec::encode(goal(1), key);
  ASSERT_TRUE(payload.ok());
  // The mac is the last field: tag 0x7a, length 16; its input is "goal\0" device "\0" body.
  ASSERT_GT(payload->size(), 18U);
  const size_t body = payload->size() - 18;
  EXPECT_EQ((*payload)[body], 0x7a);
  EXPECT_EQ((*payload)[body + 1], 16);
  Bytes input{'g', 'o', 'a', 'l', 0};
  input.insert(input.end(), 20, 'd');
  input.push_back(0);
  input.insert(input.end(), payload->begin(), payload->begin() + static_cast<std::ptrdiff_t>(body));
  const Digest16 mac = hmac_sha256_16(key.bytes, input);
  EXPECT_TRUE(
      std::equal(mac.begin(), mac.end(), payload->begin() + static_cast<std::ptrdiff_t>(body + 2)));
  wire::Goal parsed;
  ASSERT_TRUE(parsed.ParseFromArray(payload->data(), static_cast<int>(payload->size())));
  EXPECT_EQ(parsed.counter(), UINT64_MAX);
  EXPECT_EQ(parsed.nonce(), 5U);
  EXPECT_EQ(parsed.mac().size(), 16U);
  ASSERT_EQ(parsed.models_size(), 1);
  EXPECT_EQ(parsed.models(0).candidate(), std::string(32, '\2'));
  EXPECT_EQ(parsed.models(0).confirmed(), std::string(8, '\1'));
  EXPECT_TRUE(parsed.models(0).may_confirm());
  EXPECT_EQ(parsed.models(0).mode(), static_cast<uint32_t>(wire::GOAL_MODE_ACTIVE));
  // model_id: the first four bytes of SHA-256 of its name, little endian.
  const Digest name = sha256(as_bytes(std::string_view("model-0")));
  EXPECT_EQ(parsed.models(0).model_id(), static_cast<uint32_t>(name.bytes[0]) |
                                             static_cast<uint32_t>(name.bytes[1]) << 8U |
                                             static_cast<uint32_t>(name.bytes[2]) << 16U |
                                             static_cast<uint32_t>(name.bytes[3]) << 24U);
  EXPECT_NE(codec::encode(goal(1), digest(0x43)).value(), *payload);
}

TEST(DeviceCodec, AGoalHasAtMost256Bytes) {
  int fits = 0;
  for (int models = 1; models <= 8; ++models) {
    const Result<Bytes> payload = codec::encode(goal(models), digest(1));
    if (payload) {
      EXPECT_LE(payload->size(), codec::kGoalBytesMax);
      ++fits;
    } else {
      EXPECT_EQ(payload.error().reason, "GOAL_TOO_LARGE");
    }
  }
  EXPECT_GE(fits, 2);
  EXPECT_LT(fits, 8);
}

TEST(DeviceCodec, SettingsAreInAGoalOnlyWhereSomebodySetThem) {
  engine::GoalMessage message = goal(1);
  wire::Goal sent;
  const Result<Bytes> without = codec::encode(message, digest(1));
  ASSERT_TRUE(without.ok());
  ASSERT_TRUE(sent.ParseFromArray(without->data(), static_cast<int>(without->size())));
  EXPECT_FALSE(sent.has_settings()) << "released firmware sees the bytes that it knows";
  message.settings = {86'400, 1};
  const Result<Bytes> with = codec::encode(message, digest(1));
  ASSERT_TRUE(with.ok());
  ASSERT_TRUE(sent.ParseFromArray(with->data(), static_cast<int>(with->size())));
  EXPECT_EQ(sent.settings().report_interval_s(), 86'400U);
  EXPECT_EQ(sent.settings().sample_scale(), 1U);
  EXPECT_LE(with->size() - without->size(), 10U);
  EXPECT_EQ(with->at(with->size() - 18), 0x7a) << "the mac stays the last field";
}

TEST(DeviceCodec, AcksGrantsChunksAndSite) {
  const Bytes ack_bytes =
      codec::encode(engine::AckMessage{.boot_id = 1,
                                       .streams = {{engine::prefix_of(digest(9)), 12, 0b1010}},
                                       .status_number = 3,
                                       .credit = 4,
                                       .backoff_ms = 50,
                                       .reports_only = true},
                    DeviceId("a"), digest(1));
  wire::Ack ack;
  ASSERT_TRUE(ack.ParseFromArray(ack_bytes.data(), static_cast<int>(ack_bytes.size())));
  EXPECT_TRUE(ack.reports_only());
  EXPECT_EQ(ack.streams(0).cumulative(), 12U);
  EXPECT_EQ(ack.streams(0).bitmap(), 0b1010U);
  EXPECT_EQ(ack.mac().size(), 16U);

  engine::GrantMessage grant{.nonce = 7,
                             .state = engine::EnrollState::kPending,
                             .order_key = digest(1),
                             .username = "a",
                             .password = "secret",
                             .retry_after_s = 5};
  Bytes bytes = codec::encode(grant, {});
  wire::EnrollGrant parsed;
  ASSERT_TRUE(parsed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_TRUE(parsed.order_key().empty() && parsed.password().empty()) << "keys for the unknown";
  grant.state = engine::EnrollState::kAccepted;
  bytes = codec::encode(grant, {});
  ASSERT_TRUE(parsed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(parsed.password(), "secret");
  EXPECT_EQ(parsed.order_key().size(), 32U);

  bytes = codec::encode_chunk(engine::prefix_of(digest(9)), 4, engine::ChunkResult::kBusy, 250, {});
  wire::Chunk chunk;
  ASSERT_TRUE(chunk.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(chunk.result(), static_cast<uint32_t>(wire::CHUNK_RESULT_BUSY));
  EXPECT_EQ(chunk.retry_after_ms(), 250U);

  bytes = codec::encode(engine::SiteMessage{2, 99, 1000ms, 2000ms});
  wire::Site site;
  ASSERT_TRUE(site.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(site.gateway_start_id(), 99U);
  EXPECT_EQ(site.hello_jitter_ms(), 2000U);
}

}  // namespace
}  // namespace covey
