// SPDX-License-Identifier: Apache-2.0
// Logging of coveyd: events with fields, to stderr, as text or as one JSON object per line.
//   log_event(Level::kInfo, "device_accepted", {{"device", id.str()}, {"shard", 42}});
//   2026-05-01T12:00:00.123Z info  device_accepted device=press-1 shard=42
//   {"ts":"2026-05-01T12:00:00.123Z","level":"info","event":"device_accepted",...}
// Values are escaped (no line can be forged) and cut at 512 bytes; a field whose name contains
// password, secret, token or order_key is written as <redacted>.
//
// Asynchronous and bounded: log_event() copies a line into a queue (line_writer.hpp), so that a log
// that nobody reads holds up nobody. What does not fit is dropped, counted and said
// (log_lines_dropped); of one kind of line some come at once and then some per second, the rest is
// counted and said (log_lines_left_out). A process that ends calls flush_log() or last_words().
//
// Thread safety: log_event from any thread after setup_log(). Never on the engine's path for each
// message: count there, log changes.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "core/time.hpp"
#include "gateway/config/config.hpp"

namespace covey::log {

using Level = config::LogLevel;

struct Field {
  std::string_view name;
  std::variant<std::string, int64_t, uint64_t, double, bool> value;

  Field(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  template <std::signed_integral T>
  Field(std::string_view n, T v) : name(n), value(static_cast<int64_t>(v)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Field(std::string_view n, T v)
      : name(n), value(static_cast<uint64_t>(v)) {}
};

using Fields = std::initializer_list<Field>;

// Call once, before other threads log; again to change level or format.
void setup_log(config::LogLevel level, config::LogFormat format);
bool log_enabled(Level level);
void log_event(Level level, std::string_view event, Fields fields = {});

// What a library has to say, as a line `library` with its name and text. Any thread.
void log_library(Level level, std::string_view library, std::string_view text);

// Until what was logged is written, at most `deadline`.
void flush_log(Millis deadline);
// From now on whatever anybody writes to stderr becomes lines of the log; release_log_stderr()
// gives it back, for an exec.
void capture_log_stderr();
void release_log_stderr();

// For a process that is about to end because of a bug or of the system: says why, at once and
// without memory, then waits a moment for what was logged before. Any thread, signal handlers too.
void last_words(const char* event, const char* text);
// The same without a word.
void last_moment();

struct LogCounters {
  uint64_t written = 0;
  uint64_t dropped = 0;   // the log is read too slowly
  uint64_t left_out = 0;  // too many of their kind
};
LogCounters log_counters();

// The line without its line end; pure, for tests. `wall_ms` is UTC since 1970.
std::string format_event(config::LogFormat format, int64_t wall_ms, Level level,
                         std::string_view event, Fields fields);

}  // namespace covey::log
