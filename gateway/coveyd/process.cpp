// SPDX-License-Identifier: Apache-2.0
#include "gateway/coveyd/process.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <new>
#include <optional>
#include <string>
#include <system_error>

#include "gateway/adapters/log/log.hpp"

namespace covey {
namespace {

constexpr int kOutOfMemory = 71;             // EX_OSERR
constexpr uint64_t kDescriptorsMin = 128;    // threads, listeners, database, broker, some callers
constexpr uint64_t kDescriptorsBeside = 64;  // beside connections
constexpr uint64_t kAddressSpaceMin = 2ULL << 30;  // stacks and arenas of 30 threads: half
constexpr uint64_t kMemoryBesideBroker = 512ULL << 20;

constexpr const char* kNoMemory =
    "out of memory: raise the memory limit of coveyd (MemoryMax=, the container's limit, ulimit "
    "-v), or see docs/operating.md, Limits of the system; nothing acknowledged is lost";

[[noreturn]] void end_without_memory() {
  log::last_words("out_of_memory", kNoMemory);
  ::_exit(kOutOfMemory);
}

[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr current = std::current_exception()) {
      std::rethrow_exception(current);
    }
    log::last_words("ended_by_a_bug", "terminate without an exception; please report it");
  } catch (const std::bad_alloc&) {
    end_without_memory();
  } catch (const std::system_error& error) {
    const bool limit = error.code() == std::errc::resource_unavailable_try_again ||
                       error.code() == std::errc::too_many_files_open;
    log::last_words(limit ? "limit_of_the_system" : "ended_by_a_bug",
                    limit ? "no more threads or descriptors: raise the limits of tasks and open "
                            "files (TasksMax=, LimitNOFILE=, pids.max, ulimit -u and -n)"
                          : error.what());
  } catch (const std::exception& error) {
    log::last_words("ended_by_a_bug", error.what());
  } catch (...) {
    log::last_words("ended_by_a_bug", "an exception of an unknown type; please report it");
  }
  std::abort();
}

// An assertion of ours or of a library: what it printed must get out.
void on_abort(int) {
  log::last_moment();
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
}

uint64_t limit_of(decltype(RLIMIT_NOFILE) what) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0) return RLIM_INFINITY;
  return limit.rlim_cur;
}

// Of the control group that this process is in; nullopt: none, or not to be known.
std::optional<uint64_t> memory_of_group() {
  std::ifstream membership("/proc/self/cgroup");
  std::string line;
  std::string path;
  while (std::getline(membership, line)) {
    if (line.starts_with("0::")) path = line.substr(3);
  }
  for (const std::string& folder : {"/sys/fs/cgroup" + path, std::string("/sys/fs/cgroup")}) {
    std::ifstream file(folder + "/memory.max");
    uint64_t bytes = 0;
    if (file >> bytes) return bytes;
  }
  return std::nullopt;
}

Error too_low(std::string what, uint64_t is, uint64_t needed, std::string_view raise) {
  return {Code::kFailedPrecondition, "LIMIT_TOO_LOW",
          fmt::format("the limit of {} is {}, coveyd needs {}: raise it ({})", what, is, needed,
                      raise)};
}

}  // namespace

void prepare_process(bool core_dumps) {
  std::set_terminate(on_terminate);
  std::set_new_handler(end_without_memory);
  std::signal(SIGABRT, on_abort);
  if (!core_dumps) {
    const rlimit none{0, 0};
    (void)::setrlimit(RLIMIT_CORE, &none);
    (void)::prctl(PR_SET_DUMPABLE, 0);
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
}

std::vector<Error> check_limits(const config::Config&) {
  std::vector<Error> errors;
  if (const uint64_t files = limit_of(RLIMIT_NOFILE); files < kDescriptorsMin) {
    errors.push_back(
        too_low("open files", files, kDescriptorsMin, "LimitNOFILE=, ulimit -Hn, --ulimit nofile"));
  }
  if (const uint64_t bytes = limit_of(RLIMIT_AS); bytes < kAddressSpaceMin) {
    errors.push_back(too_low("address space in bytes", bytes, kAddressSpaceMin,
                             "ulimit -v unlimited; MemoryMax= or the container's limit bound "
                             "what is really used"));
  }
  return errors;
}

std::vector<std::string> limit_advice(const config::Config& config) {
  std::vector<std::string> advice;
  const uint64_t wanted =
      3 * config.grpc.max_connections + config.http.max_connections + kDescriptorsBeside;
  if (const uint64_t files = limit_of(RLIMIT_NOFILE); files < wanted) {
    advice.push_back(fmt::format(
        "the limit of open files is {}, grpc.max_connections and http.max_connections may need "
        "{}: raise LimitNOFILE= or lower them",
        files, wanted));
  }
  const uint64_t broker =
      config.mqtt.mode == config::MqttMode::kEmbedded ? config.mqtt.embedded.memory_limit_bytes : 0;
  const std::optional<uint64_t> memory = memory_of_group();
  if (memory && *memory < broker + kMemoryBesideBroker) {
    advice.push_back(fmt::format(
        "the memory limit of this control group is {} MiB, the broker alone may take {} MiB "
        "(mqtt.embedded.memory_limit_bytes): lower that or raise the limit to {} MiB",
        *memory >> 20, broker >> 20, (broker + kMemoryBesideBroker) >> 20));
  }
  return advice;
}

}  // namespace covey
