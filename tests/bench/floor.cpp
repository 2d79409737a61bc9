// SPDX-License-Identifier: Apache-2.0
// The floor under a rollout: the bytes of a model to N plain MQTT subscribers, through the embedded
// mosquitto, from the gateway's own MQTT client to covey-sim's own, with nothing in between: no
// fetch, no digest, no flash, no goal. What a rollout takes longer is what Covey does.
//   covey_bench_floor --data-dir DIR [--devices N] [--chunks N] [--chunk-bytes N]   JSON on stdout
#include <CLI/CLI.hpp>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "device_agent/simulator/link/connection.hpp"
#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/mqtt/client.hpp"

namespace covey {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  int devices = 1000;
  int chunks = 32;
  int chunk_bytes = 2048;
  std::string data_dir;
};

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "covey_bench_floor: %s\n", what.c_str());
  std::exit(1);
}
void need(const Status& status, const std::string& what) {
  if (!status) give_up(what + ": " + status.error().reason + ": " + status.error().message);
}
template <typename Condition>
void wait_until(const Condition& condition, const std::string& what) {
  const auto until = Clock::now() + 60s;
  while (!condition()) {
    if (Clock::now() > until) give_up(what + ": gave up after 60 s");
    std::this_thread::sleep_for(1ms);
  }
}

// Written by the thread of the io_context, read by the publisher.
struct Tally {
  std::atomic<int> failed{0};
  std::atomic<uint64_t> messages{0};
  std::atomic<uint64_t> bytes{0};
};

// A message of one byte says that the subscription stands; longer ones are counted.
class Subscriber : public simulator::ConnectionListener {
 public:
  Subscriber(boost::asio::io_context& io, std::string topic, Tally& tally)
      : topic_(std::move(topic)), tally_(tally), connection_(io, *this, 512, 1) {}

  void open(const boost::asio::ip::tcp::endpoint& broker, const std::string& id,
            const std::string& password) {
    connection_.open(broker, {.client_id = id, .username = id, .password = password});
  }
  const std::string& topic() const { return topic_; }
  bool ready() const { return ready_; }

  void on_connected() override { connection_.subscribe(topic_.c_str(), 0); }
  void on_message(const char*, std::span<const uint8_t> piece, size_t offset,
                  size_t total) override {
    if (total == 1) {
      ready_ = true;
      return;
    }
    tally_.bytes += piece.size();
    if (offset + piece.size() == total) ++tally_.messages;
  }
  void on_published() override {}
  void on_closed(std::string_view reason) override {
    std::fprintf(stderr, "covey_bench_floor: a subscriber lost its connection: %s\n",
                 std::string(reason).c_str());
    ++tally_.failed;
  }

 private:
  std::string topic_;
  Tally& tally_;
  std::atomic<bool> ready_{false};
  simulator::Connection connection_;
};

void publish(mqtt::MqttClient& client, const std::string& topic, const Bytes& payload) {
  // Paho holds a bounded number: full means that the broker is behind.
  while (!client.publish(topic, payload, mqtt::Qos::kAtMostOnce, false)) {
    if (!client.connected()) give_up("the publisher lost its connection");
    std::this_thread::sleep_for(1ms);
  }
}

int run(const Settings& settings) {
  broker::EmbeddedBroker broker({.data_dir = settings.data_dir});
  const std::string password = "floor";
  std::vector<DeviceId> ids;
  for (int i = 0; i < settings.devices; ++i) {
    ids.emplace_back("f" + std::to_string(i));
    broker.set_credential(ids.back(), password);
  }
  const Result<broker::BrokerEndpoints> endpoints = broker.start();
  if (!endpoints) give_up(endpoints.error().message);

  Tally tally;
  boost::asio::io_context io;
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  const boost::asio::ip::tcp::endpoint address(boost::asio::ip::make_address(endpoints->host),
                                               endpoints->device_port);
  for (const DeviceId& id : ids) {
    subscribers.push_back(
        std::make_unique<Subscriber>(io, "covey/v1/00/" + id.str() + "/down/chunk", tally));
    subscribers.back()->open(address, id.str(), password);
  }
  std::thread reader([&] { io.run(); });

  mqtt::MqttClient publisher({.host = endpoints->host,
                              .port = endpoints->service_port,
                              .username = endpoints->username,
                              .password = endpoints->password,
                              .subscriptions = {"covey/v1/+/+/up/+"}},
                             {.on_connection = nullptr, .on_message = nullptr});
  need(publisher.start(), "publisher");
  wait_until([&] { return publisher.connected(); }, "publisher");
  for (const auto& subscriber : subscribers) {
    wait_until(
        [&] {
          if (subscriber->ready()) return true;
          publish(publisher, subscriber->topic(), Bytes(1));
          return false;
        },
        "a subscriber");
  }

  const Bytes chunk(static_cast<size_t>(settings.chunk_bytes), 0x5a);
  const auto wanted =
      static_cast<uint64_t>(settings.devices) * static_cast<uint64_t>(settings.chunks);
  const auto begin = Clock::now();
  for (int i = 0; i < settings.chunks; ++i) {
    for (const auto& subscriber : subscribers) publish(publisher, subscriber->topic(), chunk);
  }
  wait_until([&] { return tally.messages >= wanted || tally.failed > 0; }, "the last chunk");
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  publisher.stop(2s);
  io.stop();
  reader.join();
  subscribers.clear();
  broker.stop(5s);
  if (tally.failed > 0) give_up("a subscriber failed");

  const nlohmann::json result{
      {"devices", settings.devices},
      {"seconds", seconds},
      {"messages", tally.messages.load()},
      {"payload_bytes", tally.bytes.load()},
      {"messages_per_second", static_cast<double>(tally.messages) / seconds},
      {"bytes_per_second", static_cast<double>(tally.bytes) / seconds}};
  std::printf("%s\n", result.dump(2).c_str());
  return 0;
}

}  // namespace
}  // namespace covey

int main(int argc, char** argv) {
  covey::Settings settings;
  CLI::App app{"The same bytes to plain MQTT subscribers."};
  app.add_option("--devices", settings.devices, "Subscribers")->check(CLI::PositiveNumber);
  app.add_option("--chunks", settings.chunks, "Messages to each")->check(CLI::PositiveNumber);
  app.add_option("--chunk-bytes", settings.chunk_bytes, "Bytes of a message")
      ->check(CLI::Range(2, 1 << 20));
  app.add_option("--data-dir", settings.data_dir, "An empty folder for the broker")->required();
  CLI11_PARSE(app, argc, argv);
  return covey::run(settings);
}
