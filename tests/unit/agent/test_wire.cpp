// SPDX-License-Identifier: Apache-2.0
// The agent's own protobuf against libprotobuf, both directions: what the agent says is parsed by
// it, and what it writes is read by the agent. Every message of the device wire.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

#include "device_agent/src/wire/wire.h"
#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

// Writes and reads the fields of one message with the agent's codec, whatever they are.
Bytes rewritten(const Bytes& bytes, bool* good) {
  Bytes out(bytes.size() + 16, '\0');
  covey_writer_t w{reinterpret_cast<uint8_t*>(out.data()), 0, out.size(), false};
  covey_bytes_t rest{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  covey_field_t f;
  int result = 0;
  while ((result = covey_read_field(&rest, &f)) > 0) {
    const uint32_t number = f.tag >> 3;
    switch (f.tag & 7) {
      case COVEY_VARINT:
        covey_write_uint64(&w, number, f.value);
        break;
      case COVEY_FIXED32:
        covey_write_fixed32(&w, number, static_cast<uint32_t>(f.value));
        break;
      case COVEY_FIXED64:
        covey_write_fixed64(&w, number, f.value);
        break;
      default:
        if (f.bytes.size == 0) {  // the agent leaves these out, others need not
          covey_write_end(&w, covey_write_begin(&w, number));
        } else {
          covey_write_bytes(&w, number, f.bytes.bytes, f.bytes.size);
        }
    }
  }
  *good = result == 0 && !w.overflow;
  out.resize(w.size);
  return out;
}

// Fills every field of a message with something, some of it large.
void fill(google::protobuf::Message& message, std::mt19937& random, int depth = 0) {
  const auto* type = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  using Field = google::protobuf::FieldDescriptor;
  for (int i = 0; i < type->field_count(); ++i) {
    const Field* field = type->field(i);
    const int times = field->is_repeated() ? static_cast<int>(random() % 5) : 1;
    if (random() % 8 == 0) continue;
    for (int k = 0; k < times; ++k) {
      const uint64_t value = (uint64_t{random()} << 32U | random()) >> (random() % 64);
      const auto set = [&](auto one, auto add) { field->is_repeated() ? add() : one(); };
      switch (field->cpp_type()) {
        case Field::CPPTYPE_UINT32:
          set([&] { reflection->SetUInt32(&message, field, static_cast<uint32_t>(value)); },
              [&] { reflection->AddUInt32(&message, field, static_cast<uint32_t>(value)); });
          break;
        case Field::CPPTYPE_INT32:
          set([&] { reflection->SetInt32(&message, field, static_cast<int32_t>(value)); },
              [&] { reflection->AddInt32(&message, field, static_cast<int32_t>(value)); });
          break;
        case Field::CPPTYPE_UINT64:
          set([&] { reflection->SetUInt64(&message, field, value); },
              [&] { reflection->AddUInt64(&message, field, value); });
          break;
        case Field::CPPTYPE_INT64:
          set([&] { reflection->SetInt64(&message, field, static_cast<int64_t>(value)); },
              [&] { reflection->AddInt64(&message, field, static_cast<int64_t>(value)); });
          break;
        case Field::CPPTYPE_BOOL:
          set([&] { reflection->SetBool(&message, field, value != 0); },
              [&] { reflection->AddBool(&message, field, value != 0); });
          break;
        case Field::CPPTYPE_STRING: {
          const Bytes text(value % 200, 's');
          set([&] { reflection->SetString(&message, field, text); },
              [&] { reflection->AddString(&message, field, text); });
          break;
        }
        case Field::CPPTYPE_MESSAGE:
          if (depth < 3) {
            fill(field->is_repeated() ? *reflection->AddMessage(&message, field)
                                      : *reflection->MutableMessage(&message, field),
                 random, depth + 1);
          }
          break;
        default:
          FAIL() << "no such field in the device wire";
      }
    }
  }
}

TEST(Wire, EveryMessageIsReadAndWrittenAsLibprotobufDoes) {
  std::mt19937 random(7);
  const auto* file = wire::Hello::descriptor()->file();
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  for (int i = 0; i < file->message_type_count(); ++i) {
    const auto* type = file->message_type(i);
    for (int k = 0; k < 200; ++k) {
      std::unique_ptr<google::protobuf::Message> message(factory->GetPrototype(type)->New());
      fill(*message, random);
      const Bytes bytes = message->SerializeAsString();
      bool good = false;
      // A field whose value is zero may be written by nobody: the same message all the same.
      const Bytes again = rewritten(bytes, &good);
      ASSERT_TRUE(good) << type->name();
      std::unique_ptr<google::protobuf::Message> parsed(factory->GetPrototype(type)->New());
      ASSERT_TRUE(parsed->ParseFromString(again));
      EXPECT_TRUE(parsed->SerializeAsString() == bytes) << type->name();
    }
  }
}

TEST(Wire, EveryNumberThereAndBack) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    uint8_t bytes[64];
    covey_writer_t w{bytes, 0, sizeof bytes, false};
    covey_write_uint64(&w, 4, value);
    covey_write_sint(&w, 7, static_cast<int64_t>(value));
    wire::FeatureWindow window;  // 4: uint32 above, 7: sint64 sum
    ASSERT_TRUE(window.ParseFromArray(bytes, static_cast<int>(w.size)));
    EXPECT_EQ(window.above(), static_cast<uint32_t>(value));
    EXPECT_EQ(window.sum(), static_cast<int64_t>(value));
  }
  for (const int32_t value : {0, -1, 1, INT32_MAX, INT32_MIN, 12345, -54321}) {
    const uint64_t zigzag = static_cast<uint32_t>(value) << 1U ^ (value < 0 ? UINT32_MAX : 0U);
    EXPECT_EQ(covey_read_unzigzag(zigzag), value);
  }
}

