// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite/backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "storage/sqlite/database.hpp"
#include "storage/sqlite/files.hpp"
#include "storage/sqlite/sqlite_reader.hpp"

namespace covey::sqlite {
namespace {

Error backup_error(const std::filesystem::path& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {full ? Code::kResourceExhausted : Code::kUnavailable, full ? "DISK_FULL" : "STORE_IO",
          fmt::format("can't write the backup {}: {}: choose another place for it", path.string(),
                      std::strerror(errno))};
}

Status copy_database(const std::string& database, const std::string& vfs, const std::string& part) {
  Result<Database> source = open_query_only(database, vfs);
  if (!source) return source.error();
  Result<Database> target = Database::open(part, SQLITE_OPEN_READWRITE, "");
  if (!target) return target.error();
  return source->copy_to(*target);
}

}  // namespace

Status back_up(const std::string& database, const std::string& vfs,
               const std::filesystem::path& to) {
  std::error_code error;
  if (std::filesystem::exists(to, error)) {
    return precondition("BACKUP_EXISTS", to.string() + " is there already: name another file");
  }
  const std::filesystem::path part = to.string() + ".part";
  // The site's secret is in there.
  const int file = ::open(part.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return backup_error(part);
  ::close(file);
  Status done = copy_database(database, vfs, part.string());
  // Not over a file that came since.
  if (done && ::link(part.c_str(), to.c_str()) != 0) done = backup_error(to);
  ::unlink(part.c_str());
  if (!done) return done;
  if (!sync_directory(std::filesystem::absolute(to).parent_path())) return backup_error(to);
  return {};
}

}  // namespace covey::sqlite
