// SPDX-License-Identifier: Apache-2.0
// covey_bench_load: the reports of a fleet that covey-sim has left, made beforehand, over raw
// sockets; how many became durable, how late, and what that cost. JSON on stdout.
//   covey_bench_load --state DIR --classes m4f-256k:N --model M --broker HOST:PORT [--rate R] ...
//   covey_bench_load ... --credentials        only the devices' "id password", one a line
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "device_agent/simulator/options.hpp"
#include "tests/bench/load.hpp"

namespace covey::bench {
namespace {

int give_up(const Error& error) {
  std::fprintf(stderr, "covey_bench_load: %s: %s\n", error.reason.c_str(), error.message.c_str());
  return 1;
}

double quantile(std::vector<float>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return static_cast<double>(values[static_cast<size_t>(at)]);
}

nlohmann::json to_json(LoadFigures& figures, const PremadeOptions& premade,
                       const LoadOptions& options, double made_s) {
  const uint64_t made = uint64_t{premade.devices} * premade.reports;
  const auto acknowledged = static_cast<double>(figures.acknowledged);
  nlohmann::json processor;
  for (const auto& [name, seconds] : figures.processor_s) {
    processor[name] = {{"seconds", seconds},
                       {"us_per_report", acknowledged > 0 ? seconds * 1e6 / acknowledged : 0}};
  }
  return {{"devices", premade.devices},
          {"rate_per_device", options.rate},
          {"outstanding_per_device", options.rate > 0 ? 0 : options.outstanding},
          {"report_bytes",
           made > 0 ? static_cast<double>(figures.payload_bytes) / static_cast<double>(made) : 0},
          {"made_seconds", made_s},
          {"seconds", figures.seconds},
          {"sent", figures.sent},
          {"acknowledged", figures.acknowledged},
          {"durable_per_second", figures.seconds > 0 ? acknowledged / figures.seconds : 0},
          {"acknowledgement_p50_ms", quantile(figures.latencies_ms, 0.50)},
          {"acknowledgement_p99_ms", quantile(figures.latencies_ms, 0.99)},
          {"acknowledgements", figures.acks},
          {"generator_late_max_ms", figures.late_max_ms},
          {"resent", figures.resent},
          {"unacknowledged", figures.unacknowledged},
          {"processor", processor}};
}

int run(const PremadeOptions& premade, const LoadOptions& options, bool credentials) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const auto begin = std::chrono::steady_clock::now();
  const auto devices = open_devices(premade);
  if (!devices) return give_up(devices.error());
  for (const auto& device : *devices) {
    if (credentials) {
      std::printf("%s %s\n", device->id().c_str(), device->password().c_str());
      continue;
    }
    const Status said = device->say(premade);
    if (!said) return give_up(said.error());
  }
  if (credentials) return 0;
  const std::chrono::duration<double> made = std::chrono::steady_clock::now() - begin;
  Result<LoadFigures> figures = run_load(options, *devices);
  if (!figures) return give_up(figures.error());
  std::printf("%s\n", to_json(figures.value(), premade, options, made.count()).dump(2).c_str());
  return figures->acknowledged > 0 ? 0 : 1;
}

}  // namespace
}  // namespace covey::bench

int main(int argc, char** argv) {
  using namespace covey;
  bench::PremadeOptions premade;
  bench::LoadOptions options;
  std::string broker;
  std::string ca_file;
  bench::TlsContext trust;
  std::vector<std::string> watched;
  bool credentials = false;
  bool bare = false;
  CLI::App app{
      "The reports of a fleet that covey-sim has left: their way, their time, their cost."};
  app.add_option("--state", premade.state_dir, "covey-sim's --state; it has ended")->required();
  app.add_option("--classes", premade.classes, "As covey-sim's")->required();
  app.add_option("--id-prefix", premade.id_prefix, "As covey-sim's")->default_val("dev-");
  app.add_option("--model", premade.model, "That they have confirmed")->required();
  app.add_option("--devices", premade.devices, "The first so many of them")->required();
  app.add_option("--reports", premade.reports, "Of each, at most");
  app.add_option("--interval-ms", premade.interval_ms, "Uptime from report to report")
      ->check(CLI::Range(1U, 3'600'000U));
  app.add_option("--inferences", premade.inferences, "In a report")->check(CLI::Range(1U, 10'000U));
  app.add_option("--broker", broker, "HOST:PORT of the device listener");
  app.add_option("--tls-ca", ca_file, "What vouches for the listener (PEM): speak TLS");
  app.add_option("--rate", options.rate,
                 "Reports per second and device; without it as fast as they are acknowledged")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--outstanding", options.outstanding, "Not acknowledged, of each device")
      ->check(CLI::Range(1U, 100'000U));
  app.add_option("--warm-up", options.warm_up_s, "Seconds before what is measured");
  app.add_option("--seconds", options.seconds, "That are measured");
  app.add_option("--watch", watched, "NAME=PID, whose processor time is taken; repeatable");
  app.add_flag("--bare", bare, "covey_bench_bare listens, not a gateway");
  app.add_flag("--credentials", credentials, "Only write the devices' ids and passwords");
  CLI11_PARSE(app, argc, argv);
  options.gateway = !bare;
  for (const std::string& text : watched) {
    const size_t sign = text.find('=');
    const int pid = sign == std::string::npos ? 0 : std::atoi(text.c_str() + sign + 1);
    if (pid <= 0) {
      std::fprintf(stderr, "covey_bench_load: --watch %s: write NAME=PID\n", text.c_str());
      return 2;
    }
    options.watched.emplace_back(text.substr(0, sign), pid);
  }
  if (!credentials) {
    const Result<simulator::HostPort> address = simulator::parse_host_port(broker);
    if (!address) {
      std::fprintf(stderr, "covey_bench_load: --broker: %s\n", address.error().message.c_str());
      return 2;
    }
    options.host = address->host;
    options.port = address->port;
  }
  if (!ca_file.empty()) {
    Result<bench::TlsContext> trusting = bench::trusting(ca_file);
    if (!trusting) return bench::give_up(trusting.error());
    trust = *std::move(trusting);
    options.tls = trust.get();
  }
  return bench::run(premade, options, credentials);
}