// A message described as data: one member of every kind.
struct Described {
  const char* text = nullptr;
  const uint8_t* digest = nullptr;
  const uint8_t* prefix = nullptr;
  covey_bytes_t bytes{};
  uint64_t u64 = 0;
  uint64_t f64 = 0;
  uint32_t u32 = 0;
  uint32_t f32 = 0;
  int32_t i32 = 0;
};

TEST(Wire, MembersAreWrittenAsLibprotobufReadsThem) {
  static constexpr covey_member_t kModelState[] = {
      COVEY_WRITTEN(1, COVEY_WRITTEN_TEXT, Described, text),
      COVEY_WRITTEN(2, COVEY_WRITTEN_DIGEST, Described, digest),
      COVEY_WRITTEN(8, COVEY_WRITTEN_U32, Described, u32),
      COVEY_WRITTEN(14, COVEY_WRITTEN_I32, Described, i32), COVEY_WRITTEN_END};
  static constexpr covey_member_t kHello[] = {COVEY_WRITTEN(1, COVEY_WRITTEN_F64, Described, f64),
                                              COVEY_WRITTEN(6, COVEY_WRITTEN_U64, Described, u64),
                                              COVEY_WRITTEN_END};
  std::mt19937_64 random(11);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    const Bytes text(random() % 30, 't');
    const Bytes digest(COVEY_DIGEST_BYTES, static_cast<char>(value));
    Described from;
    from.text = text.c_str();
    if (random() % 4 != 0) from.digest = reinterpret_cast<const uint8_t*>(digest.data());
    from.u32 = static_cast<uint32_t>(value);
    from.i32 = static_cast<int32_t>(value);
    uint8_t bytes[128];
    covey_writer_t w{bytes, 0, sizeof bytes, false};
    covey_write_members(&w, kModelState, &from);
    wire::ModelState state;
    ASSERT_TRUE(!w.overflow && state.ParseFromArray(bytes, static_cast<int>(w.size)));
    EXPECT_EQ(state.model(), text);
    EXPECT_EQ(state.confirmed(), from.digest == nullptr ? "" : digest);
    EXPECT_EQ(state.chunks_have(), from.u32);
    EXPECT_EQ(state.port_code(), from.i32);
    from.f64 = from.u64 = value;
    w = {bytes, 0, sizeof bytes, false};
    covey_write_members(&w, kHello, &from);
    wire::Hello hello;
    ASSERT_TRUE(!w.overflow && hello.ParseFromArray(bytes, static_cast<int>(w.size)));
    EXPECT_EQ(hello.boot_id(), value);
    EXPECT_EQ(hello.goal_counter(), value);
  }
}

