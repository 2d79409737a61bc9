// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/broker/broker.hpp"

#include <fmt/format.h>

#include <utility>

#include "gateway/adapters/broker/orphans.hpp"
#include "gateway/adapters/broker/supervisor.hpp"

namespace covey::broker {
namespace {

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
  const bool own_token = options_.enroll_token_file.empty();
  if (!own_token) files_.enroll_token = options_.enroll_token_file;
  const Result<std::string> token = enroll_token(files_, own_token);
  if (!token) return token.error();
  enroll_hash_ = hash_password(*token);
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
  if (const Status written = write_configuration(files_, options_, endpoints_); !written) {
    return written;
  }
  revocations_ = options_.revocations;
  write_credentials(nullptr);
  const std::lock_guard lock(mutex_);
  if (applied_version_ == credentials_version_) return {};
  return Error{Code::kUnavailable, "BROKER_FILES",
               state_.notes.empty() ? "device.passwords was not written" : state_.notes.back()};
}

Status EmbeddedBroker::Supervisor::reserve_ports() {
  const auto reserve = [&](const std::string& host, uint16_t wanted, const char* key,
                           uint16_t& port) -> Status {
    ReservedPort reserved = reserve_port(host, wanted);
    if (reserved.port == 0) {
      return Error{Code::kUnavailable, "BROKER_NOT_READY",
                   fmt::format("{}: port {} on {} is taken by another program; choose another, or "
                               "0 for any",
                               key, wanted, host)};
    }
    port = reserved.port;
    reserved_.push_back(std::move(reserved));
    return {};
  };
  const Status done[] = {
      reserve(options_.listen, options_.device_port, "mqtt.embedded.port", endpoints_.device_port),
      reserve(options_.listen, options_.enroll_port, "mqtt.embedded.enroll_port",
              endpoints_.enroll_port),
      options_.device_ca_file.empty()
          ? Status()
          : reserve(options_.listen, options_.certificate_port, "mqtt.embedded.certificate_port",
                    endpoints_.certificate_port),
      reserve(endpoints_.service_host, 0, "the service listener", endpoints_.service_port)};
  std::optional<Error> all;  // people see each of them at once
  for (const Status& status : done) {
    if (status) continue;
    if (all) {
      all->message += "; " + status.error().message;
    } else {
      all = status.error();
    }
  }
  return all ? Status(*std::move(all)) : Status();
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

void EmbeddedBroker::Supervisor::stop(Millis deadline) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_deadline_ = deadline;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

Status check_binary(const std::string& name) {
  const Result<std::string> found = find_binary(name);
  return found ? Status() : found.error();
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
void EmbeddedBroker::set_claim(const ClaimName& claim, const std::string& password) {
  supervisor_->set_claim(claim, password);
}
void EmbeddedBroker::set_revocations(std::string list) {
  supervisor_->set_revocations(std::move(list));
}
bool EmbeddedBroker::flush(Millis timeout) { return supervisor_->flush(timeout); }
void EmbeddedBroker::certificate_changed() { supervisor_->certificate_changed(); }

}  // namespace covey::broker
