// SPDX-License-Identifier: Apache-2.0
// coveyd: the gateway daemon of one site.
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "gateway/adapters/log/log.hpp"
#include "gateway/config/config.hpp"
#include "gateway/coveyd/data_directory.hpp"
#include "gateway/coveyd/library_logs.hpp"
#include "gateway/coveyd/process.hpp"
#include "gateway/coveyd/signals.hpp"
#include "gateway/coveyd/site.hpp"

namespace covey {
namespace {

constexpr Millis kRoomInterval{1000};  // how often a full disk is looked at

struct Options {
  std::string data = "covey-data";
  std::string config;
  bool check_config = false;
  bool print_config = false;
  bool config_reference = false;
  bool core_dumps = false;
  SiteStart start;
};

int usage_of_config(const config::ConfigOutcome& outcome) {
  for (const Error& error : outcome.errors) {
    std::fprintf(stderr, "coveyd: %s\n", error.message.c_str());
  }
  std::fprintf(stderr,
               "coveyd: %zu error(s) in the configuration; `coveyd --config-reference` "
               "lists every key\n",
               outcome.errors.size());
  return 2;
}

// What an earlier image of this process (see start_again) left: its broker, which died with it.
void reap_children() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

// The process begins anew, with the same arguments and process id, and forgets all it has in
// memory. Any thread. When it returns, it did not work.
void start_again(char** argv) {
  // Libraries' sockets, too: the ports must be free for the new start.
  log::flush_log(500ms);
  log::release_log_stderr();
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) execv("/proc/self/exe", argv);
  log::log_event(log::Level::kError, "restart_failed", {{"text", std::strerror(errno)}});
}

// Until a signal comes (its number), or, for a read-only site, until there is room again (0).
uint32_t wait_for_the_end(const Signals& signals, const Site& site) {
  for (;;) {
    const Millis longest = site.read_only() ? kRoomInterval : Millis(-1);
    if (const uint32_t signal = signals.wait(longest); signal != 0) return signal;
    if (!site.read_only()) continue;
    reap_children();  // a read-only site has none of its own
    if (site.has_room()) return 0;
  }
}

// What can be known before anything is begun, all at once.
std::vector<Error> check_surroundings(const config::Config& configuration) {
  std::vector<Error> errors = check_limits(configuration);
  for (Error& error : check_owners(configuration.data_dir)) errors.push_back(std::move(error));
  if (configuration.mqtt.mode == config::MqttMode::kEmbedded) {
    if (Status found = broker::check_binary(configuration.mqtt.embedded.binary); !found) {
      errors.push_back(found.error());
    }
  }
  return errors;
}

int start_failed(const Error& error) {
  log::log_event(log::Level::kError, "start_failed",
                 {{"reason", error.reason}, {"text", error.message}});
  return 1;
}

int serve(const config::Config& configuration, const SiteStart& how, char** argv) {
  Signals& signals = *std::make_unique<Signals>().release();  // its thread outlives us
  take_library_logs();
  reap_children();
  int code = 0;
  for (const Error& error : check_surroundings(configuration)) code = start_failed(error);
  if (code != 0) return code;
  for (const std::string& advice : limit_advice(configuration)) {
    log::log_event(log::Level::kWarn, "limit", {{"text", advice}});
  }
  Result<std::unique_ptr<Site>> site = Site::start(configuration, how, [argv] {
    log::log_event(log::Level::kError, "restarting", {{"text", "to serve reads only"}});
    start_again(argv);
  });
  if (!site) return start_failed(site.error());
  signals.started();
  const config::Endpoints& at = (*site)->endpoints();
  log::log_event(log::Level::kInfo, "started",
                 {{"site", configuration.site.name},
                  {"grpc", at.grpc},
                  {"unix", at.grpc_unix},
                  {"http", at.http},
                  {"mqtt", at.mqtt},
                  {"enroll", at.enroll}});
  const uint32_t signal = wait_for_the_end(signals, **site);
  const auto doing = [&signals](const char* step) { signals.doing(step); };
  if (signal == 0) {
    log::log_event(log::Level::kInfo, "restarting", {{"text", "the disk has room again"}});
    (*site)->stop(doing);
    start_again(argv);
    return 1;
  }
  log::log_event(log::Level::kInfo, "stopping", {{"signal", signal}});
  (*site)->stop(doing);
  site->reset();
  log::log_event(log::Level::kInfo, "stopped");
  return 0;
}

// For what scripts read: a disk without room is no success.
int print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return 0;
  std::fprintf(stderr, "coveyd: cannot write the output: %s\n", std::strerror(errno));
  return 1;
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{
      "coveyd: deploys TinyML models to the microcontrollers of one site and watches them.\n"
      "With --data alone it runs with its own MQTT broker on loopback ports; see\n"
      "DIR/endpoints.json for where it listens, and `covey --help` for what to do next."};
  app.set_version_flag("--version", "coveyd " COVEY_VERSION);
  app.add_option("--data", options.data, "Data directory; created when missing (COVEY_DATA)")
      ->envname("COVEY_DATA")
      ->capture_default_str();
  app.add_option("--config", options.config,
                 "Configuration (default: DIR/covey.yaml if it exists)");
  app.add_flag("--check-config", options.check_config, "Check the configuration and exit");
  app.add_flag("--print-config", options.print_config,
               "Print the effective configuration, secrets redacted, and exit");
  app.add_flag("--config-reference", options.config_reference,
               "Print every key with its default as Markdown and exit");
  app.add_flag("--new-site", options.start.new_site,
               "Begin anew in a data directory whose database is gone: every device has to enrol "
               "again");
  app.add_flag("--core-dumps", options.core_dumps,
               "Allow core dumps and debuggers; a core holds the site's secret");
  app.add_option("--fault-kill-after-commits", options.start.kill_after_commits,
                 "For tests: end with SIGKILL after N commits, before anything of the last one is "
                 "published")
      ->group("Fault injection");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    std::fprintf(stderr, "coveyd: %s; `coveyd --help` lists the options\n", wrong.what());
    return 2;
  }

  if (options.config_reference) {
    return print(config::config_reference());
  }
  const config::ConfigOutcome outcome = config::load_config(options.config, options.data);
  if (!outcome.ok()) return usage_of_config(outcome);
  if (options.print_config) {
    return print(config::print_config(outcome));
  }
  if (options.check_config) {
    return print("configuration is valid\n");
  }
  log::setup_log(outcome.config.log.level, outcome.config.log.format);
  prepare_process(options.core_dumps);
  const int code = serve(outcome.config, options.start, argv);
  log::flush_log(1s);
  // Threads that take signals and write the log go on to the last moment: nothing is destroyed.
  ::_exit(code);
}

}  // namespace
}  // namespace covey

int main(int argc, char** argv) { return covey::run(argc, argv); }
