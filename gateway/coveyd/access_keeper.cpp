// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/access_keeper.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <filesystem>
#include <utility>

#include "core/yaml/yaml.hpp"
#include "gateway/adapters/log/log.hpp"
#include "gateway/config/durable_file.hpp"

namespace covey {

AccessKeeper::AccessKeeper(access::Access& access, Options options)
    : access_(access), options_(std::move(options)) {}

void AccessKeeper::start(runtime::EnginePort& engine) {
  engine_ = &engine;
  thread_ = std::thread([this] { run(); });
}

// A crash loses a minute of them: they are for people who tidy up.
void AccessKeeper::note_uses() {
  since_noted_ += options_.interval;
  if (since_noted_ < options_.note_interval) return;
  since_noted_ = Millis{0};
  std::map<std::string, Millis> uses = access_.token_uses();
  if (uses == noted_) return;
  noted_ = uses;
  engine_->submit(
      {.command = engine::NoteTokenUses{std::move(uses)}, .actor = "coveyd", .etag = ""},
      [](const Result<engine::CommandReply>&) {});
}

void AccessKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AccessKeeper::run() {
  pthread_setname_np(pthread_self(), "covey-access");
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, options_.interval, [this] { return stopping_; })) {
    lock.unlock();
    access_.look();
    note_uses();
    say_once(rules_failure_, read_rules(), "access_file_not_taken");
    if (options_.tls) {
      const Result<bool> fresh = options_.tls->reload();
      say_once(tls_failure_, fresh ? Status() : Status(fresh.error()), "tls_files_not_taken");
    }
    lock.lock();
  }
}

// What the files have that were named when they were read last; a file that cannot be read:
// nothing.
std::string AccessKeeper::content_now(const std::string& yaml) const {
  std::string content = yaml;
  for (const std::string& path : named_) {
    const Result<std::string> keys = config::read_file_bounded(path, access::Jwks::kBytesMax);
    content += fmt::format("\n{}\n{}", path, keys ? *keys : "");
  }
  return content;
}

Status AccessKeeper::read_rules() {
  if (options_.file.empty()) return {};
  const Result<std::string> yaml = config::read_file_bounded(options_.file, kYamlBytesMax);
  if (!yaml) return invalid("ACCESS_FILE", "access.file: " + yaml.error().message);
  if (!taken_.empty() && content_now(*yaml) == taken_) return {};
  const std::filesystem::path folder = std::filesystem::path(options_.file).parent_path();
  std::vector<std::string> named;
  Result<access::Rules> rules = access::parse_rules(*yaml, [&](const std::string& name) {
    named.push_back((folder / name).string());
    return config::read_file_bounded(named.back(), access::Jwks::kBytesMax);
  });
  if (!rules) {
    return invalid("ACCESS_FILE",
                   fmt::format("access.file: {}: {}", options_.file, rules.error().message));
  }
  access_.set_rules(*std::move(rules));
  if (!taken_.empty()) {
    log::log_event(log::Level::kInfo, "access_file_taken", {{"file", options_.file}});
  }
  named_ = std::move(named);
  taken_ = content_now(*yaml);
  return {};
}

// The old ones stay.
void AccessKeeper::say_once(std::string& said, const Status& status, const char* event) {
  const std::string now = status ? std::string() : status.error().message;
  if (now == said) return;
  said = now;
  if (!status) {
    log::log_event(log::Level::kError, event,
                   {{"reason", status.error().reason},
                    {"text", status.error().message + "; the old ones stay"}});
  }
}

}  // namespace covey
