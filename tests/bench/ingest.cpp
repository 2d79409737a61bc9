// Reports ingested per second, from a device's publish to its acknowledgement after the durable
// commit, through a real mosquitto, the gateway's own MQTT link, runtime and SQLite store; beside a
// bare subscriber that throws everything away, in the same process and run.
//   covey_bench [--seconds N] [--devices N] [--outstanding N] [--data-dir DIR]   JSON on stdout
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "covey/device/v1/device.pb.h"
#include "deploy/signing/sha256.hpp"
#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/mqtt/client.hpp"
#include "gateway/adapters/mqtt/topics.hpp"
#include "gateway/coveyd/device_link.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey {
namespace {

using Clock = std::chrono::steady_clock;
namespace wire = covey::device::v1;

struct Settings {
  int seconds = 10;
  int devices = 200;
  int outstanding = 2000;
  std::string data_dir;
};

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "covey_bench: %s\n", what.c_str());
  std::exit(1);
}
template <typename T>
T need(Result<T> result, const std::string& what) {
  if (!result) give_up(what + ": " + result.error().reason + ": " + result.error().message);
  return *std::move(result);
}
void need(const Status& status, const std::string& what) {
  if (!status) give_up(what + ": " + status.error().reason + ": " + status.error().message);
}
template <typename Condition>
void wait_until(const Condition& condition, const std::string& what) {
  const auto until = Clock::now() + 20s;
  while (!condition()) {
    if (Clock::now() > until) give_up(what + ": gave up after 20 s");
    std::this_thread::sleep_for(5ms);
  }
}

Bytes sealed_report(const engine::ReportMessage& m, const DeviceId& device, const Digest& key) {
  wire::Report r;
  r.set_boot_id(m.boot_id);
  r.set_manifest(m.manifest.data(), m.manifest.size());
  r.set_sequence(m.sequence);
  r.set_base_sequence(m.base_sequence);
  r.set_t0_ms(m.t0_ms);
  r.set_t1_ms(m.t1_ms);
  r.set_merged(m.merged);
  r.set_inferences(static_cast<uint32_t>(m.counts.inferences));
  r.set_inferences_total(m.inferences_total);
  for (const uint64_t n : m.counts.classes) r.add_classes(static_cast<uint32_t>(n));
  for (const uint64_t n : m.counts.confidence) r.add_confidence(static_cast<uint32_t>(n));
  for (const monitoring::FeatureCounts& feature : m.counts.features) {
    wire::FeatureWindow& window = *r.add_features();
    for (const uint64_t n : feature.bins) window.add_bins(static_cast<uint32_t>(n));
    window.set_min(feature.min);
    window.set_max(feature.max);
    window.set_sum(feature.sum);
    window.set_sum_squares(feature.sum_squares);
  }
  Bytes payload(r.ByteSizeLong());
  r.SerializeWithCachedSizesToArray(payload.data());
  std::string input = "report";
  input += '\0';
  input += device.str();
  input += '\0';
  input.append(payload.begin(), payload.end());
  const Digest16 mac = hmac_sha256_16(key.bytes, as_bytes(input));
  payload.push_back(0x7a);
  payload.push_back(16);
  payload.insert(payload.end(), mac.begin(), mac.end());
  return payload;
}

// One played device: what it sent and when, until acknowledged.
struct Sender {
  DeviceId id;
  uint8_t shard = 0;
  Digest key;
  std::string topic;
  std::vector<Clock::time_point> sent;  // by sequence - 1
  uint32_t acknowledged = 0;
};

struct Figures {
  double per_second = 0;
  uint64_t count = 0;
  uint64_t sent = 0;
  std::vector<double> latencies_ms;
};

double quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

mqtt::MqttOptions options_of(const broker::BrokerEndpoints& endpoints,
                             std::vector<std::string> subscriptions) {
  return {.host = endpoints.host,
          .port = endpoints.service_port,
          .username = endpoints.username,
          .password = endpoints.password,
          .subscriptions = std::move(subscriptions)};
}

