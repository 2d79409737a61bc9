// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/duration.hpp"
#include "core/yaml/yaml.hpp"
#include "device_agent/simulator/random.hpp"

namespace covey::simulator {
namespace {

using Json = nlohmann::json;

constexpr size_t kStepsMax = 10000;

Error bad(std::string_view place, std::string_view what) {
  return invalid("BAD_SCENARIO", fmt::format("{}: {}", place, what));
}

// YAML scalars are strings here; parse_step() reads numbers and booleans out of strings as well.
Json to_json(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kMap: {
      Json json = Json::object();
      for (const YamlNode& entry : node.items) json[entry.key] = to_json(entry);
      return json;
    }
    case YamlNode::Kind::kList: {
      Json json = Json::array();
      for (const YamlNode& entry : node.items) json.push_back(to_json(entry));
      return json;
    }
    case YamlNode::Kind::kText:
      return Json(node.text);
    case YamlNode::Kind::kNull:
      break;
  }
  return Json();
}

std::optional<bool> as_bool(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json == "true") return true;
  if (json == "false") return false;
  return std::nullopt;
}

Result<Selector> parse_selector(const Json& json, std::string_view place) {
  Selector selector;
  if (!json.is_object()) return bad(place, "devices must be a map, e.g. {hall: hall-2}");
  for (const auto& [key, value] : json.items()) {
    const std::string at = fmt::format("{}.devices.{}", place, key);
    if (key == "small" || key == "offline") {
      const std::optional<bool> flag = as_bool(value);
      if (!flag) return bad(at, "must be true or false");
      (key == "small" ? selector.small : selector.offline) = flag;
      continue;
    }
    if (!value.is_string()) return bad(at, "must be text");
    const auto text = value.get<std::string>();
    if (key == "share") {
      const Result<Ratio> share = parse_ratio(text);
      if (!share) return bad(at, share.error().message);
      selector.share = *share;
    } else if (key == "id") {
      selector.id = text;
    } else if (key == "class") {
      selector.device_class = text;
    } else if (key == "hall") {
      selector.hall = text;
    } else if (key == "machine_type") {
      selector.machine_type = text;
    } else {
      return bad(at, "unknown key; known are id, class, hall, machine_type, small, offline, share");
    }
  }
  return selector;
}

Result<double> parse_number(std::string_view text, double max) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > max) {
    return bad("action", fmt::format("'{}' must be a number from 0 to {}", text, max));
  }
  return value;
}

bool machine_known(std::string_view name) {
  return name == "pump" || name == "fan" || name == "press";
}

}  // namespace

bool Selector::matches(const DeviceSpec& device) const {
  if (id && *id != device.id) return false;
  if (device_class && *device_class != device.device_class) return false;
  if (hall && *hall != device.hall) return false;
  if (machine_type && *machine_type != device.machine_type) return false;
  if (small && *small != device.small) return false;
  if (offline && *offline != device.offline) return false;
  return !share || static_cast<int64_t>(mix(device.seed, 4) % 1'000'000) < share->ppm;
}

Result<Action> parse_action(std::string_view text) {
  const size_t space = text.find(' ');
  const std::string_view name = text.substr(0, space);
  const std::string_view argument =
      space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  if (name == "gain") {
    const Result<double> factor = parse_number(argument, 16);
    if (!factor) return factor.error();
    return Action(SetGain{*factor});
  }
  if (name == "noise") {
    const Result<double> lsb = parse_number(argument, 32767);
    if (!lsb) return lsb.error();
    return Action(SetNoise{*lsb});
  }
  if (name == "stuck") {
    if (argument.empty() || argument == "on") return Action(SetStuck{true});
    if (argument == "off") return Action(SetStuck{false});
    return bad("action", "stuck takes on or off");
  }
  if (name == "machine_type") {
    if (machine_known(argument)) return Action(SetMachine{std::string(argument)});
    return bad("action", fmt::format("machine_type '{}' must be pump, fan or press", argument));
  }
  if (argument.empty()) {
    if (name == "offline") return Action(GoOffline{});
    if (name == "online") return Action(GoOnline{});
    if (name == "reboot") return Action(Reboot{});
    if (name == "power_cut") return Action(PowerCut{});
    if (name == "pause_inference") return Action(PauseInference{});
    if (name == "resume_inference") return Action(ResumeInference{});
  }
  return bad("action", fmt::format("'{}' is unknown; known are gain F, stuck [on|off], noise LSB, "
                                   "machine_type NAME, offline, online, reboot, power_cut, "
                                   "pause_inference, resume_inference",
                                   text));
}

Result<Step> parse_step(const Json& json, std::string_view place) {
  if (!json.is_object()) return bad(place, "a step must be a map with at, devices and action");
  Step step;
  bool has_action = false;
  for (const auto& [key, value] : json.items()) {
    if (key == "devices") {
      Result<Selector> selector = parse_selector(value, place);
      if (!selector) return selector.error();
      step.devices = *std::move(selector);
    } else if (key == "at" && value.is_string()) {
      const Result<Millis> at = parse_duration(value.get<std::string>());
      if (!at) return bad(fmt::format("{}.at", place), at.error().message);
      step.at = *at;
    } else if (key == "action" && value.is_string()) {
      Result<Action> action = parse_action(value.get<std::string>());
      if (!action) return bad(place, action.error().message);
      step.action = *std::move(action);
      has_action = true;
    } else {
      return bad(fmt::format("{}.{}", place, key),
                 "must be at, devices or action; at and action "
                 "are text");
    }
  }
  if (!has_action) return bad(place, "action is missing");
  return step;
}

Result<std::vector<Step>> parse_scenario(std::string_view yaml) {
  const YamlReading reading = read_yaml(std::string(yaml));
  if (!reading.problems.empty()) {
    const YamlProblem& first = reading.problems.front();
    return bad(fmt::format("scenario, line {}", first.line), first.message);
  }
  const Json json = to_json(reading.root);
  if (!json.is_object() || json.size() != 1 || !json.contains("steps") ||
      !json["steps"].is_array()) {
    return bad("scenario", "must hold one key, steps, with a list");
  }
  if (json["steps"].size() > kStepsMax) return bad("steps", fmt::format("over {}", kStepsMax));
  std::vector<Step> steps;
  for (const Json& item : json["steps"]) {
    const std::string place = fmt::format("steps[{}]", steps.size());
    Result<Step> step = parse_step(item, place);
    if (!step) return step.error();
    if (!item.contains("at")) return bad(place, "at is missing, e.g. at: 30s");
    steps.push_back(*std::move(step));
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.at < b.at; });
  return steps;
}

}  // namespace covey::simulator