TEST(Wire, MembersAreReadAsLibprotobufWritesThem) {
  static constexpr covey_member_t kGoal[] = {
      COVEY_MEMBER(1, COVEY_MEMBER_U32, Described, u32),
      COVEY_MEMBER(2, COVEY_MEMBER_U64, Described, u64),
      COVEY_MEMBER(3, COVEY_MEMBER_BYTES, Described, bytes),
      COVEY_MEMBER(4, COVEY_MEMBER_F64, Described, f64),
      COVEY_MEMBER(6, COVEY_MEMBER_DIGEST, Described, digest),
      COVEY_MEMBERS_END(Described)};
  std::mt19937_64 random(12);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    wire::Goal goal;
    goal.set_site_epoch(static_cast<uint32_t>(value));
    goal.set_counter(value);
    goal.set_device_id(Bytes(random() % 64, 'd'));
    goal.set_nonce(random());
    goal.add_models()->set_attempt(7);  // not in the table: skipped
    if (i % 2 == 0) goal.set_configuration(Bytes(COVEY_DIGEST_BYTES, 'c'));
    goal.set_lease_s(static_cast<uint32_t>(value));
    const Bytes message = goal.SerializeAsString();
    Described into;
    ASSERT_TRUE(covey_read_members(
        {reinterpret_cast<const uint8_t*>(message.data()), message.size()}, kGoal, &into));
    EXPECT_EQ(into.u32, goal.site_epoch());
    EXPECT_EQ(into.u64, goal.counter());
    EXPECT_EQ(Bytes(reinterpret_cast<const char*>(into.bytes.bytes), into.bytes.size),
              goal.device_id());
    EXPECT_EQ(into.f64, goal.nonce());
    EXPECT_EQ(into.digest != nullptr, i % 2 == 0);
  }
}

