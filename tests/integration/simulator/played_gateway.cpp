// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/simulator/played_gateway.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "deploy/signing/sha256.hpp"

namespace covey::simulator_test {
namespace {

constexpr char kMacHead[] = {0x7a, 0x10};
constexpr size_t kMacBytes = 16;

std::string bytes_of(const Digest& digest) {
  return std::string(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
}

std::string text_of(const Bytes& bytes) { return std::string(bytes.begin(), bytes.end()); }

ByteView view_of(std::string_view text) {
  return ByteView(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

std::string mac_of(const std::string& key, const std::string& kind, const std::string& id,
                   const std::string& payload) {
  const std::string input = kind + '\0' + id + '\0' + payload;
  const auto mac = hmac_sha256_16(view_of(key), view_of(input));
  return std::string(reinterpret_cast<const char*>(mac.data()), mac.size());
}

}  // namespace

PlayedGateway::PlayedGateway(boost::asio::io_context& io, uint16_t port)
    : io_(io), port_(port), connection_(io, *this, 1 << 20, 1) {
  on_closed("");
}

void PlayedGateway::on_closed(std::string_view) {
  simulator::ConnectionOptions options;
  options.client_id = "svc-gateway";
  connection_.open({boost::asio::ip::make_address("127.0.0.1"), port_}, options);
}

void PlayedGateway::on_connected() {
  connection_.subscribe("covey/v1/+/+/up/#", 1);
  connection_.subscribe("covey/v1/enroll/+/up", 1);
  wire::Site site;
  site.set_site_epoch(1);
  site.set_gateway_start_id(0x5157);
  site.set_hello_jitter_ms(100);
  publish("covey/v1/site", site.SerializeAsString(), 1);
}

void PlayedGateway::publish(const std::string& topic, std::string_view payload, uint8_t qos) {
  waiting_.push_back({topic, std::string(payload), qos});
  pump();
}

// In order, as far as the client has room for acknowledgements.
void PlayedGateway::pump() {
  size_t sent = 0;
  for (; sent < waiting_.size(); sent++) {
    const Outgoing& out = waiting_[sent];
    const bool retained = out.topic.starts_with("covey/v1/m/") ||
                          out.topic.ends_with("/down/goal") || out.topic == "covey/v1/site";
    const std::span<const uint8_t> payload(reinterpret_cast<const uint8_t*>(out.payload.data()),
                                           out.payload.size());
    if (connection_.publish(out.topic.c_str(), payload, out.qos, retained) != COVEY_MQTT_OK) {
      break;
    }
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (!waiting_.empty() && sent > 0) boost::asio::post(io_, [this] { pump(); });
}

void PlayedGateway::on_message(const char* topic, std::span<const uint8_t> piece, size_t offset,
                               size_t total) {
  if (offset == 0) incoming_.clear();
  incoming_.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  if (incoming_.size() == total) handle(topic, incoming_);
  if (!waiting_.empty()) pump();
}

void PlayedGateway::handle(const std::string& topic, const std::string& payload) {
  std::vector<std::string> levels;
  for (size_t at = 0; at <= topic.size();) {
    const size_t end = std::min(topic.find('/', at), topic.size());
    levels.push_back(topic.substr(at, end - at));
    at = end + 1;
  }
  if (levels.size() == 5 && levels[2] == "enroll") return on_enroll(levels[3], payload);
  if (levels.size() != 6 || devices_.count(levels[3]) == 0) return;
  const std::string& id = levels[3];
  const std::string& kind = levels[5];
  if (kind == "bye") {
    byes++;
    return;
  }
  if (!mac_good(id, kind, payload)) {
    bad_macs++;
    return;
  }
  if (kind == "hello") return on_hello(id, payload);
  if (kind == "status") return on_status(id, payload);
  if (kind == "report") return on_report(id, payload);
  if (kind == "fetch") return on_fetch(id, payload);
}

bool PlayedGateway::mac_good(const std::string& id, const std::string& kind,
                             const std::string& payload) {
  const size_t tail = sizeof kMacHead + kMacBytes;
  if (payload.size() < tail) return false;
  const std::string body = payload.substr(0, payload.size() - tail);
  return payload.substr(body.size()) ==
         std::string(kMacHead, sizeof kMacHead) + mac_of(devices_[id].order_key, kind, id, body);
}

void PlayedGateway::on_enroll(const std::string& id, const std::string& payload) {
  wire::EnrollRequest request;
  if (!request.ParseFromString(payload) || request.device_id() != id) {
    unparsable++;
    return;
  }
  Device& device = devices_[id];
  device.facts = request.facts();
  if (device.order_key.empty()) {
    device.order_key = std::string(32, static_cast<char>(devices_.size()));
  }
  wire::EnrollGrant grant;
  grant.set_nonce(request.nonce());
  grant.set_state(wire::ENROLL_STATE_ACCEPTED);
  grant.set_order_key(device.order_key);
  grant.set_username(id);
  grant.set_password("secret-" + id);
  grant.set_shard("00");
  grant.set_site_epoch(1);
  publish("covey/v1/enroll/" + id + "/down", grant.SerializeAsString(), 1);
}

void PlayedGateway::on_hello(const std::string& id, const std::string& payload) {
  wire::Hello hello;
  if (!hello.ParseFromString(payload) || hello.device_id() != id) {
    unparsable++;
    return;
  }
  Device& device = devices_[id];
  device.hellos++;
  device.boot = hello.boot_id();
  device.nonce = hello.nonce();
  device.counter = std::max(device.counter, hello.goal_counter());
  for (const wire::ModelState& state : hello.models()) on_model_state(id, state);
  send_goal(id);
  send_ack(id, hello.boot_id(), hello.status_number(), "");
}

void PlayedGateway::on_status(const std::string& id, const std::string& payload) {
  wire::DeviceStatus status;
  if (!status.ParseFromString(payload)) {
    unparsable++;
    return;
  }
  if (status.boot_id() != devices_[id].boot) return;
  for (const wire::ModelState& state : status.models()) on_model_state(id, state);
  send_ack(id, status.boot_id(), status.number(), "");
}

void PlayedGateway::on_model_state(const std::string& id, const wire::ModelState& state) {
  Device& device = devices_[id];
  device.state = state;
  if (releases_.empty()) return;
  const bool offered = state.candidate() == bytes_of(releases_.back().artifact.manifest_digest);
  if (offered && state.phase() == wire::PHASE_PROBATION_OK && !device.granted) {
    device.granted = true;
    send_goal(id);
  }
}

void PlayedGateway::offer(const Release& release) {
  releases_.push_back(release);
  const auto topic = [](const Digest& digest) { return "covey/v1/m/" + to_hex(digest); };
  const UnsignedArtifact& artifact = release.artifact;
  publish(topic(artifact.manifest_digest), text_of(release.signed_manifest), 1);
  publish(topic(artifact.manifest.chunk_table_digest), text_of(artifact.chunk_table), 1);
  publish(topic(artifact.manifest.tables_digest), text_of(artifact.tables), 1);
  for (auto& [id, device] : devices_) {
    device.granted = false;
    if (device.boot != 0) send_goal(id);
  }
}

void PlayedGateway::send_goal(const std::string& id) {
  Device& device = devices_[id];
  wire::Goal goal;
  goal.set_site_epoch(1);
  goal.set_counter(++device.counter);
  goal.set_device_id(id);
  goal.set_nonce(device.nonce);
  goal.set_lease_s(3600);
  wire::ModelGoal* model = goal.add_models();
  const Digest name = sha256(view_of("bearing-vibration"));
  model->set_model_id(
      static_cast<uint32_t>(name.bytes[0]) | static_cast<uint32_t>(name.bytes[1]) << 8 |
      static_cast<uint32_t>(name.bytes[2]) << 16 | static_cast<uint32_t>(name.bytes[3]) << 24);
  model->set_confirmed(device.state.confirmed().substr(0, 8));
  const bool done = releases_.empty() ||
                    device.state.confirmed() == bytes_of(releases_.back().artifact.manifest_digest);
  if (!done) {
    model->set_candidate(bytes_of(releases_.back().artifact.manifest_digest));
    model->set_mode(wire::GOAL_MODE_ACTIVE);
    model->set_attempt(static_cast<uint32_t>(releases_.size()));
    model->set_may_confirm(device.granted);
  }
  send(id, "goal", goal.SerializeAsString(), true, 1);
}

void PlayedGateway::on_report(const std::string& id, const std::string& payload) {
  wire::Report report;
  if (!report.ParseFromString(payload)) {
    unparsable++;
    return;
  }
  auto& windows = windows_[{id, report.boot_id(), report.manifest()}];
  windows.emplace(report.sequence(), report.inferences());
  uint64_t sum = 0;
  uint32_t expected = 1;
  for (const auto& [sequence, inferences] : windows) {
    if (sequence != expected || sequence > report.sequence()) break;
    sum += inferences;
    expected++;
  }
  if (expected > report.sequence() && sum != report.inferences_total()) gaps++;
  send_ack(id, report.boot_id(), 0, report.manifest());
}

void PlayedGateway::send_ack(const std::string& id, uint64_t boot, uint32_t status_number,
                             const std::string& stream) {
  wire::Ack ack;
  ack.set_boot_id(boot);
  ack.set_reports_only(boot != devices_[id].boot);
  ack.set_status_number(status_number);
  ack.set_credit(2);
  if (!stream.empty()) {
    wire::StreamAck* acked = ack.add_streams();
    acked->set_manifest(stream);
    uint32_t cumulative = 0;
    uint64_t bitmap = 0;
    for (const auto& [sequence, inferences] : windows_[{id, boot, stream}]) {
      if (sequence == cumulative + 1) {
        cumulative = sequence;
      } else if (sequence - cumulative - 1 < 64) {
        bitmap |= uint64_t{1} << (sequence - cumulative - 1);
      }
    }
    acked->set_cumulative(cumulative);
    acked->set_bitmap(bitmap);
  }
  send(id, "ack", ack.SerializeAsString(), true, 0);
}

void PlayedGateway::on_fetch(const std::string& id, const std::string& payload) {
  wire::Fetch fetch;
  if (!fetch.ParseFromString(payload)) {
    unparsable++;
    return;
  }
  for (const Release& release : releases_) {
    const UnsignedArtifact& artifact = release.artifact;
    if (fetch.manifest() != bytes_of(artifact.manifest_digest)) continue;
    for (uint32_t bit = 0; bit < 32; bit++) {
      if ((fetch.bitmap() >> bit & 1) == 0) continue;
      const ByteView data = chunk_of(artifact.manifest, artifact.image, fetch.first() + bit);
      wire::Chunk chunk;
      chunk.set_manifest(fetch.manifest().substr(0, 8));
      chunk.set_index(fetch.first() + bit);
      chunk.set_data(std::string(data.begin(), data.end()));
      send(id, "chunk", chunk.SerializeAsString(), false, 0);
    }
  }
}

void PlayedGateway::send(const std::string& id, const std::string& kind, std::string payload,
                         bool with_mac, uint8_t qos) {
  if (with_mac) {
    payload +=
        std::string(kMacHead, sizeof kMacHead) + mac_of(devices_[id].order_key, kind, id, payload);
  }
  publish("covey/v1/00/" + id + "/down/" + kind, payload, qos);
}

size_t PlayedGateway::confirmed_on(const Release& release) const {
  const std::string digest = bytes_of(release.artifact.manifest_digest);
  return static_cast<size_t>(
      std::count_if(devices_.begin(), devices_.end(), [&](const auto& entry) {
        return entry.second.state.confirmed() == digest && entry.second.state.active() == digest;
      }));
}

std::map<std::tuple<std::string, std::string, std::string>, uint64_t> PlayedGateway::counted()
    const {
  std::map<std::tuple<std::string, std::string, std::string>, uint64_t> out;
  for (const auto& [key, windows] : windows_) {
    const auto& [id, boot, manifest] = key;
    for (const auto& [sequence, inferences] : windows) {
      out[{id, fmt::format("{:016x}", boot), to_hex(view_of(manifest))}] += inferences;
    }
  }
  return out;
}

uint64_t PlayedGateway::counted_total() const {
  uint64_t total = 0;
  for (const auto& [key, inferences] : counted()) total += inferences;
  return total;
}

}  // namespace covey::simulator_test
