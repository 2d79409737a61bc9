// SPDX-License-Identifier: Apache-2.0
// coveyd: the gateway daemon of one site.
#include <linux/close_range.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include <CLI/CLI.hpp>

#include "gateway/adapters/log/log.hpp"
#include "gateway/config/config.hpp"
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
  SiteFaults faults;
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

// Signals are taken by this thread only; every other one inherits the mask.
int block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// As many files as the system lets us have: a connection takes up to three.
void raise_open_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
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
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) execv("/proc/self/exe", argv);
  log::log_event(log::Level::kError, "restart_failed", {{"text", std::strerror(errno)}});
}

// Until a signal comes (its number), or, for a read-only site, until there is room again (0).
uint32_t wait_for_the_end(int signals, const Site& site) {
  pollfd signal{signals, POLLIN, 0};
  for (;;) {
    (void)poll(&signal, 1, site.read_only() ? static_cast<int>(kRoomInterval.count()) : -1);
    signalfd_siginfo received{};
    if (read(signals, &received, sizeof received) == sizeof received) return received.ssi_signo;
    if (!site.read_only()) continue;
    reap_children();  // a read-only site has none of its own
    if (site.has_room()) return 0;
  }
}

int serve(const config::Config& configuration, const SiteFaults& faults, char** argv) {
  const int signals = block_signals();
  raise_open_files();
  reap_children();
  Result<std::unique_ptr<Site>> site = Site::start(configuration, faults, [argv] {
    log::log_event(log::Level::kError, "restarting", {{"text", "to serve reads only"}});
    start_again(argv);
  });
  if (!site) {
    log::log_event(log::Level::kError, "start_failed",
                   {{"reason", site.error().reason}, {"text", site.error().message}});
    return 1;
  }
  const config::Endpoints& at = (*site)->endpoints();
  log::log_event(log::Level::kInfo, "started",
                 {{"site", configuration.site.name},
                  {"grpc", at.grpc},
                  {"unix", at.grpc_unix},
                  {"http", at.http},
                  {"mqtt", at.mqtt},
                  {"enroll", at.enroll}});
  const uint32_t signal = wait_for_the_end(signals, **site);
  if (signal == 0) {
    log::log_event(log::Level::kInfo, "restarting", {{"text", "the disk has room again"}});
    (*site)->stop();
    start_again(argv);
    return 1;
  }
  log::log_event(log::Level::kInfo, "stopping", {{"signal", signal}});
  (*site)->stop();
  log::log_event(log::Level::kInfo, "stopped");
  return 0;
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
  app.add_option("--fault-kill-after-commits", options.faults.kill_after_commits,
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
    std::fputs(config::config_reference().c_str(), stdout);
    return 0;
  }
  const config::ConfigOutcome outcome = config::load_config(options.config, options.data);
  if (!outcome.ok()) return usage_of_config(outcome);
  if (options.print_config) {
    std::fputs(config::print_config(outcome).c_str(), stdout);
    return 0;
  }
  if (options.check_config) {
    std::puts("configuration is valid");
    return 0;
  }
  log::setup_log(outcome.config.log.level, outcome.config.log.format);
  return serve(outcome.config, options.faults, argv);
}

}  // namespace
}  // namespace covey

int main(int argc, char** argv) { return covey::run(argc, argv); }
