// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/broker.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "core/backoff.hpp"
#include "gateway/adapters/broker/broker_files.hpp"
#include "gateway/adapters/broker/broker_log.hpp"
#include "gateway/adapters/broker/child.hpp"
#include "gateway/adapters/broker/mqtt_probe.hpp"
#include "gateway/adapters/broker/orphans.hpp"
#include "gateway/adapters/broker/sockets.hpp"

namespace covey::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Millis kStartProbeInterval{50};
constexpr int kProbeFailuresMax = 5;
constexpr Millis kWriteRetry{1s};
constexpr Millis kOrphanTimeout{5s};
// Descriptors of the broker beside those of devices: other listeners, log, epoll, files.
constexpr uint64_t kOtherDescriptors = 1100;

}  // namespace

std::string_view to_string(BrokerPhase phase) {
  switch (phase) {
    case BrokerPhase::kStopped:
      return "STOPPED";
    case BrokerPhase::kStarting:
      return "STARTING";
    case BrokerPhase::kReady:
      return "READY";
    case BrokerPhase::kBackingOff:
      return "BACKING_OFF";
    case BrokerPhase::kStopping:
      return "STOPPING";
  }
  return "";
}

class EmbeddedBroker::Supervisor {
 public:
  explicit Supervisor(BrokerOptions options)
      : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    COVEY_ASSERT(wake_.get() >= 0);
  }

  Result<BrokerEndpoints> start();
  void stop(Millis deadline);

  BrokerState state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  void set(const DeviceId& device, std::string password) {
    const std::string hash = hash_password(password);
    const std::lock_guard lock(mutex_);
    const auto found = credentials_.find(device);
    if (found != credentials_.end() && found->second.password == password) return;
    credentials_[device] = Credential{std::move(password), hash};
    credentials_changed();
  }

  void remove(const DeviceId& device) {
    const std::lock_guard lock(mutex_);
    if (credentials_.erase(device) > 0) credentials_changed();
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
  Status reserve_ports();
  void lower_connections();
  void run();
  bool run_once(Backoff& backoff);
  void supervise(Child& child);
  bool await_ready(Child& child);
  void terminate(Child& child);
  bool poll_child(Child& child, Millis timeout);
  void write_credentials(Child* child);
  Millis until_credentials_due(Millis limit) const;
  void sleep_backoff(Millis backoff);
  Status probe() const {
    return probe_mqtt(options_.listen, endpoints_.service_port, endpoints_.username,
                      endpoints_.password, options_.probe_timeout);
  }

  void credentials_changed() {  // mutex_ held
    ++credentials_version_;
    if (!credentials_due_) credentials_due_ = Clock::now() + options_.credentials_delay;
    wake();
  }
  void wake() const { (void)::eventfd_write(wake_.get(), 1); }
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
  std::optional<BrokerLog> log_;  // the thread's
  std::vector<ReservedPort> reserved_;
  std::thread thread_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  BrokerState state_;
  std::map<DeviceId, Credential> credentials_;
  uint64_t credentials_version_ = 1;
  uint64_t applied_version_ = 0;
  std::optional<Clock::time_point> credentials_due_;
  bool stopping_ = false;
  bool once_ready_ = false;
  bool finished_ = false;
  Millis stop_deadline_{2s};
};

