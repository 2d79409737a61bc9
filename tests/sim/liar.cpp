// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/liar.hpp"

#include <algorithm>
#include <array>

#include <google/protobuf/stubs/logging.h>

#include "covey/device/v1/device.pb.h"
#include "deploy/signing/sha256.hpp"

namespace covey::sim {
namespace {

namespace wire = covey::device::v1;

constexpr size_t kRemembered = 64;  // of its own words
constexpr Millis kAskAgain = 5s;
constexpr std::array kExtremes{uint64_t{0},          uint64_t{1},        uint64_t{1} << 20U,
                               uint64_t{UINT32_MAX}, uint64_t{1} << 47U, ~uint64_t{0} / 2,
                               ~uint64_t{0} - 1,     ~uint64_t{0}};

Bytes bytes_of(const google::protobuf::MessageLite& message) {
  const std::string text = message.SerializeAsString();
  return {text.begin(), text.end()};
}

std::string text_of(const auto& bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

Liar::Liar(Schedule& schedule, Random& random, Network& network, DeviceId id)
    : schedule_(schedule),
      random_(random.next()),
      network_(network),
      id_(std::move(id)),
      nonce_(random_.next()),
      boot_id_(random_.next()) {
  // Words of one kind that are sent as another are no text.
  google::protobuf::SetLogHandler(nullptr);
}

void Liar::begin() {
  booted_ = schedule_.now();
  connect();
  act();
}

void Liar::connect() {
  const bool accepted = network_.connect(
      id_.str(), {.message = [this](const std::string& topic,
                                    const Bytes& payload) { receive(topic, payload); },
                  .disconnected = [] {}});
  if (!accepted) return;
  ++connection_;
  network_.subscribe(id_.str(), "covey/v1/enroll/" + id_.str() + "/down");
  if (order_key_.empty()) return ask_to_enroll();
  for (const char* kind : {"goal", "ack", "chunk"}) {
    network_.subscribe(id_.str(), "covey/v1/" + shard_ + "/" + id_.str() + "/down/" + kind);
  }
  wire::Bye bye;
  bye.set_boot_id(boot_id_);
  bye.set_connection(static_cast<uint32_t>(number(connection_)));
  network_.set_will(id_.str(), "covey/v1/" + shard_ + "/" + id_.str() + "/up/bye", bytes_of(bye));
  send(hello());
}

void Liar::ask_to_enroll() {
  wire::EnrollRequest request;
  request.set_device_id(id_.str());
  request.set_nonce(nonce_);
  request.mutable_facts()->set_device_class("sim");
  request.mutable_facts()->set_slot_bytes(16'384);
  request.mutable_facts()->set_arena_bytes(1'024);
  request.mutable_facts()->set_message_bytes_max(2'048);
  request.mutable_facts()->set_runtime(2);
  request.mutable_facts()->set_algorithms(6);
  request.add_models("sim-model");
  network_.publish(id_.str(), "covey/v1/enroll/" + id_.str() + "/up", bytes_of(request), false);
}

void Liar::receive(const std::string& topic, const Bytes& payload) {
  const auto size = static_cast<int>(payload.size());
  if (wire::EnrollGrant grant; topic.ends_with("/down") &&
                               grant.ParseFromArray(payload.data(), size) &&
                               grant.state() == wire::ENROLL_STATE_ACCEPTED && order_key_.empty()) {
    order_key_.assign(grant.order_key().begin(), grant.order_key().end());
    shard_ = grant.shard();
    return connect();
  }
  if (wire::Goal goal; topic.ends_with("/goal") && goal.ParseFromArray(payload.data(), size)) {
    epoch_ = goal.site_epoch();
    counter_ = goal.counter();
    for (const wire::ModelGoal& model : goal.models()) {
      candidate_ = model.candidate();
      attempt_ = model.attempt();
    }
    // Now and then it goes along, or says at once what nobody can have done so fast.
    if (random_.chance(0.5)) send(status());
  }
}

void Liar::act() {
  if (!network_.connected(id_.str()) || random_.chance(0.02)) {
    if (random_.chance(0.5)) network_.disconnect(id_.str(), random_.chance(0.5));
    connect();
  } else if (order_key_.empty()) {
    ask_to_enroll();
  } else if (!slow_ && random_.chance(0.04)) {
    flood();
  } else {
    lie();
  }
  const Millis most = slow_ ? 60s : 5s;
  schedule_.after(order_key_.empty() ? kAskAgain : random_.between(100ms, most), [this] { act(); });
}

void Liar::lie() {
  switch (random_.below(8)) {
    case 0:  // it begins anew, or says so
      boot_id_ = random_.next();
      booted_ = schedule_.now();
      status_number_ = 0;
      return send(hello());
    case 1:
      return send(hello());
    case 2:
    case 3:
      return send(status());
    case 4:
      return send(fetch());
    case 5:
      return repeat();
    default:
      return send(report());
  }
}

void Liar::flood() {
  const uint64_t of = random_.below(5);
  for (uint64_t n = 100 + random_.below(400); n > 0; --n) {
    switch (of) {
      case 0:
        send(fetch());
        break;
      case 1:
        send(hello());
        break;
      case 2:
        lie();
        break;
      default:
        send(report());
        break;
    }
  }
}

// As what it was, or as something else.
void Liar::repeat() {
  if (said_.empty()) return;
  Word word = said_[random_.below(said_.size())];
  if (random_.chance(0.2)) word.first = said_[random_.below(said_.size())].first;
  if (random_.chance(0.1) && !word.second.empty()) {
    word.second.back() ^= 1U;
  }
  send(word);
}

void Liar::send(const Word& word) {
  said_.push_back(word);
  if (said_.size() > kRemembered) said_.pop_front();
  network_.publish(id_.str(), "covey/v1/" + shard_ + "/" + id_.str() + "/up/" + word.first,
                   word.second, false);
}

Liar::Word Liar::sealed(const std::string& kind, const google::protobuf::MessageLite& body) const {
  Bytes payload = bytes_of(body);
  constexpr uint8_t kEnd = 0;
  const Digest16 mac = hmac_sha256_16(
      order_key_, {as_bytes(kind), {&kEnd, 1}, as_bytes(id_.str()), {&kEnd, 1}, payload});
  payload.push_back(0x7a);
  payload.push_back(static_cast<uint8_t>(mac.size()));
  payload.insert(payload.end(), mac.begin(), mac.end());
  return {kind, std::move(payload)};
}

uint64_t Liar::number(uint64_t sound) {
  if (random_.chance(0.7)) return sound;
  if (random_.chance(0.5)) return sound + random_.below(2'000);
  return kExtremes[random_.below(kExtremes.size())];
}

uint64_t Liar::uptime() {
  const auto now = static_cast<uint64_t>((schedule_.now() - booted_).count());
  return std::min(number(now), uint64_t{1} << 48U);
}

std::string Liar::manifest() {
  if (!candidate_.empty() && random_.chance(0.4)) return candidate_;
  if (!manifests_.empty() && random_.chance(0.8)) {
    return text_of(manifests_[random_.below(manifests_.size())]);
  }
  std::string foreign(32, '\0');
  for (char& byte : foreign) byte = static_cast<char>(random_.next());
  return foreign;
}

template <typename Message>
void Liar::fill_states(Message& message) {
  for (uint64_t n = 1 + random_.below(2); n > 0; --n) {
    wire::ModelState& state = *message.add_models();
    if (random_.chance(0.5)) {  // an answer to what it was asked
      state.set_model("sim-model");
      state.set_candidate(candidate_);
      state.set_attempt(attempt_);
      state.set_phase(static_cast<uint32_t>(random_.below(13)));
      if (state.phase() == wire::PHASE_CONFIRMED && random_.chance(0.8)) {
        state.set_confirmed(candidate_);
        state.set_active(candidate_);
      }
      if (state.phase() >= wire::PHASE_DECLINED) state.set_reason(wire::REASON_BYTE_BUDGET);
      state.set_retry_after_s(static_cast<uint32_t>(number(0)));
      continue;
    }
    const bool other = random_.chance(0.1);
    state.set_model(other ? "model-" + std::to_string(random_.below(20)) : "sim-model");
    for (const auto set :
         {&wire::ModelState::set_confirmed<std::string>, &wire::ModelState::set_active<std::string>,
          &wire::ModelState::set_candidate<std::string>,
          &wire::ModelState::set_fallback<std::string>}) {
      if (random_.chance(0.7)) (state.*set)(manifest());
    }
    state.set_phase(static_cast<uint32_t>(random_.below(13)));
    state.set_attempt(static_cast<uint32_t>(number(attempt_)));
    if (random_.chance(0.5)) {
      state.set_reason(static_cast<uint32_t>(101 + 100 * random_.below(6) + random_.below(12)));
    }
    state.set_chunks_have(static_cast<uint32_t>(number(1)));
    state.set_chunks_total(static_cast<uint32_t>(number(10)));
    state.set_security_floor(static_cast<uint32_t>(number(0)));
    state.set_retry_after_s(static_cast<uint32_t>(number(0)));
  }
}

Liar::Word Liar::hello() {
  wire::Hello hello;
  hello.set_boot_id(random_.chance(0.9) ? boot_id_ : random_.next());
  hello.set_nonce(random_.next());
  wire::DeviceFacts& facts = *hello.mutable_facts();
  facts.set_device_class(random_.chance(0.9) ? "sim" : "other");
  facts.set_firmware(random_.chance(0.9) ? "sim-1" : "liar");
  facts.set_slot_bytes(static_cast<uint32_t>(number(16'384)));
  facts.set_arena_bytes(1'024);
  facts.set_message_bytes_max(2'048);
  facts.set_runtime(2);
  facts.set_algorithms(6);
  fill_states(hello);
  hello.set_site_epoch(static_cast<uint32_t>(number(epoch_)));
  hello.set_goal_counter(number(counter_));
  hello.set_uptime_ms(uptime());
  hello.set_status_number(static_cast<uint32_t>(number(status_number_)));
  hello.set_connection(connection_);
  hello.set_device_id(random_.chance(0.98) ? id_.str() : "dev-0");
  return sealed("hello", hello);
}

Liar::Word Liar::status() {
  wire::DeviceStatus status;
  status.set_boot_id(random_.chance(0.9) ? boot_id_ : random_.next());
  status.set_number(static_cast<uint32_t>(number(++status_number_)));
  status.set_uptime_ms(uptime());
  fill_states(status);
  status.set_site_epoch(static_cast<uint32_t>(number(epoch_)));
  status.set_goal_counter(number(counter_));
  return sealed("status", status);
}

Liar::Word Liar::fetch() {
  wire::Fetch fetch;
  fetch.set_manifest(manifest());
  fetch.set_first(static_cast<uint32_t>(random_.chance(0.8) ? random_.below(20) : random_.next()));
  fetch.set_bitmap(static_cast<uint32_t>(random_.next()));
  fetch.set_attempt(static_cast<uint32_t>(number(attempt_)));
  return sealed("fetch", fetch);
}

template <typename Message>
void Liar::fill_report(Message& report, uint64_t inferences) {
  const auto n = static_cast<uint32_t>(inferences);
  report.set_inferences(n);
  report.add_classes(n);
  report.add_classes(0);
  for (int bin = 0; bin < 16; ++bin) report.add_confidence(bin == 14 ? n : 0);
  report.add_latency(n);
  for (int i = 0; i < 2; ++i) {
    wire::FeatureWindow& feature = *report.add_features();
    // All where the training had a quarter.
    for (int bin = 0; bin < 4; ++bin) feature.add_bins(bin == 3 ? n : 0);
    feature.set_min(160);
    feature.set_max(160);
    feature.set_sum(int64_t{160} * n);
    feature.set_sum_squares(uint64_t{25'600} * n);
  }
  for (uint64_t i = random_.below(4); i > 0; --i) {
    wire::Sample& sample = *report.add_samples();
    sample.set_inference(random_.chance(0.8) ? random_.below(1'000) : random_.next());
    sample.set_class_(static_cast<uint32_t>(number(0)));
    sample.set_confidence(200);
    sample.set_probability(static_cast<uint32_t>(number(16'384)));
    sample.set_uptime_ms(uptime());
  }
}

Liar::Word Liar::report() {
  wire::Report report;
  const uint64_t boot = random_.chance(0.8) ? boot_id_ : random_.below(100);
  const std::string prefix = manifest().substr(0, 8);
  uint32_t& sequence = sequences_[std::to_string(boot) + prefix];
  report.set_boot_id(boot);
  report.set_manifest(prefix);
  report.set_sequence(static_cast<uint32_t>(number(++sequence)));
  report.set_base_sequence(static_cast<uint32_t>(number(1)));
  report.set_t1_ms(uptime());
  report.set_t0_ms(random_.chance(0.9) ? report.t1_ms() - std::min<uint64_t>(report.t1_ms(), 10'000)
                                       : uptime());
  report.set_merged(static_cast<uint32_t>(number(1)));
  const uint64_t inferences = number(random_.below(100));
  report.set_inferences_total(number(inferences * sequence));
  fill_report(report, inferences);
  if (random_.chance(0.1)) report.set_errors(static_cast<uint32_t>(number(3)));
  return sealed("report", report);
}

}  // namespace covey::sim