class Load {
 public:
  Load(const Settings& settings, const broker::BrokerEndpoints& endpoints, test::Site& site)
      : settings_(settings),
        site_(site),
        client_(options_of(endpoints, {"covey/v1/+/+/down/ack"}),
                {.on_connection = nullptr,
                 .on_message = [this](std::string_view topic, ByteView payload, bool) {
                   on_ack(topic, payload);
                 }}) {
    for (const auto& [id, device] : site.state().fleet.devices) {
      Sender sender{.id = id,
                    .shard = static_cast<uint8_t>(device.shard),
                    .key = engine::order_key(site.state(), device)};
      sender.topic = "covey/v1/" + shard_text(device.shard) + "/" + id.str() + "/up/report";
      index_[id.str()] = senders_.size();
      senders_.push_back(std::move(sender));
    }
    need(client_.start(), "load client");
    wait_until([&] { return client_.connected(); }, "load client");
  }

  // Sends for `seconds`, at most `outstanding` that `done()` does not count yet.
  template <typename Done>
  Figures run(const Done& done) {
    Figures figures;
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::seconds(settings_.seconds);
    const uint64_t before = done();
    size_t next = 0;
    while (Clock::now() < end) {
      if (figures.sent - (done() - before) >= static_cast<uint64_t>(settings_.outstanding)) {
        std::this_thread::sleep_for(1ms);
        continue;
      }
      Sender& sender = senders_[next++ % senders_.size()];
      const Bytes payload = sealed_report(site_.window(sender.id.str(), 60), sender.id, sender.key);
      {
        const std::lock_guard lock(mutex_);
        sender.sent.push_back(Clock::now());
      }
      while (!client_.publish(sender.topic, payload, mqtt::Qos::kAtMostOnce, false)) {
        std::this_thread::sleep_for(1ms);
      }
      ++figures.sent;
    }
    figures.count = done() - before;
    figures.per_second = static_cast<double>(figures.count) /
                         std::chrono::duration<double>(Clock::now() - begin).count();
    const std::lock_guard lock(mutex_);
    figures.latencies_ms = std::exchange(latencies_ms_, {});
    return figures;
  }
  // Every device begins anew; `boot` makes it known.
  template <typename Boot>
  void restart_streams(const Boot& boot) {
    const std::lock_guard lock(mutex_);
    for (Sender& sender : senders_) {
      sender.sent.clear();
      sender.acknowledged = 0;
      boot(sender.id);
    }
    latencies_ms_.clear();
  }
  uint64_t acknowledged() const { return acknowledged_; }
  void stop() { client_.stop(2s); }

 private:
  void on_ack(std::string_view topic, ByteView payload) {
    wire::Ack ack;
    if (!ack.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return;
    const size_t from = topic.find('/', 9) + 1;
    const auto found = index_.find(std::string(topic.substr(from, topic.find('/', from) - from)));
    if (found == index_.end() || ack.streams_size() == 0) return;
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    Sender& sender = senders_[found->second];
    const uint32_t upto =
        std::min<uint32_t>(ack.streams(0).cumulative(), static_cast<uint32_t>(sender.sent.size()));
    for (; sender.acknowledged < upto; ++sender.acknowledged) {
      latencies_ms_.push_back(
          std::chrono::duration<double, std::milli>(now - sender.sent[sender.acknowledged])
              .count());
      ++acknowledged_;
    }
  }

  const Settings& settings_;
  test::Site& site_;
  std::vector<Sender> senders_;  // `sent` and `acknowledged` guarded by mutex_
  std::map<std::string, size_t> index_;
  std::mutex mutex_;
  std::vector<double> latencies_ms_;  // guarded by mutex_
  std::atomic<uint64_t> acknowledged_{0};
  mqtt::MqttClient client_;
};

int run(const Settings& settings) {
  // A fleet that is enrolled, was heard and runs a release; then the real clock and the real disk.
  test::Site site;
  site.push({1, 0, 0});
  site.join_many("d", settings.devices);
  for (int i = 0; i < settings.devices; ++i) site.run("d" + std::to_string(i), {1, 0, 0});
  auto store = need(SqliteStore::open(settings.data_dir, {}), "store");
  Snapshot snapshot = need(site.store().load({}), "snapshot");
  std::vector<Write> writes{PutSite{snapshot.site}};
  for (const auto& key : snapshot.trusted_keys) writes.emplace_back(PutTrustedKey{key});
  for (const auto& release : snapshot.releases) writes.emplace_back(PutRelease{release});
  for (const auto& device : snapshot.devices) writes.emplace_back(PutDevice{device});
  need(store->commit(writes), "first commit");
  const Now now{
      std::chrono::duration_cast<Millis>(Clock::now().time_since_epoch()),
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())};

