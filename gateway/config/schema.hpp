// SPDX-License-Identifier: Apache-2.0
// The schema of the configuration: one row per key, in the order in which documents show them.
// Parser, printer and reference are all driven by it.
//
// Thread safety: built once, read by anybody.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "gateway/config/config.hpp"

namespace covey::config {

struct Key {
  std::string path;   // "mqtt.embedded.port"
  std::string type;   // for people: "port", "duration", "true or false"
  std::string limit;  // for people: "1 to 65535"; empty: none
  std::string help;
  std::function<Status(Config&, std::string_view)> read;
  std::function<std::string(const Config&)> write;
  bool secret = false;  // environment only, printed as <redacted>
};

const std::vector<Key>& schema();
const Key* find_key(std::string_view path);
// "mqtt.embedded.port" -> "COVEY_MQTT_EMBEDDED_PORT".
std::string environment_name(std::string_view path);
// The known key that looks most like `path`; empty when none comes near.
std::string nearest_key(std::string_view path);

// Contradictions between keys, as (path, error).
std::vector<std::pair<std::string, Error>> check_relations(const Config& config);

}  // namespace covey::config
