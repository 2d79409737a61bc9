// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/data_directory.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config/ownership.hpp"

namespace covey {
namespace {

struct Obeyed {
  const char* name;
  bool secret;  // nobody else may read it
};
constexpr Obeyed kObeyed[] = {
    {"covey.db", true},  {"covey.db-wal", true}, {"covey.db-shm", true},    {"enroll.token", true},
    {"audit.key", true}, {"site.key", true},     {"tls/ca.key", true},      {"lock", false},
    {"reserve", false},  {"broker", false},      {"endpoints.json", false}, {"tls", false},
};

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

off_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : -1;
}

}  // namespace

std::vector<Error> check_owners(const std::string& data_dir) {
  std::vector<Error> errors;
  struct stat status {};
  if (::stat(data_dir.c_str(), &status) != 0) return errors;  // made later, or said then
  if (Status ours = config::check_owner(data_dir, status); !ours) errors.push_back(ours.error());
  for (const auto& [name, secret] : kObeyed) {
    const std::string path = fmt::format("{}/{}", data_dir, name);
    if (::lstat(path.c_str(), &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      errors.push_back(config::foreign_file(
          fmt::format("{} is a symbolic link: put the file itself there", path)));
    } else if (Status ours = config::check_owner(path, status); !ours) {
      errors.push_back(ours.error());
    } else if (secret && (status.st_mode & S_IROTH) != 0) {
      errors.push_back(config::exposed_file(path));
    }
  }
  return errors;
}

std::string trace_of_a_site(const std::string& data_dir) {
  for (const char* name :
       {"enroll.token", "broker/mosquitto.conf", "endpoints.json", "tls/ca.key"}) {
    if (exists(fmt::format("{}/{}", data_dir, name))) return name;
  }
  // Emptied by an orderly stop: whoever stopped in order had a database. A start that was killed
  // leaves a lock with its process id, and may be the first.
  if (size_of(data_dir + "/lock") == 0) return "lock";
  return {};
}

bool has_no_database(const std::string& data_dir) { return size_of(data_dir + "/covey.db") <= 0; }

Error site_lost(const std::string& data_dir, const std::string& trace) {
  return {Code::kDataLoss, "SITE_LOST",
          fmt::format("{} holds no site, though {} of one is there: its database was lost, or a "
                      "disk is not mounted. Put the backup of covey.db back; or begin anew with "
                      "--new-site: then every device has to enrol again",
                      data_dir, trace)};
}

}  // namespace covey
