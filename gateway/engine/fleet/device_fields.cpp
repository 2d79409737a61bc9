// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine/fleet/device_fields.hpp"

#include "deploy/signing/sha256.hpp"

namespace covey::engine {

std::string etag_of(const Device& device) {
  std::string text(to_string(device.state));
  for (const auto& [key, value] : device.labels) text += '\n' + key + '=' + value;
  return to_hex(sha256(as_bytes(text))).substr(0, 16);
}

std::string version_of(const State& state, const std::optional<Digest>& manifest) {
  if (!manifest) return "";
  const auto found = state.catalogue.artifacts.find(*manifest);
  return found == state.catalogue.artifacts.end() ? short_hex(*manifest)
                                                  : to_string(found->second.release.version);
}

std::optional<std::string> DeviceFields::find(std::string_view field) const {
  if (field == "id" || field == "device_id") return device_.id.str();
  if (field == "class") return device_.facts.device_class.str();
  if (field == "state") return std::string(to_string(device_.state));
  if (field == "online") {
    const Session* session = state_.fleet.session_of(device_.id);
    return session != nullptr && session->online ? "true" : "false";
  }
  if (field == "secret") return std::to_string(device_.secret_number);
  if (field == "firmware") return device_.facts.firmware;
  if (field == "agent") return device_.facts.agent;
  if (field == "claim") return device_.claim.str();
  if (field == "authority") return device_.authority;
  if (field.starts_with("labels.")) {
    const auto label = device_.labels.find(std::string(field.substr(7)));
    if (label == device_.labels.end()) return std::nullopt;
    return label->second;
  }
  if (field.starts_with("releases.")) {
    const auto model = device_.models.find(ModelName(std::string(field.substr(9))));
    if (model == device_.models.end() || !model->second.reported.confirmed) return std::nullopt;
    return version_of(state_, model->second.reported.confirmed);
  }
  return std::nullopt;
}

}  // namespace covey::engine
