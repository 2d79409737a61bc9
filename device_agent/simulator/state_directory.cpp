// SPDX-License-Identifier: Apache-2.0
#include "device_agent/simulator/state_directory.hpp"

#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace covey::simulator {
namespace {

Error failed(const std::string& path, std::string_view why) {
  return Error{Code::kUnavailable, "STATE_DIRECTORY", fmt::format("--state {}: {}", path, why)};
}

}  // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path, const nlohmann::json& fleet) {
  StateDirectory state;
  if (path.empty()) return state;
  state.path_ = path;
  std::error_code error;
  std::filesystem::create_directories(path + "/devices", error);
  if (error) return failed(path, error.message());
  // Identities hold keys.
  std::filesystem::permissions(path + "/devices", std::filesystem::perms::owner_all, error);
  state.lock_.reset(std::fopen((path + "/lock").c_str(), "ae"));
  if (!state.lock_) return failed(path, std::strerror(errno));
  if (flock(fileno(state.lock_.get()), LOCK_EX | LOCK_NB) != 0) {
    return failed(path, "another covey-sim uses it");
  }

  const std::string file = path + "/fleet.json";
  if (std::filesystem::exists(file)) {
    std::ifstream in(file);
    if (nlohmann::json::parse(in, nullptr, false) != fleet) {
      return failed(path,
                    "holds another fleet: start with the same --seed, --classes, --count, "
                    "--small, --offline and --id-prefix, or name a new directory");
    }
    return state;
  }
  std::ofstream out(file + ".new");
  out << fleet.dump(1) << '\n';
  out.close();
  if (!out || std::rename((file + ".new").c_str(), file.c_str()) != 0) {
    return failed(path, "cannot write fleet.json");
  }
  return state;
}

}  // namespace covey::simulator
