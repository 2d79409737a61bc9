// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "gateway/adapters/broker/retained.hpp"

namespace covey::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Millis kStartProbeInterval{50};
constexpr int kProbeFailuresMax = 5;
constexpr Millis kWriteRetry{1s};
// A reload takes the broker's only thread the longer, the more devices are known and connected (it
// looks for each one's password, one after the other): it has some times as long for other things.
constexpr int kReloadPause = 6;
constexpr Millis kReloadPauseMax{1s};  // whoever is accepted meanwhile waits that long

}  // namespace

uint64_t resident_bytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  uint64_t pages = 0;
  uint64_t resident = 0;
  if (!(file >> pages >> resident)) return 0;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
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
    most_bytes_ = 0;
    set_phase(BrokerPhase::kStarting, "the broker is starting", started->pid());
    if (await_ready(*started)) {
      backoff.reset();
      supervise(*started);
    }
    const std::string reason = state().reason;
    terminate(*started);
    end = fmt::format("the broker ended ({}) {}", started->reap(), reason);
    if (end.ends_with(' ')) end.pop_back();
    log_->drain(started->output_fd());
    if (!stopping()) tell(BrokerNews::Kind::kEnded, end + memory_advice());
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
  bool back = false;
  while (!stopping()) {
    const Status answer = probe();
    if (answer) {
      const std::lock_guard lock(mutex_);
      once_ready_ = true;
      state_.phase = BrokerPhase::kReady;
      state_.reason.clear();
      changed_.notify_all();
      if (state_.restarts > 0) back = true;
    }
    if (answer) {
      if (back) tell(BrokerNews::Kind::kBack, "the broker is back");
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
    watch_memory(child.pid());
    sweep();
    next_probe = Clock::now() + options_.probe_interval;
  }
}

void EmbeddedBroker::Supervisor::sweep() {
  const Result<Swept> swept = sweep_retained(access(), options_.probe_timeout);
  if (!swept || swept->messages == 0) return;
  {
    const std::lock_guard lock(mutex_);
    state_.retained_deleted += swept->messages;
  }
  std::string whose;
  for (const auto& [device, messages] : swept->by_device) {
    if (whose.size() < 200) whose += fmt::format(" {} ({})", device, messages);
  }
  tell(BrokerNews::Kind::kNote,
       fmt::format("deleted {} messages that devices had it keep, which none may:{}",
                   swept->messages, whose));
}

// Said once when it comes near its limit, and again after it was well below.
void EmbeddedBroker::Supervisor::watch_memory(pid_t pid) {
  const uint64_t limit = options_.memory_limit_bytes;
  most_bytes_ = resident_bytes(pid);
  const bool near = most_bytes_ >= limit / 10 * 8;
  if (near && !memory_told_) tell(BrokerNews::Kind::kNote, "near its limit" + memory_advice());
  if (near || most_bytes_ < limit / 10 * 6) memory_told_ = near;
}

// Empty: memory was not the reason.
std::string EmbeddedBroker::Supervisor::memory_advice() const {
  if (most_bytes_ < options_.memory_limit_bytes / 10 * 8) return {};
  return fmt::format(
      "; it has used {} of {} MiB (mqtt.embedded.memory_limit_bytes): too many or too slow "
      "clients, "
      "or a device that fills it",
      most_bytes_ >> 20, options_.memory_limit_bytes >> 20);
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
  std::map<ClaimName, std::string> claims;
  std::string revocations;
  std::vector<DeviceId> thrown_out;
  uint64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    claims = claims_;
    revocations = revocations_;
    thrown_out = thrown_out_;
    for (const auto& [device, credential] : credentials_) hashes.emplace(device, credential.hash);
    version = credentials_version_;
    credentials_due_.reset();
  }
  const auto since = Clock::now();
  Status done = write_device_passwords(files_, hashes);
  if (done) done = write_enroll_passwords(files_, enroll_hash_, claims);
  if (done && !options_.device_ca_file.empty()) done = write_revocations(files_, revocations);
  if (done && child != nullptr) {
    child->send_signal(SIGHUP);
    done = probe();
    if (done) done = throw_out(thrown_out);
  }
  const auto until = Clock::now();
  const std::lock_guard lock(mutex_);
  credentials_next_ =
      until + std::min<Clock::duration>(kReloadPause * (until - since), kReloadPauseMax);
  if (credentials_due_) credentials_due_ = std::max(*credentials_due_, credentials_next_);
  std::erase_if(state_.notes, [](const std::string& n) { return n.starts_with("credentials:"); });
  if (done) {
    // Who was added meanwhile stands behind them.
    thrown_out_.erase(thrown_out_.begin(),
                      thrown_out_.begin() + static_cast<std::ptrdiff_t>(thrown_out.size()));
    applied_version_ = version;
    changed_.notify_all();
  } else {
    state_.notes.push_back("credentials: " + done.error().message);
    credentials_due_ = Clock::now() + kWriteRetry;
  }
}

// mosquitto ends no session for its certificate: another client with its id does ([MQTT-3.1.4-2]),
// and the service listener alone lets a client choose one.
Status EmbeddedBroker::Supervisor::throw_out(const std::vector<DeviceId>& devices) const {
  for (const DeviceId& device : devices) {
    Result<MqttConnection> connection =
        MqttConnection::open(access(), device.str(), options_.probe_timeout);
    if (!connection) return connection.error();
    connection->disconnect();
  }
  return {};
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

}  // namespace covey::broker
