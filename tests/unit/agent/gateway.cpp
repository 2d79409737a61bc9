// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <cstring>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {

Gateway::Gateway() : order_key(32, 'k') {
  const Message message = site();
  retained[message.topic] = message.payload;
}

Message Gateway::site() const {
  wire::Site site;
  site.set_site_epoch(site_epoch);
  site.set_gateway_start_id(start_id);
  site.set_utc_ms(1'700'000'000'000);
  site.set_hello_jitter_ms(50);
  return {"covey/v1/site", site.SerializeAsString()};
}

void Gateway::add(const Release& release) {
  releases_[release.digest] = release;
  retained["covey/v1/m/" + hex(release.digest)] = release.message;
  retained["covey/v1/m/" + hex(sha256(release.table))] = release.table;
  if (!release.tables.empty()) {
    retained["covey/v1/m/" + hex(sha256(release.tables))] = release.tables;
  }
}

void Gateway::want(const Want& want_one, uint32_t lease_s) {
  want(std::vector<Want>{want_one}, lease_s);
}

void Gateway::want(const std::vector<Want>& wants, uint32_t lease_s) {
  wants_ = wants;
  for (Want& one : wants_) {  // our own copy: the caller's may be a temporary
    if (one.candidate == nullptr) continue;
    one.candidate = &releases_.emplace(one.candidate->digest, *one.candidate).first->second;
  }
  lease_s_ = lease_s;
  goal_due_ = true;
}

wire::Goal Gateway::goal(uint64_t own_counter) const {
  wire::Goal goal;
  goal.set_site_epoch(site_epoch);
  goal.set_counter(own_counter);
  goal.set_device_id(device_id);
  goal.set_nonce(hello ? hello->nonce() : 0);
  if (settings) *goal.mutable_settings() = *settings;
  goal.set_lease_s(lease_s_);
  for (const Want& want : wants_) {
    wire::ModelGoal* model = goal.add_models();
    const Bytes digest = sha256(want.model);
    uint32_t id = 0;
    std::memcpy(&id, digest.data(), sizeof id);
    model->set_model_id(id);
    if (want.candidate != nullptr) {
      model->set_candidate(want.candidate->digest);
      model->set_mode(static_cast<uint32_t>(want.mode));
      model->set_may_confirm(want.may_confirm);
      model->set_attempt(want.attempt);
    }
    model->set_security_floor(want.security_floor);
    model->set_shadow_one_in(want.shadow_one_in);
  }
  return goal;
}

Message Gateway::sealed(const std::string& kind, std::string payload) const {
  const Bytes text = kind + '\0' + device_id + '\0' + payload;
  payload += "\x7a\x10";
  payload += hmac(order_key, text).substr(0, 16);
  return {"covey/v1/2a/" + device_id + "/down/" + kind, payload};
}

bool Gateway::unseal(const std::string& kind, const Bytes& payload) {
  if (payload.size() < 18) return false;
  const Bytes body = payload.substr(0, payload.size() - 18);
  const Bytes mac = hmac(order_key, kind + '\0' + device_id + '\0' + body).substr(0, 16);
  return payload.substr(payload.size() - 18) == "\x7a\x10" + mac;
}

void Gateway::publish_goal(std::deque<Message>& to) {
  const Message message = sealed("goal", goal(++counter).SerializeAsString());
  retained[message.topic] = message.payload;
  to.push_back(message);
  goal_due_ = false;
}

void Gateway::send_ack(uint64_t boot_id, std::deque<Message>& to) {
  wire::Ack ack;
  ack.set_boot_id(boot_id);
  if (status && status->boot_id() == boot_id && ack_statuses) {
    ack.set_status_number(status->number());
  }
  ack.set_credit(4);
  ack.set_reports_only(!hello || hello->boot_id() != boot_id);
  for (const auto& [key, stream] : streams) {
    if (key.first != boot_id || !ack_reports) continue;
    wire::StreamAck* one = ack.add_streams();
    one->set_manifest(key.second);
    uint32_t cumulative = 0;
    while (stream.windows.count(cumulative + 1) != 0) ++cumulative;
    one->set_cumulative(cumulative);
    uint64_t bitmap = 0;
    for (uint32_t i = 0; i < 64; ++i) {
      if (stream.windows.count(cumulative + 1 + i) != 0) bitmap |= uint64_t{1} << i;
    }
    one->set_bitmap(bitmap);
    if (ack.streams_size() == 6) break;
  }
  to.push_back(sealed("ack", ack.SerializeAsString()));
}

