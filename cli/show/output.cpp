// SPDX-License-Identifier: Apache-2.0
#include "cli/show/output.hpp"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

namespace covey::cli {
namespace {

using Json = nlohmann::ordered_json;

const std::set<std::string_view> kGood = {"ACCEPTED", "SUCCEEDED", "PASSED", "CONFIRMED", "PASS",
                                          "OK",       "RESOLVED",  "yes",    "serving"};
const std::set<std::string_view> kBad = {"REJECTED",  "ABORTED", "ROLLED_BACK", "FAILED",
                                         "REVERTED",  "FAIL",    "ERROR",       "PAGE",
                                         "TIMED_OUT", "FIRING",  "DECLINED",    "NOT OK"};
const std::set<std::string_view> kBusy = {"PENDING", "RUNNING",   "PAUSED",   "ROLLING_BACK",
                                          "SOAKING", "DEPLOYING", "WARN",     "INCONCLUSIVE",
                                          "OFFERED", "PROBATION", "ANALYZING"};

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Plain where every reader of YAML takes it as text.
std::string yaml_key(const std::string& key) {
  const bool plain =
      !key.empty() && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
  return plain && key != "null" && key != "true" && key != "false" && key != "yes" && key != "no" &&
                 key != "on" && key != "off" && key != "y" && key != "n"
             ? key
             : dumped(key);
}

void write_yaml(const Json& json, std::string& out, size_t indent) {
  const std::string space(indent, ' ');
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items()) {
      out += space + yaml_key(key) + ":";
      if (value.is_structured() && !value.empty()) {
        out += '\n';
        write_yaml(value, out, indent + 2);
      } else {
        out += ' ' + dumped(value) + '\n';
      }
    }
  } else if (json.is_array() && !json.empty()) {
    for (const Json& value : json) {
      if (value.is_structured() && !value.empty()) {
        std::string inner;
        write_yaml(value, inner, indent + 2);
        inner.replace(indent, 1, "-");
        out += inner;
      } else {
        out += space + "- " + dumped(value) + '\n';
      }
    }
  } else {
    out += space + dumped(json) + '\n';
  }
}

}  // namespace

const std::vector<std::string> kFormatWords = {"table", "wide", "json", "yaml"};

std::optional<Format> parse_format(const std::string& word) {
  const auto found = std::find(kFormatWords.begin(), kFormatWords.end(), word);
  if (found == kFormatWords.end()) return std::nullopt;
  return static_cast<Format>(found - kFormatWords.begin());  // in the order of the enum
}

Style detect_style() {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  Style style{.colors = terminal && !dumb && std::getenv("NO_COLOR") == nullptr,
              .terminal = terminal && !dumb};
  winsize size{};
  if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.columns = size.ws_col;
    if (size.ws_row > 0) style.rows = size.ws_row;
  }
  return style;
}

std::string colored(std::string_view text, const Style& style) {
  const char* color = kGood.contains(text)   ? "32"
                      : kBad.contains(text)  ? "31"
                      : kBusy.contains(text) ? "33"
                                             : nullptr;
  if (!style.colors || color == nullptr) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", color, text);
}

std::string Table::render(const Style& style) const {
  std::vector<size_t> widths;
  for (const std::string& cell : head_) widths.push_back(display_width(cell));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& row, bool head) {
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      out += head && style.colors ? "\x1b[1m" + row[i] + "\x1b[0m" : colored(row[i], style);
      if (i + 1 < row.size()) out.append(widths[i] - display_width(row[i]) + 2, ' ');
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  };
  line(head_, true);
  for (const auto& row : rows_) line(row, false);
  return out;
}

namespace {
std::string json_of(const google::protobuf::Message& message, bool whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = whitespace;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) json = "{}";
  if (!json.ends_with('\n')) json += '\n';
  return safe_json(json);
}
}  // namespace

std::string to_json(const google::protobuf::Message& message) { return json_of(message, true); }
std::string to_json_line(const google::protobuf::Message& message) {
  return json_of(message, false);
}

std::string json_to_yaml(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  std::string out;
  write_yaml(parsed, out, 0);
  return safe_json(out);
}

std::string age(int64_t since_ms) {
  if (since_ms <= 0) return "-";
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const int64_t seconds = std::max<int64_t>(0, (now - since_ms) / 1000);
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 7200) return fmt::format("{}m", seconds / 60);
  if (seconds < 172'800) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86'400);
}

std::string utc(int64_t ms) {
  if (ms <= 0) return "-";
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string grouped(uint64_t value) {
  const std::string digits = fmt::format("{}", value);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string id_of(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string word(const std::string& enum_name) {
  if (enum_name.empty() || enum_name.ends_with("_UNSPECIFIED")) return "UNKNOWN";
  for (const char* kind : {"DEPLOYMENT_STATE_", "ROLLOUT_STATE_", "STAGE_STATE_", "DEVICE_STATE_",
                           "ALERT_STATE_", "VERDICT_"}) {
    if (enum_name.starts_with(kind)) return enum_name.substr(std::string_view(kind).size());
  }
  return enum_name;
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& texts, size_t most) {
  std::string out;
  for (int i = 0; i < texts.size() && static_cast<size_t>(i) < most; ++i) {
    out += (i > 0 ? ", " : "") + texts[i];
  }
  if (static_cast<size_t>(texts.size()) > most) {
    out += fmt::format(" and {} more", static_cast<size_t>(texts.size()) - most);
  }
  return out;
}

std::string bar(uint64_t done, uint64_t total, size_t width) {
  const size_t filled = total == 0 ? 0 : static_cast<size_t>(std::min(done, total) * width / total);
  std::string out;
  for (size_t i = 0; i < width; ++i) out += i < filled ? "█" : "░";
  return out;
}

}  // namespace covey::cli
