// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/library_logs.hpp"

#include "gateway/adapters/grpc/library_log.hpp"
#include "gateway/adapters/log/log.hpp"
#include "gateway/adapters/mqtt/client.hpp"
#include "storage/sqlite/database.hpp"

namespace covey {
namespace {

log::Level level_of(LibraryLevel level) {
  switch (level) {
    case LibraryLevel::kDebug:
      return log::Level::kDebug;
    case LibraryLevel::kInfo:
      return log::Level::kInfo;
    case LibraryLevel::kError:
      return log::Level::kWarn;  // an error of theirs is seldom one of ours
  }
  return log::Level::kWarn;
}

}  // namespace

void take_library_logs() {
  log::capture_log_stderr();
  log_grpc_to([](LibraryLevel level, const char* library, const std::string& text) {
    log::log_library(level_of(level), library, text);
  });
  mqtt::log_paho_to([](const char* text) { log::log_library(log::Level::kDebug, "paho", text); });
  sqlite::log_sqlite_to([](bool warning, const char* text) {
    log::log_library(warning ? log::Level::kWarn : log::Level::kInfo, "sqlite", text);
  });
}

}  // namespace covey