TEST(Wire, MembersOfAnotherTypeAreUnknownAndOfAnotherSizeMalformed) {
  static constexpr covey_member_t kTable[] = {
      COVEY_MEMBER(1, COVEY_MEMBER_U32, Described, u32),
      COVEY_MEMBER(2, COVEY_MEMBER_DIGEST, Described, digest),
      COVEY_MEMBER(3, COVEY_MEMBER_F32, Described, f32),
      COVEY_MEMBER(4, COVEY_MEMBER_PREFIX, Described, prefix), COVEY_MEMBERS_END(Described)};
  const auto read = [](const Bytes& bytes, Described* into) {
    return covey_read_members({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                              kTable, into);
  };
  Described into;
  into.u32 = 99;
  EXPECT_TRUE(read("", &into));
  EXPECT_EQ(into.u32, 0U);
  EXPECT_TRUE(read(Bytes("\x0a\x01\x05\x18\x07", 5), &into));  // 1 as bytes, 3 as a varint
  EXPECT_EQ(into.u32, 0U);
  EXPECT_EQ(into.f32, 0U);
  EXPECT_TRUE(read(Bytes("\x12\x00", 2), &into));  // empty is absent
  EXPECT_EQ(into.digest, nullptr);
  EXPECT_FALSE(read("\x12\x1f" + Bytes(31, 'd'), &into));
  EXPECT_FALSE(read("\x12\x21" + Bytes(33, 'd'), &into));
  EXPECT_TRUE(read("\x12\x20" + Bytes(32, 'd'), &into));
  EXPECT_NE(into.digest, nullptr);
  EXPECT_EQ(into.prefix, nullptr);
  EXPECT_FALSE(read("\x22\x20" + Bytes(32, 'p'), &into));
  EXPECT_TRUE(read("\x22\x08" + Bytes(8, 'p'), &into));
  EXPECT_NE(into.prefix, nullptr);
  EXPECT_TRUE(read(Bytes("\x1d\x04\x03\x02\x01"), &into));
  EXPECT_EQ(into.f32, 0x01020304U);
  EXPECT_TRUE(read(Bytes("\x08\xff\xff\xff\xff\xff\x01", 7), &into));  // beyond 32 bits
  EXPECT_EQ(into.u32, UINT32_MAX);
  EXPECT_FALSE(read(Bytes("\x08\x01\x0b", 3), &into));
}

TEST(Wire, NestedMessagesOfAnyLength) {
  for (const size_t size : {0U, 1U, 100U, 127U, 128U, 129U, 1000U, 16383U, 16384U, 20000U}) {
    Bytes out(size + 20, '\0');
    covey_writer_t w{reinterpret_cast<uint8_t*>(out.data()), 0, out.size(), false};
    const Bytes text(size, 'x');
    const size_t begun = covey_write_begin(&w, 2);
    covey_write_bytes(&w, 2, text.data(), text.size());
    covey_write_end(&w, begun);
    ASSERT_FALSE(w.overflow);
    wire::SignedManifest message;
    ASSERT_TRUE(message.ParseFromArray(out.data(), static_cast<int>(w.size)));
    EXPECT_EQ(message.signatures(0).key_id(), text);
  }
}

TEST(Wire, OverflowWritesNothingBeyond) {
  for (size_t capacity = 0; capacity < 60; ++capacity) {
    std::vector<uint8_t> bytes(capacity + 8, 0xaa);
    covey_writer_t w{bytes.data(), 0, capacity, false};
    const size_t begun = covey_write_begin(&w, 1);
    covey_write_text(&w, 2, "twenty bytes of text");
    covey_write_fixed64(&w, 3, 1);
    covey_write_uint64(&w, 4, UINT64_MAX);
    covey_write_end(&w, begun);
    EXPECT_EQ(w.overflow, capacity < 44) << capacity;
    for (size_t i = capacity; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], 0xaa);
  }
}

