// SPDX-License-Identifier: Apache-2.0
// Which devices an operator means, and the labels that are given to them.
#include <fmt/format.h>

#include <algorithm>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/fleet/fleet.hpp"
#include "gateway/engine/rollouts/rollouts.hpp"

namespace covey::engine {
namespace {

constexpr size_t kLabelTextMax = 63;

bool valid_label(const std::string& text) {
  return !text.empty() && text.size() <= kLabelTextMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

// Limits are of what results, not of what is asked for.
std::map<std::string, std::string> labelled(const Device& device, const LabelDevices& command) {
  std::map<std::string, std::string> labels = device.labels;
  for (const auto& [key, value] : command.set) labels[key] = value;
  for (const std::string& key : command.remove) labels.erase(key);
  return labels;
}

}  // namespace

Status check_label(const std::string& key, const std::string& value) {
  if (valid_label(key) && valid_label(value)) return {};
  return invalid("BAD_LABEL", fmt::format("label '{}={}': 1 to {} of A-Z a-z 0-9 . _ - on both "
                                          "sides",
                                          key.substr(0, 64), value.substr(0, 64), kLabelTextMax));
}

Result<std::vector<DeviceId>> select(const State& state, const DeviceSelection& selection) {
  std::set<DeviceId> chosen;
  for (const DeviceId& id : selection.ids) {
    if (!state.fleet.devices.contains(id)) {
      return not_found("no device " + id.str() + ": `covey device list` shows them");
    }
    chosen.insert(id);
  }
  if (selection.all || !selection.filter.empty()) {
    const Result<Filter> filter = Filter::parse(selection.filter);
    if (!filter) return invalid(filter.error().reason, "filter: " + filter.error().message);
    for (const auto& [id, device] : state.fleet.devices) {
      if (filter->matches(DeviceFields(state, device))) chosen.insert(id);
    }
  }
  return std::vector<DeviceId>(chosen.begin(), chosen.end());
}

Result<CommandReply> label_devices(Turn& turn, const LabelDevices& command,
                                   const std::string& etag) {
  for (const auto& [key, value] : command.set) {
    if (Status good = check_label(key, value); !good) return good.error();
  }
  Result<std::vector<DeviceId>> ids = select(turn.state, command.devices);
  if (!ids) return ids.error();
  if (!etag.empty()) {
    if (ids->size() != 1) return invalid("BAD_FIELD", "etag: only with exactly one device");
    if (etag_of(turn.state.fleet.devices.at(ids->front())) != etag) {
      return Error{Code::kAborted, "ETAG_MISMATCH",
                   "device " + ids->front().str() + " has changed since: look again"};
    }
  }
  for (const DeviceId& id : *ids) {
    const size_t labels = labelled(turn.state.fleet.devices.at(id), command).size();
    if (labels > kLabelsPerDeviceMax) {
      return precondition(
          "TOO_MANY_LABELS",
          fmt::format("{} would have {} labels, at most {} are allowed: remove some "
                      "in the same call",
                      id.str(), labels, kLabelsPerDeviceMax));
    }
  }
  CommandReply reply;
  for (const DeviceId& id : *ids) {
    const Device& device = turn.state.fleet.devices.at(id);
    std::map<std::string, std::string> labels = labelled(device, command);
    if (labels == device.labels) continue;
    Device& changed = change_device(turn, id);
    changed.labels = std::move(labels);
    assign_device(turn, changed);
    ++reply.changed;
    reply.devices.push_back(id);
  }
  return reply;
}

}  // namespace covey::engine