Result<BrokerEndpoints> EmbeddedBroker::Supervisor::start() {
  if (thread_.joinable()) return precondition("BROKER_STARTED", "the broker was started already");
  if (const Status prepared = prepare(); !prepared) return prepared.error();
  thread_ = std::thread([this] { run(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return once_ready_ || finished_; });
  if (once_ready_) return endpoints_;
  const Error error{Code::kUnavailable, "BROKER_NOT_READY",
                    fmt::format("the embedded broker did not start: {}; it said: {}", state_.reason,
                                state_.log_tail)};
  lock.unlock();
  thread_.join();
  return error;
}

Status EmbeddedBroker::Supervisor::prepare() {
  const Result<std::string> binary = find_binary(options_.binary);
  if (!binary) return binary.error();
  binary_ = *binary;
  const Result<BrokerFiles> files = prepare_files(options_.data_dir);
  if (!files) return files.error();
  files_ = *files;
  log_.emplace(files_.log);
  const Result<uint32_t> orphans = end_orphans(files_.configuration, kOrphanTimeout);
  if (!orphans) return orphans.error();
  const Result<std::string> token = enroll_token(files_);
  if (!token) return token.error();
  if (const Status reserved = reserve_ports(); !reserved) return reserved;
  endpoints_.host = options_.listen;
  endpoints_.username = "svc-gateway";
  endpoints_.password = random_password();
  endpoints_.enroll_token_file = files_.enroll_token;
  {
    const std::lock_guard lock(mutex_);
    state_.orphans_ended = *orphans;
  }
  lower_connections();
  if (const Status written = write_configuration(files_, options_, endpoints_, *token); !written) {
    return written;
  }
  write_credentials(nullptr);
  const std::lock_guard lock(mutex_);
  if (applied_version_ == credentials_version_) return {};
  return Error{Code::kUnavailable, "BROKER_FILES",
               state_.notes.empty() ? "device.passwords was not written" : state_.notes.back()};
}

Status EmbeddedBroker::Supervisor::reserve_ports() {
  const auto reserve = [&](uint16_t wanted, const char* key, uint16_t& port) -> Status {
    ReservedPort reserved = reserve_port(options_.listen, wanted);
    if (reserved.port == 0) {
      return Error{Code::kUnavailable, "BROKER_NOT_READY",
                   fmt::format("{}: port {} on {} is taken by another program; choose another, or "
                               "0 for any",
                               key, wanted, options_.listen)};
    }
    port = reserved.port;
    reserved_.push_back(std::move(reserved));
    return {};
  };
  const Status done[] = {
      reserve(options_.device_port, "mqtt.embedded.port", endpoints_.device_port),
      reserve(options_.enroll_port, "mqtt.embedded.enroll_port", endpoints_.enroll_port),
      reserve(0, "the service listener", endpoints_.service_port)};
  for (const Status& status : done) {
    if (!status) return status;
  }
  return {};
}

void EmbeddedBroker::Supervisor::lower_connections() {
  const uint64_t limit = descriptor_limit();
  const uint64_t room = limit > 2 * kOtherDescriptors ? limit - kOtherDescriptors : limit / 2;
  if (options_.max_connections <= room) return;
  const std::lock_guard lock(mutex_);
  state_.notes.push_back(
      fmt::format("mqtt.embedded.max_connections lowered from {} to {}: the limit of file "
                  "descriptors is {} (raise LimitNOFILE or ulimit -Hn)",
                  options_.max_connections, room, limit));
  options_.max_connections = static_cast<uint32_t>(room);
}

void EmbeddedBroker::Supervisor::run() {
  // Signals are for coveyd's own handling, not for whichever thread happens to run.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  Backoff backoff(options_.backoff_min, options_.backoff_max);
  while (!stopping() && run_once(backoff)) {
    const std::lock_guard lock(mutex_);
    ++state_.restarts;
  }
  const std::lock_guard lock(mutex_);
  state_.phase = BrokerPhase::kStopped;
  state_.pid = 0;
  finished_ = true;
  changed_.notify_all();
}

// One life of the broker. False: do not start it again.
bool EmbeddedBroker::Supervisor::run_once(Backoff& backoff) {
  Result<Child> started = Child::start(binary_, files_.configuration);
  std::string end;
  if (started) {
    set_phase(BrokerPhase::kStarting, "the broker is starting", started->pid());
    if (await_ready(*started)) {
      backoff.reset();
      supervise(*started);
    }
    const std::string reason = state().reason;
    terminate(*started);
    end = fmt::format("the broker ended ({}) {}", started->reap(), reason);
    log_->drain(started->output_fd());
  } else {
    end = started.error().message;
  }
  bool ever_ready = false;
  {
    const std::lock_guard lock(mutex_);
    ever_ready = once_ready_;
  }
  if (stopping() || !ever_ready) {
    set_phase(BrokerPhase::kStopping, end, 0);
    return false;
  }
  set_phase(BrokerPhase::kBackingOff, end, 0);
  sleep_backoff(backoff.next());
  return true;
}

bool EmbeddedBroker::Supervisor::await_ready(Child& child) {
  const auto deadline = Clock::now() + options_.ready_timeout;
  while (!stopping()) {
    const Status answer = probe();
    if (answer) {
      const std::lock_guard lock(mutex_);
      once_ready_ = true;
      state_.phase = BrokerPhase::kReady;
      state_.reason.clear();
      changed_.notify_all();
      return true;
    }
    if (Clock::now() >= deadline) {
      set_phase(BrokerPhase::kStarting, "it was not ready in time: " + answer.error().message,
                child.pid());
      return false;
    }
    if (!poll_child(child, kStartProbeInterval)) {
      set_phase(BrokerPhase::kStarting, "before it was ready", child.pid());
      return false;
    }
  }
  return false;
}

void EmbeddedBroker::Supervisor::supervise(Child& child) {
  int failures = 0;
  auto next_probe = Clock::now() + options_.probe_interval;
  while (!stopping()) {
    const auto left = std::chrono::duration_cast<Millis>(next_probe - Clock::now());
    if (!poll_child(child, until_credentials_due(std::max(left, Millis{0})))) return;
    if (until_credentials_due(Millis::max()) == Millis{0}) write_credentials(&child);
    if (Clock::now() < next_probe) continue;
    const Status answer = probe();
    failures = answer ? 0 : failures + 1;
    if (failures >= kProbeFailuresMax) {
      set_phase(BrokerPhase::kStarting, "after it stopped answering", child.pid());
      child.send_signal(SIGKILL);
      return;
    }
    next_probe = Clock::now() + options_.probe_interval;
  }
}

// Waits for the child's end, its output or a wake-up. False: the child ended.
bool EmbeddedBroker::Supervisor::poll_child(Child& child, Millis timeout) {
  pollfd entries[] = {
      {wake_.get(), POLLIN, 0}, {child.exit_fd(), POLLIN, 0}, {child.output_fd(), POLLIN, 0}};
  const auto limit = std::clamp<int64_t>(timeout.count(), 0, 60'000);
  if (::poll(entries, 3, static_cast<int>(limit)) <= 0) return true;
  eventfd_t ignored = 0;
  if (entries[0].revents != 0) (void)::eventfd_read(wake_.get(), &ignored);
  if (entries[2].revents != 0) log_->drain(child.output_fd());
  return entries[1].revents == 0;
}

void EmbeddedBroker::Supervisor::terminate(Child& child) {
  Millis allowed{0};
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      state_.phase = BrokerPhase::kStopping;
      allowed = stop_deadline_;
    }
  }
  const auto deadline = Clock::now() + allowed;
  child.send_signal(SIGTERM);
  while (poll_child(child, std::chrono::duration_cast<Millis>(deadline - Clock::now()))) {
    if (Clock::now() < deadline) continue;
    child.send_signal(SIGKILL);
    while (poll_child(child, 100ms)) {
    }
    return;
  }
}