TEST(Wire, NonsenseIsMalformed) {
  for (const Bytes& bytes :
       {Bytes("\x0a"), Bytes("\x0a\x05xx"), Bytes("\x08"), Bytes("\x08\xff\xff"), Bytes("\x09xx"),
        Bytes("\x0d\x01"), Bytes("\x0b"), Bytes("\x0c"), Bytes("\x0e"), Bytes("\x0f"),
        Bytes("\x02\x00", 2), Bytes("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Bytes("\xff\xff\xff\xff\xff\xff\x01\x01")}) {
    bool good = true;
    rewritten(bytes, &good);
    EXPECT_FALSE(good) << hex(bytes);
  }
}

TEST(Wire, LargestMessagesFit) {
  // Longest names, largest numbers: within the limits that the buffers are made for.
  DeviceOptions options;
  options.models = {Bytes(COVEY_MODEL_NAME_BYTES_MAX, 'm'), Bytes(COVEY_MODEL_NAME_BYTES_MAX, 'n')};
  options.geometry.size_bytes = 128U << 10U;
  Bench bench(options);
  const Bytes device_id(COVEY_DEVICE_ID_BYTES_MAX, 'd');
  const Bytes text(COVEY_DEVICE_CLASS_BYTES_MAX, 'c');
  bench.device.config.device_id = device_id.c_str();
  bench.device.config.device_class = text.c_str();
  bench.device.config.firmware = text.c_str();
  bench.device.config.preprocessing_id = UINT32_MAX;
  bench.gateway.device_id = device_id;
  ASSERT_TRUE(bench.device.boot());
  covey_agent_t& agent = bench.device.agent;
  agent.now_ms = UINT64_MAX / 2;
  agent.goal_counter = UINT64_MAX;
  agent.site_epoch = agent.connection = UINT32_MAX;
  agent.status_number = UINT32_MAX - 1;
  agent.journal.generation = UINT32_MAX;
  for (covey_model_t& m : agent.models) {
    m.slots_present = 3;
    m.record.confirmed = m.active = 0;
    m.record.fallback = 1;
    m.goal.mode = 3;
    m.goal.work.attempt = m.goal.security_floor = m.chunks_have = m.chunks_total = UINT32_MAX;
    m.retry_after_s = UINT32_MAX;
    m.record.port_code = -1;
    m.record.reason = m.record.fallback_reason = UINT16_MAX;
  }
  agent.enrolled = true;
  std::copy_n("2a", 3, agent.shard);
  bench.device.connect();
  const Message site = bench.gateway.site();
  covey_agent_receive(&agent, site.topic.data(), site.topic.size(),
                      reinterpret_cast<const uint8_t*>(site.payload.data()), site.payload.size(), 0,
                      site.payload.size());
  agent.now_ms = UINT64_MAX / 2;
  agent.timers[COVEY_TIMER_HELLO].left_ms = 0;
  agent.status_dirty = true;
  agent.timers[COVEY_TIMER_JOURNAL].left_ms = 1000;
  covey_agent_poll(&agent, UINT64_MAX / 2);
  ASSERT_EQ(bench.device.outbox.size(), 2U);
  EXPECT_LE(bench.device.outbox[0].payload.size(), size_t{COVEY_HELLO_BYTES_MAX});
  EXPECT_LE(bench.device.outbox[1].payload.size(), size_t{COVEY_STATUS_BYTES_MAX});
  wire::Hello hello;
  EXPECT_TRUE(hello.ParseFromString(bench.device.outbox[0].payload));
  EXPECT_EQ(hello.models(1).port_code(), -1);
  EXPECT_EQ(agent.counters.bugs, 0U);
  // The deepest window there can be.
  covey_telemetry_t& t = *bench.device.telemetry[0];
  covey_window_t& window = t.windows[0];
  std::memset(static_cast<void*>(&window), 0xff, sizeof window);
  window.stream = 0;
  window.place = 0;
  window.kept = false;
  window.class_count = COVEY_CLASSES_MAX;
  window.feature_count = COVEY_FEATURES_MAX;
  window.leaf_count = COVEY_JOINT_LEAVES_MAX;
  window.tally.samples.count = COVEY_SAMPLES_MAX;
  for (auto& bins : window.bin_counts) bins = COVEY_BINS_MAX;
  for (int i = 0; i < COVEY_FEATURES_MAX; ++i) {
    window.tally.sums[COVEY_SUM_FEATURES + 2 * i] = uint64_t{1} << 63;
  }
  window.resend.left_ms = 0;
  agent.timers[COVEY_TIMER_REPORT].left_ms = 0;
  agent.hello_sent = true;
  bench.device.outbox.clear();
  covey_agent_poll(&agent, UINT64_MAX / 2);
  bool seen = false;
  for (const Message& message : bench.device.outbox) {
    if (message.topic.find("up/report") == std::string::npos) continue;
    seen = true;
    EXPECT_LE(message.payload.size(), size_t{COVEY_REPORT_BYTES_MAX});
    wire::Report report;
    ASSERT_TRUE(report.ParseFromString(message.payload));
    EXPECT_EQ(report.features_size(), COVEY_FEATURES_MAX);
    EXPECT_EQ(report.features(3).sum(), INT64_MIN);
  }
  EXPECT_TRUE(seen);
}

// The sums in covey/limits.h, by which the gateway says beforehand whether a goal can be sent.
TEST(Wire, GoalsAndAcksAreTheSumsOfTheirParts) {
  wire::Goal goal;
  goal.set_site_epoch(UINT32_MAX);
  goal.set_counter(UINT64_MAX);
  goal.set_device_id(Bytes(COVEY_DEVICE_ID_BYTES_MAX, 'd'));
  goal.set_nonce(UINT64_MAX);
  goal.set_lease_s(UINT32_MAX);
  goal.mutable_settings()->set_report_interval_s(86'400);
  goal.mutable_settings()->set_sample_scale(65'536);
  goal.set_mac(Bytes(COVEY_MAC_BYTES, 'm'));
  EXPECT_EQ(goal.ByteSizeLong(), size_t{COVEY_GOAL_REST_BYTES_MAX});
  wire::ModelGoal& model = *goal.add_models();
  model.set_model_id(UINT32_MAX);
  model.set_confirmed(Bytes(COVEY_PREFIX_BYTES, 'p'));
  model.set_attempt(UINT32_MAX);
  model.set_security_floor(UINT32_MAX);
  EXPECT_EQ(goal.ByteSizeLong(), size_t{COVEY_GOAL_REST_BYTES_MAX + COVEY_GOAL_MODEL_BYTES_MAX -
                                        COVEY_GOAL_CANDIDATE_BYTES_MAX});
  model.set_candidate(Bytes(COVEY_DIGEST_BYTES, 'c'));
  model.set_mode(wire::GOAL_MODE_SHADOW);
  model.set_may_confirm(true);
  model.set_shadow_one_in(UINT16_MAX);
  EXPECT_EQ(goal.ByteSizeLong(), size_t{COVEY_GOAL_REST_BYTES_MAX + COVEY_GOAL_MODEL_BYTES_MAX});

  wire::Ack ack;
  ack.set_boot_id(UINT64_MAX);
  ack.set_status_number(UINT32_MAX);
  ack.set_credit(UINT32_MAX);
  ack.set_backoff_ms(UINT32_MAX);
  ack.set_reports_only(true);
  ack.set_mac(Bytes(COVEY_MAC_BYTES, 'm'));
  EXPECT_EQ(ack.ByteSizeLong(), size_t{COVEY_ACK_REST_BYTES_MAX});
  wire::StreamAck& stream = *ack.add_streams();
  stream.set_manifest(Bytes(COVEY_PREFIX_BYTES, 'p'));
  stream.set_cumulative(UINT32_MAX);
  stream.set_bitmap(UINT64_MAX);
  EXPECT_EQ(ack.ByteSizeLong(), size_t{COVEY_ACK_REST_BYTES_MAX + COVEY_ACK_STREAM_BYTES_MAX});
}

TEST(Wire, HelloSaysWhatTheDeviceIs) {
  Bench bench;
  bench.bring_up();
  ASSERT_TRUE(bench.gateway.hello.has_value());
  const wire::Hello& hello = *bench.gateway.hello;
  EXPECT_EQ(hello.boot_id(), covey_agent_boot_id(&bench.device.agent));
  EXPECT_EQ(hello.device_id(), "press-07");
  EXPECT_EQ(hello.connection(), 2U);
  EXPECT_EQ(hello.facts().device_class(), "m4f-256k");
  EXPECT_EQ(hello.facts().firmware(), "bench-1");
  EXPECT_EQ(hello.facts().agent(), COVEY_AGENT_VERSION);
  EXPECT_EQ(hello.facts().slot_bytes(), (14U << 10U) - 1024);
  EXPECT_EQ(hello.facts().arena_bytes(), 1024U);
  EXPECT_EQ(hello.facts().message_bytes_max(), 2048U);
  EXPECT_EQ(hello.facts().algorithms(), 6U);
  EXPECT_EQ(hello.facts().operator_set(), 0x1122334455667788U);
  ASSERT_EQ(hello.models_size(), 1);
  EXPECT_EQ(hello.models(0).model(), "bearing");
  EXPECT_EQ(hello.models(0).phase(), wire::PHASE_IDLE);
}

}  // namespace
}  // namespace covey::agent_test
