// SPDX-License-Identifier: Apache-2.0
// covey_bench_bare: the least that could make reports durable and say so: Paho, a queue, SQLite
// with synchronous=FULL, one acknowledgement per device and 200 ms, through a mosquitto that is set
// up as coveyd's. It checks nothing, counts nothing and knows no device but by its topic. What
// coveyd costs more is what Covey does.
//   covey_bench_bare --data-dir DIR --credentials FILE      one line of JSON on stdout once it
//   listens; ends with SIGTERM
#include <mqtt/async_client.h>
#include <sqlite3.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gateway/adapters/broker/broker.hpp"
#include "tests/bench/agent_inside.hpp"

namespace covey::bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace paho = ::mqtt;

constexpr auto kAckEvery = 200ms;
// As coveyd's telemetry waits for company.
constexpr auto kBatchWait = 50ms;
constexpr size_t kBatchMax = 2000;
constexpr int kPublishesMax = 10'000;  // that Paho holds: an acknowledgement for each device

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "covey_bench_bare: %s\n", what.c_str());
  std::exit(1);
}

// How covey.device.v1.Report begins.
struct Head {
  uint64_t boot_id;
  const uint8_t* manifest;
  uint32_t sequence;
};
constexpr covey_member_t kHeadMembers[] = {COVEY_MEMBER(1, COVEY_MEMBER_F64, Head, boot_id),
                                           COVEY_MEMBER(2, COVEY_MEMBER_PREFIX, Head, manifest),
                                           COVEY_MEMBER(3, COVEY_MEMBER_U32, Head, sequence),
                                           COVEY_MEMBERS_END(Head)};

// The log of reports, and how far each device's stream is.
class Table {
 public:
  explicit Table(const std::string& path) {
    if (sqlite3_open(path.c_str(), &database_) != SQLITE_OK) give_up(path);
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    execute("CREATE TABLE log (at INTEGER PRIMARY KEY, device INTEGER, seq INTEGER, report BLOB)");
    execute("CREATE TABLE mark (device INTEGER PRIMARY KEY, seq INTEGER)");
    prepare("INSERT INTO log (device, seq, report) VALUES (?, ?, ?)", &append_);
    prepare("INSERT OR REPLACE INTO mark VALUES (?, ?)", &mark_);
  }
  ~Table() {
    sqlite3_finalize(append_);
    sqlite3_finalize(mark_);
    sqlite3_close(database_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void begin() { execute("BEGIN"); }
  void append(int64_t device, uint32_t sequence, const std::string& report) {
    sqlite3_bind_int64(append_, 1, device);
    sqlite3_bind_int64(append_, 2, sequence);
    sqlite3_bind_blob(append_, 3, report.data(), static_cast<int>(report.size()), SQLITE_STATIC);
    step(append_);
  }
  void mark(int64_t device, uint32_t sequence) {
    sqlite3_bind_int64(mark_, 1, device);
    sqlite3_bind_int64(mark_, 2, sequence);
    step(mark_);
  }
  void commit() { execute("COMMIT"); }

 private:
  void execute(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      give_up(sqlite3_errmsg(database_));
    }
  }
  void prepare(const char* sql, sqlite3_stmt** statement) {
    if (sqlite3_prepare_v2(database_, sql, -1, statement, nullptr) != SQLITE_OK) {
      give_up(sqlite3_errmsg(database_));
    }
  }
  void step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) give_up(sqlite3_errmsg(database_));
    sqlite3_reset(statement);
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* append_ = nullptr;
  sqlite3_stmt* mark_ = nullptr;
};

struct Stream {
  int64_t number = 0;  // of the device
  std::string topic;   // down/ack
  uint64_t boot_id = 0;
  std::string manifest;
  uint32_t sequence = 0;
  bool moved = false;  // in this batch
  bool owed = false;   // an acknowledgement
};

class Bare {
 public:
  Bare(const broker::BrokerEndpoints& endpoints, const std::string& data_dir)
      : table_(data_dir + "/bare.db"),
        client_("tcp://" + endpoints.host + ":" + std::to_string(endpoints.service_port),
                "svc-bare",
                paho::create_options_builder()
                    .mqtt_version(MQTTVERSION_3_1_1)
                    .max_buffered_messages(kPublishesMax)
                    .finalize()) {
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);  // as coveyd does
    client_.set_message_callback([this](const paho::const_message_ptr& message) {
      const std::lock_guard lock(mutex_);
      queue_.push_back(message);
      if (queue_.size() == 1 || queue_.size() == kBatchMax) filled_.notify_one();
    });
    const auto options = paho::connect_options_builder()
                             .mqtt_version(MQTTVERSION_3_1_1)
                             .clean_session(true)
                             .max_inflight(65'535)
                             .user_name(endpoints.username)
                             .password(endpoints.password)
                             .finalize();
    client_.connect(options)->wait();
    client_.subscribe("covey/v1/+/+/up/report", 1)->wait();
  }

