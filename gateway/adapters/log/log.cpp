// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/log/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>

#include <fmt/format.h>

#include "core/limits.hpp"
#include "gateway/adapters/log/line_writer.hpp"
#include "gateway/adapters/log/repeats.hpp"
#include "gateway/adapters/log/stderr_capture.hpp"

namespace covey::log {
namespace {

std::atomic<config::LogFormat> current_format{config::LogFormat::kText};
std::atomic<Level> current_level{Level::kInfo};
std::atomic<int> last_fd{STDERR_FILENO};

std::string line_of(Level level, std::string_view event, Fields fields) {
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return format_event(current_format.load(), wall.count(), level, event, fields);
}

std::atomic<LineWriter*> made_writer{nullptr};

// Made at first use and never destroyed, so that a thread that outlives main() may still log.
LineWriter& writer() {
  static LineWriter& instance =
      *std::make_unique<LineWriter>(STDERR_FILENO, kLogQueueBytesMax, [](uint64_t lines) {
         return line_of(Level::kWarn, "log_lines_dropped",
                        {{"lines", lines}, {"text", "the log is read too slowly"}});
       }).release();
  made_writer = &instance;
  return instance;
}

struct Rates {
  std::mutex mutex;
  Repeats repeats;  // guarded by mutex
};
Rates& rates() {
  static Rates& instance = *std::make_unique<Rates>().release();
  return instance;
}

Millis steady_now() {
  return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch());
}

void say(const Repeats::LeftOut& left_out) {
  for (const auto& [kind, lines] : left_out) {
    writer().push(line_of(Level::kWarn, "log_lines_left_out", {{"kind", kind}, {"lines", lines}}));
  }
}

void log_kind(std::string_view kind, Level level, std::string_view event, Fields fields) {
  if (!log_enabled(level)) return;
  bool passes = false;
  Repeats::LeftOut due;
  {
    Rates& all = rates();
    const std::lock_guard lock(all.mutex);
    passes = all.repeats.pass(kind, steady_now());
    due = all.repeats.take(steady_now(), false);
  }
  say(due);
  if (passes) writer().push(line_of(level, event, fields));
}

}  // namespace

void setup_log(config::LogLevel level, config::LogFormat format) {
  current_format.store(format);
  current_level.store(level);
  (void)writer();
}

bool log_enabled(Level level) { return level >= current_level.load(); }

void log_event(Level level, std::string_view event, Fields fields) {
  log_kind(event, level, event, fields);
}

void log_library(Level level, std::string_view library, std::string_view text) {
  log_kind(fmt::format("library {}", library), level, "library",
           {{"name", library}, {"text", text}});
}

void flush_log(Millis deadline) {
  Repeats::LeftOut due;
  {
    Rates& all = rates();
    const std::lock_guard lock(all.mutex);
    due = all.repeats.take(steady_now(), true);
  }
  say(due);
  (void)writer().flush(deadline);
}

void capture_log_stderr() {
  const int fd =
      capture_stderr([](std::string_view line) { log_library(Level::kWarn, "stderr", line); });
  if (fd < 0) return;
  writer().set_fd(fd);
  last_fd = fd;
}

void release_log_stderr() { release_stderr(); }

void last_words(const char* event, const char* text) {
  char line[512];
  char plain[320];
  size_t length = 0;
  for (; text[length] != '\0' && length + 1 < sizeof plain; ++length) {
    const char c = text[length];
    plain[length] = c >= ' ' && c <= '~' && c != '"' && c != '\\' ? c : '?';
  }
  plain[length] = '\0';
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  const char* const format =
      current_format.load() == config::LogFormat::kJson
          ? R"({"ts":"%04d-%02d-%02dT%02d:%02d:%02dZ","level":"error","event":"%s","text":"%s"})"
            "\n"
          : "%04d-%02d-%02dT%02d:%02d:%02dZ error %s text=\"%s\"\n";
  const int size = std::snprintf(line, sizeof line, format, utc.tm_year + 1900, utc.tm_mon + 1,
                                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, event, plain);
  pollfd entry{last_fd, POLLOUT, 0};
  if (size > 0 && ::poll(&entry, 1, 200) > 0) {
    (void)!::write(last_fd, line, std::min(static_cast<size_t>(size), sizeof line - 1));
  }
  last_moment();
}

void last_moment() {
  // Never made here: there may be no memory.
  if (const LineWriter* const log = made_writer) log->wait_written(Millis{300});
  drain_captured();
}

LogCounters log_counters() {
  Rates& all = rates();
  const std::lock_guard lock(all.mutex);
  return {.written = writer().written(),
          .dropped = writer().dropped(),
          .left_out = all.repeats.left_out()};
}

}  // namespace covey::log
