// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/gateway.hpp"

#include "core/assert.hpp"
#include "gateway/codec/device_codec.hpp"
#include "gateway/codec/report_decoder.hpp"
#include "tests/unit/engine/remembered.hpp"

namespace covey::sim {
namespace {

constexpr const char* kClient = "svc-gateway";
constexpr Millis kTick = 100ms;
constexpr size_t kControlMax = 64;
constexpr size_t kAtOnce = 4;        // of each class, in one turn
constexpr size_t kChunksAtOnce = 8;  // of one device

std::vector<std::string> levels(const std::string& topic) {
  std::vector<std::string> parts(1);
  for (const char c : topic) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string down(const DeviceId& device, uint32_t shard, const std::string& kind) {
  return "covey/v1/" + shard_text(shard) + "/" + device.str() + "/down/" + kind;
}

}  // namespace

Gateway::Gateway(Schedule& schedule, Random& random, Network& network,
                 const engine::EngineConfig& config, size_t queue_max)
    : schedule_(schedule),
      random_(random),
      network_(network),
      config_(config),
      queue_max_(queue_max) {
  Bytes secret(32);
  for (uint8_t& byte : secret) byte = static_cast<uint8_t>(random_.next());
  const std::vector<Write> first = engine::new_site(std::move(secret), 0ms);
  COVEY_ASSERT(store_.commit(first).ok());
}

Now Gateway::now() const { return {schedule_.now(), schedule_.now() + 1'700'000'000'000ms}; }

void Gateway::start() {
  Result<Snapshot> snapshot = store_.load({});
  COVEY_ASSERT(snapshot.ok());
  config_.start_id = random_.next();
  Result<engine::Engine> engine = engine::Engine::load(*std::move(snapshot), config_, now(),
                                                       std::make_shared<codec::ReportDecoder>());
  COVEY_ASSERT(engine.ok());
  engine_ = std::make_unique<engine::Engine>(*std::move(engine));
  session_ = 0;
  inbox_ = std::make_unique<runtime::Inbox>(kControlMax, queue_max_, queue_max_);
  chunk_queue_ = std::make_unique<runtime::ChunkQueue>();
  COVEY_ASSERT(test::replay(store_, *engine_).ok());
  ++life_;
  tick(life_);
  connect();
}

engine::Engine Gateway::reload() {
  Result<engine::Engine> again = engine::Engine::load(*store_.load({}), config_, now(),
                                                      std::make_shared<codec::ReportDecoder>());
  COVEY_ASSERT(again.ok() && test::replay(store_, *again).ok());
  return *std::move(again);
}

void Gateway::connect() {
  if (!running()) return;
  const bool connected = network_.connect(
      kClient, {.message = [this](const std::string& topic,
                                  const Bytes& payload) { receive(topic, payload); },
                .disconnected = [this] { set_session(0); }});
  if (!connected) return;
  network_.subscribe_up(kClient);
  set_session(++sessions_);
}

void Gateway::set_session(uint64_t number) {
  session_ = number;
  if (session_ == 0 && chunk_queue_) chunk_queue_->clear();  // their devices ask again
  handle({now_told()});
}

engine::Tick Gateway::now_told() const {
  if (!running()) return {session_, {}, {}};
  return {session_, {chunk_queue_->chunks(), chunks}, inbox_->backlog()};
}

void Gateway::broker_back() { connect(); }

void Gateway::crash(Millis downtime) {
  if (!running()) return;
  ++crashes;
  network_.disconnect(kClient, true);
  engine_.reset();
  refused_before_ = refused();
  inbox_.reset();
  chunk_queue_.reset();
  serving_ = false;
  sending_ = false;
  pending_.clear();
  committing_ = false;
  tickets_.clear();
  ++life_;
  schedule_.after(downtime, [this] { start(); });
}

void Gateway::tick(uint64_t life) {
  if (life != life_ || !running()) return;
  handle({now_told()});
  if (life == life_) schedule_.after(kTick, [this, life] { tick(life); });
}

void Gateway::submit(engine::Command command, Done done) {
  if (!running()) {
    if (done) done(Error{Code::kUnavailable, "DOWN", ""});
    return;
  }
  runtime::ControlItem item(
      runtime::CommandItem{{std::move(command), "operator", ""}, std::move(done)});
  if (!inbox_->push(std::move(item))) {
    const Done refused = std::get<runtime::CommandItem>(item).done;
    if (refused) refused(Error{Code::kResourceExhausted, "BUSY", ""});
    return;
  }
  serve();
}

void Gateway::receive(const std::string& topic, const Bytes& payload) {
  const std::vector<std::string> parts = levels(topic);
  if (!running() || parts.size() < 5) return;
  if (parts[2] == "enroll") {
    Result<DeviceId> device = DeviceId::parse(parts[3]);
    Result<engine::EnrollMessage> message = codec::decode_enroll(payload);
    if (device && message) {
      post(runtime::EventClass::kLifecycle, engine::EnrollReceived{*device, *message});
    }
    return;
  }
  if (parts.size() != 6) return;
  const Result<DeviceId> device = DeviceId::parse(parts[3]);
  const Result<Bytes> shard = from_hex(parts[2]);
  if (!device || !shard || shard->size() != 1) return;
  if (parts[5] == "report") {
    return post(runtime::EventClass::kTelemetry,
                engine::ReportReceived{*device, shard->front(), payload});
  }
  Result<engine::DeviceMessage> message = codec::decode_device_message(parts[5], payload);
  if (!message) return;
  post(runtime::EventClass::kLifecycle,
       engine::FromDevice{*device, shard->front(), *std::move(message), payload, now().mono});
}

uint64_t Gateway::refused() const {
  uint64_t refused = refused_before_;
  if (!inbox_) return refused;
  for (const uint64_t of_class : inbox_->refused()) refused += of_class;
  return refused;
}

void Gateway::post(runtime::EventClass event_class, engine::Event event) {
  if (inbox_->push(event_class, std::move(event))) serve();
}

// One thing after the other, in the order of the runtime's turns (gateway/runtime/runtime.cpp).
void Gateway::serve() {
  while (running() && !serving_) {
    std::vector<engine::Event> batch = take();
    if (batch.empty()) return;
    Millis busy{0};
    for (size_t i = 0; i < batch.size(); ++i) busy += random_.between(0ms, faults.service_max);
    if (busy == 0ms) {
      handle(std::move(batch));
      continue;
    }
    serving_ = true;
    schedule_.after(busy, [this, life = life_, events = std::move(batch)] {
      if (life != life_) return;
      serving_ = false;
      handle(events);
      if (life == life_) serve();
    });
  }
}

std::vector<engine::Event> Gateway::take() {
  std::vector<engine::Event> batch;
  for (runtime::ControlItem& item : inbox_->take_control(1)) {
    auto& command = std::get<runtime::CommandItem>(item);
    const uint64_t ticket = ++ticket_;
    if (command.done) tickets_.emplace(ticket, std::move(command.done));
    batch.emplace_back(engine::CommandReceived{ticket, std::move(command.request)});
  }
  if (!batch.empty()) return batch;
  for (engine::Event& event : inbox_->take_lifecycle(kAtOnce)) batch.push_back(std::move(event));
  for (engine::Event& event : inbox_->take_telemetry(kAtOnce)) batch.push_back(std::move(event));
  return batch;
}

void Gateway::handle(std::vector<engine::Event> batch) {
  if (!running()) return;
  engine::Output output = engine_->handle(batch, now());
  if (output.writes.empty() && output.after_commit.empty()) return;
  if (faults.speak_before_persist) speak(std::exchange(output.after_commit, {}));
  pending_.push_back({std::move(output.writes), std::move(output.after_commit)});
  if (!committing_) commit_next();
}

void Gateway::commit_next() {
  if (pending_.empty() || !running()) return;
  committing_ = true;
  const uint64_t life = life_;
  // Everything that has gathered is one transaction.
  auto batch = std::make_shared<Pending>();
  for (Pending& one : pending_) {
    std::move(one.writes.begin(), one.writes.end(), std::back_inserter(batch->writes));
    std::move(one.effects.begin(), one.effects.end(), std::back_inserter(batch->effects));
  }
  pending_.clear();
  schedule_.after(random_.between(Millis{0}, faults.commit_max), [this, life, batch] {
    if (life != life_) return;  // died before the commit
    COVEY_ASSERT(store_.commit(batch->writes).ok());
    if (random_.chance(faults.crash_between)) {
      crash(random_.between(100ms, 5s));
      return;
    }
    committing_ = false;
    speak(batch->effects);
    if (life == life_) commit_next();
  });
}

// As the sending lane of gateway/coveyd/device_link.cpp.
void Gateway::send_chunks() {
  while (running() && !sending_) {
    const std::optional<engine::PublishChunks> some = chunk_queue_->take(kChunksAtOnce);
    if (!some) return;
    chunks += some->indexes.size();
    if (on_effect) on_effect(*some);
    send(*some);
    Millis busy{0};
    if (faults.chunk_max == 0ms) continue;
    for (size_t i = 0; i < some->indexes.size(); ++i)
      busy += random_.between(0ms, faults.chunk_max);
    sending_ = true;
    schedule_.after(busy, [this, life = life_] {
      if (life != life_) return;
      sending_ = false;
      send_chunks();
    });
  }
}

void Gateway::send(const engine::PublishChunks& e) {
  for (const uint32_t index : e.indexes) {
    ByteView data;
    if (e.result == engine::ChunkResult::kOk) {
      const ByteView image = e.artifact->image;
      const size_t size = e.artifact->manifest.chunk_size_bytes;
      data = image.subspan(index * size, std::min(size, image.size() - index * size));
    }
    network_.publish(kClient, down(e.device, e.shard, "chunk"),
                     codec::encode_chunk(e.manifest, index, e.result, e.retry_after_ms, data),
                     false);
  }
}

void Gateway::speak(const std::vector<engine::Effect>& effects) {
  struct Speak {
    Gateway& gateway;
    void send(const std::string& topic, Bytes payload, bool retain) const {
      gateway.network_.publish(kClient, topic, std::move(payload), retain);
    }
    void operator()(const engine::PublishSite& e) const {
      send("covey/v1/site", codec::encode(e.site), true);
    }
    void operator()(const engine::PublishGoal& e) const {
      Result<Bytes> payload = codec::encode(e.goal, e.order_key);
      if (payload) {
        send(down(e.device, e.shard, "goal"), *std::move(payload), true);
      } else {
        ++gateway.goals_refused;
      }
    }
    void operator()(const engine::PublishAck& e) const {
      send(down(e.device, e.shard, "ack"), codec::encode(e.ack, e.device, e.order_key), false);
    }
    void operator()(const engine::PublishBlob& e) const {
      send("covey/v1/m/" + to_hex(e.digest), Bytes(e.bytes.begin(), e.bytes.end()), true);
    }
    void operator()(const engine::PublishRoot& e) const {
      send("covey/v1/m/root-" + std::to_string(e.version), e.document, true);
    }
    void operator()(const engine::PublishChunks& e) const {
      if (e.result != engine::ChunkResult::kOk) return gateway.send(e);
      gateway.chunk_queue_->put(e);
      gateway.send_chunks();
    }
    void operator()(const engine::PublishGrant& e) const {
      send("covey/v1/enroll/" + e.device.str() + "/down", codec::encode(e.grant, {}), false);
    }
    void operator()(const engine::PublishCertificate&) const {}  // no device here has a key
    void operator()(const engine::RevokeCertificates&) const {}
    void operator()(const engine::SetClaim&) const {}
    void operator()(const engine::TrustAuthorities&) const {}
    void operator()(const engine::ClearGoal&) const {}
    void operator()(const engine::SetCredential& e) const {
      gateway.credentials_[e.device] = e.password;
    }
    void operator()(const engine::Reply& e) const {
      const auto found = gateway.tickets_.find(e.ticket);
      if (found == gateway.tickets_.end()) return;
      const Done done = std::move(found->second);
      gateway.tickets_.erase(found);
      done(e.result);
    }
    void operator()(const engine::LogLine&) const {}
    // Another thread's work: its answer comes some time later, among other events.
    void operator()(const engine::JudgeWindow& e) const {
      const Millis busy = gateway.random_.between(Millis{0}, gateway.faults.judge_max);
      gateway.schedule_.after(busy, [&to = gateway, life = gateway.life_, window = e.window] {
        if (life == to.life_) to.handle({engine::WindowJudged{engine::judge(*window)}});
      });
    }
  };
  for (const engine::Effect& effect : effects) {
    if (on_effect && !std::holds_alternative<engine::PublishChunks>(effect)) on_effect(effect);
    std::visit(Speak{*this}, effect);
  }
}

}  // namespace covey::sim