  void run(const std::atomic<bool>& ended) {
    auto next_acks = Clock::now() + kAckEvery;
    while (!ended) {
      std::vector<paho::const_message_ptr> batch;
      {
        std::unique_lock lock(mutex_);
        filled_.wait_for(lock, kAckEvery / 10, [this] { return !queue_.empty(); });
        if (!queue_.empty()) {
          filled_.wait_for(lock, kBatchWait, [this] { return queue_.size() >= kBatchMax; });
        }
        batch.swap(queue_);
      }
      if (!batch.empty()) write(batch);
      if (Clock::now() >= next_acks) {
        next_acks += kAckEvery;
        acknowledge();
      }
    }
    client_.disconnect()->wait_for(1s);
  }

 private:
  Stream& stream_of(const std::string& topic) {
    Stream& stream = streams_[topic];
    if (stream.number == 0) {
      stream.number = static_cast<int64_t>(streams_.size());
      stream.topic = topic.substr(0, topic.size() - std::string_view("up/report").size());
      stream.topic += "down/ack";
    }
    return stream;
  }
  void write(const std::vector<paho::const_message_ptr>& batch) {
    table_.begin();
    for (const auto& message : batch) {
      const std::string& report = message->get_payload_str();
      Head head{};
      const covey_bytes_t bytes{reinterpret_cast<const uint8_t*>(report.data()), report.size()};
      if (!covey_read_members(bytes, kHeadMembers, &head) || head.manifest == nullptr) continue;
      Stream& stream = stream_of(message->get_topic());
      if (stream.boot_id != head.boot_id) {
        stream.boot_id = head.boot_id;
        stream.manifest.assign(reinterpret_cast<const char*>(head.manifest), COVEY_PREFIX_BYTES);
        stream.sequence = 0;
      }
      table_.append(stream.number, head.sequence, report);
      stream.sequence = std::max(stream.sequence, head.sequence);
      if (!stream.moved) moved_.push_back(&stream);
      stream.moved = true;
    }
    for (Stream* stream : moved_) {
      table_.mark(stream->number, stream->sequence);
      stream->moved = false;
      if (!stream->owed) owed_.push_back(stream);
      stream->owed = true;
    }
    moved_.clear();
    table_.commit();
  }
  void acknowledge() {
    for (Stream* stream : owed_) {
      stream->owed = false;
      std::array<uint8_t, COVEY_ACK_BYTES_MAX> bytes{};
      covey_writer_t w{bytes.data(), 0, bytes.size(), false};
      covey_write_fixed64(&w, 1, stream->boot_id);
      const size_t begun = covey_write_begin(&w, 2);
      covey_write_bytes(&w, 1, stream->manifest.data(), stream->manifest.size());
      covey_write_uint(&w, 2, stream->sequence);
      covey_write_end(&w, begun);
      client_.publish(stream->topic, bytes.data(), w.size, 0, false);
    }
    owed_.clear();
  }

  Table table_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<paho::const_message_ptr> queue_;  // guarded by mutex_
  std::unordered_map<std::string, Stream> streams_;
  std::vector<Stream*> moved_;
  std::vector<Stream*> owed_;
  paho::async_client client_;
};

std::atomic<bool> ended{false};

int run(const std::string& data_dir, const std::string& credentials) {
  broker::EmbeddedBroker broker({.data_dir = data_dir});
  std::ifstream file(credentials);
  for (std::string id, password; file >> id >> password;)
    broker.set_credential(DeviceId(id), password);
  const Result<broker::BrokerEndpoints> endpoints = broker.start();
  if (!endpoints) give_up(endpoints.error().message);
  Bare bare(*endpoints, data_dir);
  const nlohmann::json ready{
      {"broker", endpoints->host + ":" + std::to_string(endpoints->device_port)},
      {"mosquitto_pid", broker.state().pid}};
  std::printf("%s\n", ready.dump().c_str());
  std::fflush(stdout);
  bare.run(ended);
  broker.stop(5s);
  return 0;
}

}  // namespace
}  // namespace covey::bench

int main(int argc, char** argv) {
  std::string data_dir;
  std::string credentials;
  CLI::App app{"Paho and SQLite, and nothing else between a device's report and its row."};
  app.add_option("--data-dir", data_dir, "An empty folder for broker and database")->required();
  app.add_option("--credentials", credentials, "What covey_bench_load --credentials wrote")
      ->required()
      ->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGTERM, [](int) { covey::bench::ended = true; });
  std::signal(SIGINT, [](int) { covey::bench::ended = true; });
  return covey::bench::run(data_dir, credentials);
}
