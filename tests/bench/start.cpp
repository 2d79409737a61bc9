// SPDX-License-Identifier: Apache-2.0
// How long a start reads a store whose site has done much: `--past` ended deployments, each
// device's newest and the counters beside them; the time of SqliteStore::load() and Engine::load().
//   covey_bench_start --data-dir DIR [--devices N] [--past N]   JSON on stdout
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "storage/sqlite/sqlite_store.hpp"
#include "tests/unit/engine/site.hpp"

namespace covey {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  int devices = 1000;
  uint64_t past = 100'000;
  std::string data_dir;
};

[[noreturn]] void give_up(const Error& error) {
  std::fprintf(stderr, "covey_bench_start: %s: %s\n", error.reason.c_str(), error.message.c_str());
  std::exit(1);
}
template <typename T>
T need(Result<T> result) {
  if (!result) give_up(result.error());
  return *std::move(result);
}
void need(const Status& status) {
  if (!status) give_up(status.error());
}

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// What the engine would have left there.
void fill(Store& store, const Settings& settings) {
  test::Site site;
  site.push({1, 0, 0});
  site.join_many("d", settings.devices);
  Snapshot snapshot = need(site.store().load({}));
  std::vector<Write> writes;
  for (const auto& secret : snapshot.secrets) writes.emplace_back(PutSiteSecret{secret});
  for (const auto& key : snapshot.trusted_keys) writes.emplace_back(PutTrustedKey{key});
  for (const auto& root : snapshot.roots) writes.emplace_back(PutRoot{root});
  for (const auto& release : snapshot.releases) writes.emplace_back(PutRelease{release});
  for (const auto& device : snapshot.devices) writes.emplace_back(PutDevice{device});
  const auto devices = static_cast<uint64_t>(settings.devices);
  for (uint64_t number = 1; number <= settings.past + devices; ++number) {
    Deployment deployment;
    deployment.number = number;
    deployment.device = DeviceId("d" + std::to_string(number % devices));
    deployment.release = {ModelName("bearing"), Version{1, 0, 0}};
    deployment.manifest = site.manifest({1, 0, 0});
    deployment.cause = Cause::kAssignment;
    deployment.state = DeploymentState::kConfirmed;
    deployment.attempt = static_cast<uint32_t>(number);
    writes.emplace_back(PutDeployment{deployment});
    if (number <= settings.past) writes.emplace_back(ArchiveDeployment{number});
  }
  snapshot.site.deployment_number = settings.past + devices;
  writes.emplace_back(PutSite{snapshot.site});
  need(store.commit(writes));
}

int run(const Settings& settings) {
  {
    const auto store = need(SqliteStore::open(settings.data_dir, {.reserve_bytes = 0}));
    fill(*store, settings);
  }
  const auto begin = Clock::now();
  const auto store = need(SqliteStore::open(settings.data_dir, {.reserve_bytes = 0}));
  const double open_ms = ms_since(begin);
  Snapshot snapshot = need(store->load({}));
  const double load_ms = ms_since(begin) - open_ms;
  const size_t loaded = snapshot.deployments.size();
  const auto engine = need(
      engine::Engine::load(std::move(snapshot), test::quick_config(), {1000s, 1000s}, nullptr));
  const nlohmann::json result{{"start",
                               {{"devices", settings.devices},
                                {"past_deployments", settings.past},
                                {"loaded_deployments", loaded},
                                {"open_ms", open_ms},
                                {"load_ms", load_ms},
                                {"total_ms", ms_since(begin)}}}};
  std::printf("%s\n", result.dump(2).c_str());
  return engine.state().rollouts.deployments.size() == loaded ? 0 : 1;
}

}  // namespace
}  // namespace covey

int main(int argc, char** argv) {
  covey::Settings settings;
  CLI::App app{"The time of a start, by what the site has done before."};
  app.add_option("--devices", settings.devices, "Devices of the site")->check(CLI::PositiveNumber);
  app.add_option("--past", settings.past, "Ended deployments that later ones replaced");
  app.add_option("--data-dir", settings.data_dir, "An empty folder for the database")->required();
  CLI11_PARSE(app, argc, argv);
  return covey::run(settings);
}
