// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/log/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <chrono>
#include <memory>

namespace covey::log {
namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kTrace:
      return spdlog::level::trace;
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::atomic<config::LogFormat> current_format{config::LogFormat::kText};

// Made at first use and never destroyed, so that a thread that outlives main() may still log.
spdlog::logger& logger() {
  static spdlog::logger& instance = *[] {
    auto made = std::make_unique<spdlog::logger>("coveyd",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::trace);
    return made.release();
  }();
  return instance;
}

}  // namespace

void setup_log(config::LogLevel level, config::LogFormat format) {
  current_format.store(format);
  logger().set_level(spdlog_level(level));
}

bool log_enabled(Level level) { return logger().should_log(spdlog_level(level)); }

void log_event(Level level, std::string_view event, Fields fields) {
  if (!log_enabled(level)) return;
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const std::string line = format_event(current_format.load(), wall.count(), level, event, fields);
  logger().log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace covey::log
