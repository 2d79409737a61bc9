// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/tls/renewal.hpp"

#include <pthread.h>

#include <utility>

#include "gateway/adapters/log/log.hpp"

namespace covey::tls {
namespace {

constexpr Millis kWarnAgain{24h};

int64_t days_until(Millis end, Millis now) {
  return std::chrono::duration_cast<std::chrono::hours>(end - now).count() / 24;
}

}  // namespace

Renewal::Renewal(SiteIdentity identity, Options options)
    : identity_(std::move(identity)), options_(std::move(options)) {
  state_.server = identity_.server();
  warn_of_end(options_.wall());
}

void Renewal::start() {
  thread_ = std::thread([this] { run(); });
}

void Renewal::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Renewal::State Renewal::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Renewal::run() {
  pthread_setname_np(pthread_self(), "covey-tls");
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, options_.interval, [this] { return stopping_; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void Renewal::look() {
  const Millis now = options_.wall();
  const Result<bool> fresh = identity_.refresh(now);
  bool is_news = false;
  {
    const std::lock_guard lock(mutex_);
    const std::string failure = fresh ? std::string() : fresh.error().message;
    is_news = failure != state_.failure;
    state_.failure = failure;
    state_.server = identity_.server();
    if (fresh && *fresh) ++state_.renewals;
  }
  if (!fresh && is_news) {
    log::log_event(log::Level::kError, "tls_certificate_not_renewed",
                   {{"reason", fresh.error().reason},
                    {"text", fresh.error().message + "; the old one stays"}});
  }
  if (fresh && *fresh) {
    log::log_event(log::Level::kInfo, "tls_certificate_renewed",
                   {{"fingerprint", identity_.server().fingerprint},
                    {"days", days_until(identity_.server().not_after, now)}});
    options_.renewed();
  }
  warn_of_end(now);
}

void Renewal::warn_of_end(Millis now) {
  const Millis end = identity_.server().not_after;
  if (end - now > options_.warn_before || (warned_.count() != 0 && now - warned_ < kWarnAgain))
    return;
  warned_ = now;
  log::log_event(log::Level::kWarn, "tls_certificate_ends",
                 {{"days", days_until(end, now)},
                  {"text",
                   "devices with a clock refuse it then; the log says why it is not renewed, "
                   "one of your own has to be brought to tls.certificate_file"}});
}

}  // namespace covey::tls