// The file first, then SIGHUP, then a connect: the broker reloads between two rounds of its loop,
// so when a connection made after the signal is answered, the new passwords are in force.
void EmbeddedBroker::Supervisor::write_credentials(Child* child) {
  std::map<DeviceId, std::string> hashes;
  uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [device, credential] : credentials_) hashes.emplace(device, credential.hash);
    version = credentials_version_;
    credentials_due_.reset();
  }
  Status done = write_device_passwords(files_, hashes);
  if (done && child != nullptr) {
    child->send_signal(SIGHUP);
    done = probe();
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(state_.notes, [](const std::string& n) { return n.starts_with("credentials:"); });
  if (done) {
    applied_version_ = version;
    changed_.notify_all();
  } else {
    state_.notes.push_back("credentials: " + done.error().message);
    credentials_due_ = Clock::now() + kWriteRetry;
  }
}

Millis EmbeddedBroker::Supervisor::until_credentials_due(Millis limit) const {
  const std::lock_guard lock(mutex_);
  if (!credentials_due_) return limit;
  const auto left = std::chrono::ceil<Millis>(*credentials_due_ - Clock::now());
  return std::clamp(left, Millis{0}, limit);
}

void EmbeddedBroker::Supervisor::sleep_backoff(Millis backoff) {
  const auto until = Clock::now() + backoff;
  while (!stopping() && Clock::now() < until) {
    const auto left = std::chrono::ceil<Millis>(until - Clock::now());
    pollfd entry{wake_.get(), POLLIN, 0};
    eventfd_t ignored = 0;
    if (::poll(&entry, 1, static_cast<int>(std::min<int64_t>(left.count(), 60'000))) > 0) {
      (void)::eventfd_read(wake_.get(), &ignored);
    }
  }
  // A broker that starts reads the file: what changed while it was down must be in it.
  if (until_credentials_due(Millis::max()) != Millis::max()) write_credentials(nullptr);
}

void EmbeddedBroker::Supervisor::stop(Millis deadline) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_deadline_ = deadline;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

EmbeddedBroker::EmbeddedBroker(BrokerOptions options)
    : supervisor_(std::make_unique<Supervisor>(std::move(options))) {}

EmbeddedBroker::~EmbeddedBroker() { supervisor_->stop(2s); }

Result<BrokerEndpoints> EmbeddedBroker::start() { return supervisor_->start(); }
void EmbeddedBroker::stop(Millis deadline) { supervisor_->stop(deadline); }
BrokerState EmbeddedBroker::state() const { return supervisor_->state(); }

void EmbeddedBroker::set_credential(const DeviceId& device, std::string password) {
  supervisor_->set(device, std::move(password));
}
void EmbeddedBroker::remove_credential(const DeviceId& device) { supervisor_->remove(device); }
bool EmbeddedBroker::flush(Millis timeout) { return supervisor_->flush(timeout); }

}  // namespace covey::broker