  broker::EmbeddedBroker broker({.data_dir = settings.data_dir});
  const broker::BrokerEndpoints endpoints = need(broker.start(), "broker");
  Load load(settings, endpoints, site);

  // First the bare subscriber: what the broker and Paho can do at all.
  std::atomic<uint64_t> discarded{0};
  Figures bare;
  {
    mqtt::MqttClient subscriber(
        options_of(endpoints, {"covey/v1/+/+/up/+"}),
        {.on_connection = nullptr,
         .on_message = [&](std::string_view, ByteView, bool) { ++discarded; }});
    need(subscriber.start(), "bare subscriber");
    wait_until([&] { return subscriber.connected(); }, "bare subscriber");
    bare = load.run([&] { return discarded.load(); });
    wait_until([&] { return discarded >= bare.sent; }, "bare subscriber's rest");
    subscriber.stop(2s);
  }

  engine::EngineConfig config;
  config.start_id = 2;
  DeviceLink link(options_of(endpoints, {"covey/v1/+/+/up/+"}), nullptr);
  runtime::Runtime runtime(
      need(engine::Engine::load(need(store->load({}), "load"), config, now), "engine"), *store,
      need(store->reader(), "reader"), {},
      {.deliver = [&](const auto& effects) { link.deliver(effects); },
       .fatal = [](const Error& e) { give_up("fatal: " + e.reason + ": " + e.message); },
       .health = nullptr,
       .endpoints = nullptr});
  link.connect_to(runtime);
  runtime.start();
  need(link.start(), "device link");
  wait_until([&] { return link.connected(); }, "device link");
  // The bare run's windows never came here: new streams from the first sequence on.
  load.restart_streams([&](const DeviceId& id) {
    site.reboot(id.str());
    if (!runtime.post(runtime::EventClass::kLifecycle,
                      site.sealed(id.str(), site.hello_of(id.str())))) {
      give_up("hello was refused");
    }
  });
  Figures durable = load.run([&] { return load.acknowledged(); });
  const runtime::RuntimeCounters counters = runtime.counters();
  load.stop();
  link.stop(2s);
  runtime.stop(10s);
  broker.stop(5s);

  const nlohmann::json result{
      {"ingest",
       {{"devices", settings.devices},
        {"outstanding", settings.outstanding},
        {"seconds", settings.seconds},
        {"durable_per_second", durable.per_second},
        {"acknowledgement_p50_ms", quantile(durable.latencies_ms, 0.50)},
        {"acknowledgement_p99_ms", quantile(durable.latencies_ms, 0.99)},
        {"acknowledged", durable.count},
        {"bare_subscriber_per_second", bare.per_second},
        {"ratio_to_bare", bare.per_second > 0 ? durable.per_second / bare.per_second : 0.0},
        {"commits", counters.commits},
        {"commit_p99_us", counters.commit.p99_us},
        {"slice_p99_us", counters.slice.p99_us},
        {"slice_max_us", counters.slice.max_us},
        {"queue_full", counters.queue_full[2]}}}};
  std::printf("%s\n", result.dump(2).c_str());
  return durable.count > 0 ? 0 : 1;
}

}  // namespace
}  // namespace covey

int main(int argc, char** argv) {
  covey::Settings settings;
  CLI::App app{"Reports per second to the durable commit, beside a bare subscriber."};
  app.add_option("--seconds", settings.seconds, "How long each part measures")
      ->check(CLI::PositiveNumber);
  app.add_option("--devices", settings.devices, "Devices that report")->check(CLI::PositiveNumber);
  app.add_option("--outstanding", settings.outstanding, "Reports not acknowledged at any time")
      ->check(CLI::PositiveNumber);
  app.add_option("--data-dir", settings.data_dir, "An empty folder for broker and database")
      ->required();
  CLI11_PARSE(app, argc, argv);
  return covey::run(settings);
}