void Gateway::on_states(const google::protobuf::RepeatedPtrField<wire::ModelState>& states,
                        std::deque<Message>& to) {
  for (const wire::ModelState& state : states) {
    states_[state.model()] = state;
    const std::string phase = wire::Phase_Name(static_cast<wire::Phase>(state.phase()));
    if (state.model() == states.Get(0).model() && (phases.empty() || phases.back() != phase)) {
      phases.push_back(phase);
    }
    for (Want& want : wants_) {
      if (!grant || want.model != state.model() || want.candidate == nullptr || want.may_confirm ||
          state.phase() != wire::PHASE_PROBATION_OK ||
          state.candidate() != want.candidate->digest) {
        continue;
      }
      want.may_confirm = true;
      goal_due_ = true;
    }
  }
  if (goal_due_) publish_goal(to);
}

void Gateway::on_fetch(const wire::Fetch& fetch, std::deque<Message>& to) {
  fetches.push_back(fetch);
  const auto found = releases_.find(fetch.manifest());
  for (uint32_t i = 0; i < 32 && chunks_left != 0; ++i) {
    if ((fetch.bitmap() >> i & 1U) == 0) continue;
    wire::Chunk chunk;
    chunk.set_manifest(fetch.manifest().substr(0, 8));
    chunk.set_index(fetch.first() + i);
    chunk.set_result(static_cast<uint32_t>(found == releases_.end() ? wire::CHUNK_RESULT_NOT_FOUND
                                                                    : chunk_result));
    if (chunk.result() == wire::CHUNK_RESULT_OK) {
      std::string data = found->second.chunk(fetch.first() + i);
      if (corrupt_chunks > 0) {
        --corrupt_chunks;
        data[0] = static_cast<char>(data[0] ^ 1);
      }
      chunk.set_data(data);
      ++chunks_sent;
      if (chunks_left > 0) --chunks_left;
    } else {
      chunk.set_retry_after_ms(busy_ms);
    }
    to.push_back({"covey/v1/2a/" + device_id + "/down/chunk", chunk.SerializeAsString()});
    if (chunk.result() != wire::CHUNK_RESULT_OK) return;
  }
}

void Gateway::on_report(const Bytes& payload, std::deque<Message>& to) {
  wire::Report report;
  if (!report.ParseFromString(payload)) std::abort();
  Stream& stream = streams[{report.boot_id(), report.manifest()}];
  const auto [at, fresh] = stream.windows.emplace(report.sequence(), payload);
  if (fresh) {
    stream.inferences += report.inferences();
    stream.errors += report.errors();
  } else if (at->second != payload) {
    ++changed_windows;
  }
  if (ack_reports) send_ack(report.boot_id(), to);
}

void Gateway::tick(std::deque<Message>& to) {
  if (goal_due_ && hello) publish_goal(to);
}

void Gateway::handle(const Message& message, std::deque<Message>& to) {
  if (message.topic == "covey/v1/enroll/" + device_id + "/up") {
    wire::EnrollRequest request;
    if (!request.ParseFromString(message.payload)) std::abort();
    wire::EnrollGrant answer;
    answer.set_nonce(request.nonce());
    answer.set_state(static_cast<uint32_t>(enroll_state));
    if (enroll_state == wire::ENROLL_STATE_ACCEPTED) {
      answer.set_order_key(order_key);
      answer.set_username(device_id);
      answer.set_password("secret");
      answer.set_shard("2a");
      answer.set_site_epoch(site_epoch);
    } else {
      answer.set_retry_after_s(30);
    }
    to.push_back({"covey/v1/enroll/" + device_id + "/down", answer.SerializeAsString()});
    return;
  }
  const std::string up = "covey/v1/2a/" + device_id + "/up/";
  if (message.topic.compare(0, up.size(), up) != 0) std::abort();
  const std::string kind = message.topic.substr(up.size());
  if (!unseal(kind, message.payload)) {
    ++bad_macs;
    return;
  }
  if (kind == "hello") {
    ++hellos;
    if (!answer_hello) return;  // it got lost
    hello.emplace();
    if (!hello->ParseFromString(message.payload)) std::abort();
    counter = std::max(counter, hello->goal_counter());
    if (!wants_.empty()) goal_due_ = true;  // with the nonce of this boot
    on_states(hello->models(), to);
    send_ack(hello->boot_id(), to);
  } else if (kind == "status") {
    status.emplace();
    if (!status->ParseFromString(message.payload)) std::abort();
    on_states(status->models(), to);
    if (ack_statuses) send_ack(status->boot_id(), to);
  } else if (kind == "fetch") {
    wire::Fetch fetch;
    if (!fetch.ParseFromString(message.payload)) std::abort();
    on_fetch(fetch, to);
  } else if (kind == "report") {
    on_report(message.payload, to);
  } else {
    std::abort();
  }
}

const wire::ModelState* Gateway::state(const std::string& model) const {
  const auto found = states_.find(model);
  return found == states_.end() ? nullptr : &found->second;
}

uint64_t Gateway::inferences() const {
  uint64_t sum = 0;
  for (const auto& [key, stream] : streams) sum += stream.inferences;
  return sum;
}

}  // namespace covey::agent_test
