// SPDX-License-Identifier: Apache-2.0
// Reads what examples/bearing_vibration/models holds. Not thread-safe; a missing file ends the test
// with a message of the stream or the parser.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "examples/bearing_vibration/signal/features.h"
#include "tests/paths.hpp"

namespace covey::bearing {

inline std::vector<uint8_t> committed_bytes(const std::string& file) {
  const auto path = covey::test::source_path("examples/bearing_vibration/models") / file;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot open " + path.string());
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline nlohmann::json committed_stats(const std::string& model) {
  const auto bytes = committed_bytes(model + ".stats.json");
  return nlohmann::json::parse(bytes.begin(), bytes.end());
}

inline covey_bearing_params_t committed_params() {
  const auto blob = committed_bytes("preprocessing.bin");
  covey_bearing_params_t params{};
  const auto status = covey_bearing_params_parse(blob.data(), blob.size(), &params);
  if (status != COVEY_BEARING_OK) throw std::runtime_error(covey_bearing_status_text(status));
  return params;
}

}  // namespace covey::bearing
