// SPDX-License-Identifier: Apache-2.0
// Inside of EmbeddedBroker: the state that its callers and its one thread share. That thread forks
// the broker and lives until stop() (broker.cpp: before and after it; supervisor.cpp: the thread).
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/eventfd.h>

#include "core/backoff.hpp"
#include "gateway/adapters/broker/broker.hpp"
#include "gateway/adapters/broker/broker_files.hpp"
#include "gateway/adapters/broker/broker_log.hpp"
#include "gateway/adapters/broker/child.hpp"
#include "gateway/adapters/broker/mqtt_probe.hpp"
#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {

// Memory of a process, now; 0: it is gone.
uint64_t resident_bytes(pid_t pid);

class EmbeddedBroker::Supervisor {
 public:
  explicit Supervisor(BrokerOptions options)
      : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    COVEY_ASSERT(wake_.get() >= 0);
  }

  Result<BrokerEndpoints> start();
  void stop(Millis deadline);

  BrokerState state() const {
    BrokerState now;
    {
      const std::lock_guard lock(mutex_);
      now = state_;
      now.credentials = credentials_.size();
    }
    if (now.pid != 0) now.resident_bytes = resident_bytes(now.pid);
    return now;
  }

  void set(const DeviceId& device, std::string password) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = credentials_.find(device);
      if (found != credentials_.end() && found->second.password == password) return;
    }
    std::string hash = hash_password(password);
    const std::lock_guard lock(mutex_);
    credentials_[device] = Credential{std::move(password), std::move(hash)};
    credentials_changed();
  }

  void remove(const DeviceId& device) {
    const std::lock_guard lock(mutex_);
    if (credentials_.erase(device) == 0) return;
    if (!options_.device_ca_file.empty()) thrown_out_.push_back(device);
    credentials_changed();
  }

  void set_claim(const ClaimName& claim, const std::string& password) {
    std::string hash = password.empty() ? std::string() : hash_password(password);
    const std::lock_guard lock(mutex_);
    if (hash.empty()) {
      if (claims_.erase(claim) == 0) return;
    } else {
      claims_.insert_or_assign(claim, std::move(hash));
    }
    credentials_changed();
  }

  void set_revocations(std::string list) {
    const std::lock_guard lock(mutex_);
    revocations_ = std::move(list);
    credentials_changed();
  }

  // A SIGHUP reads both again.
  void certificate_changed() {
    const std::lock_guard lock(mutex_);
    credentials_changed();
  }

  bool flush(Millis timeout) {
    std::unique_lock lock(mutex_);
    const uint64_t wanted = credentials_version_;
    return changed_.wait_for(lock, timeout, [&] { return applied_version_ >= wanted; });
  }

 private:
  struct Credential {
    std::string password;
    std::string hash;
  };

  Status prepare();
  void watch_memory(pid_t pid);
  std::string memory_advice() const;
  Status reserve_ports();
  void lower_connections();
  void run();
  bool run_once(Backoff& backoff);
  void supervise(Child& child);
  bool await_ready(Child& child);
  void terminate(Child& child);
  bool poll_child(Child& child, Millis timeout);
  void write_credentials(Child* child);
  Status throw_out(const std::vector<DeviceId>& devices) const;
  Millis until_credentials_due(Millis limit) const;
  void sleep_backoff(Millis backoff);
  MqttAccess access() const {
    return {endpoints_.service_host, endpoints_.service_port, endpoints_.username,
            endpoints_.password};
  }
  Status probe() const { return probe_mqtt(access(), options_.probe_timeout); }
  void sweep();

  void credentials_changed() {  // mutex_ held
    ++credentials_version_;
    if (!credentials_due_) {
      credentials_due_ = std::max(std::chrono::steady_clock::now() + options_.credentials_delay,
                                  credentials_next_);
    }
    wake();
  }
  void wake() const { (void)::eventfd_write(wake_.get(), 1); }
  void tell(BrokerNews::Kind kind, std::string text) const {
    if (!options_.happened) return;
    options_.happened(
        {kind, std::move(text), kind == BrokerNews::Kind::kEnded ? log_->tail() : ""});
  }
  bool stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }
  void set_phase(BrokerPhase phase, std::string reason, pid_t pid) {
    const std::lock_guard lock(mutex_);
    state_.phase = phase;
    state_.reason = std::move(reason);
    state_.pid = pid;
    state_.log_tail = log_->tail();
    changed_.notify_all();
  }

  // Set before the thread starts, read by it.
  BrokerOptions options_;
  Descriptor wake_;
  BrokerFiles files_;
  BrokerEndpoints endpoints_;
  std::string binary_;
  std::string enroll_hash_;
  std::optional<BrokerLog> log_;  // the thread's
  std::vector<ReservedPort> reserved_;
  uint64_t most_bytes_ = 0;   // the thread's: at the last look
  bool memory_told_ = false;  // the thread's
  std::thread thread_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  BrokerState state_;
  std::map<DeviceId, Credential> credentials_;
  std::map<ClaimName, std::string> claims_;  // hashes
  std::string revocations_;
  std::vector<DeviceId> thrown_out_;  // whose sessions end once the broker lets them in no more
  uint64_t credentials_version_ = 1;
  uint64_t applied_version_ = 0;
  std::optional<std::chrono::steady_clock::time_point> credentials_due_;
  std::chrono::steady_clock::time_point credentials_next_;  // not before
  bool stopping_ = false;
  bool once_ready_ = false;
  bool finished_ = false;
  Millis stop_deadline_{2s};
};

}  // namespace covey::broker
