// SPDX-License-Identifier: Apache-2.0
// How long the engine thread is busy, in processor time: with a tick while windows of a fleet
// close, and with each kind of message; by the size of the fleet and of its past. The engine alone,
// over virtual time, without store and network.
//   covey_bench_slice [--point REGISTERED:ONLINE:PAST]... [--windows N]   JSON on stdout
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/played_fleet.hpp"

namespace covey::bench {
namespace {

constexpr uint32_t kMessages = 500;  // of each kind

nlohmann::json figures_of(const Spent& spent) {
  return {{"count", spent.count()},
          {"mean_us", spent.mean()},
          {"p99_us", spent.quantile(0.99)},
          {"max_us", spent.max()}};
}

// Everybody's reports come within each window's length, and the windows close.
nlohmann::json measure_ticks(PlayedFleet& fleet, uint32_t windows) {
  ClockedEngine engine = fleet.start();
  Spent ticks;
  Spent reports;
  for (uint32_t w = 0; w < windows; ++w) {
    for (const std::string& id : fleet.online()) {
      engine.receive(fleet.report(id, engine.now()), reports);
    }
    engine.pass(2 * fleet.window(), ticks);
  }
  nlohmann::json figures = figures_of(ticks);
  figures["over_5_ms"] = ticks.over(5'000);
  figures["windows_closed"] = engine.windows_closed();
  figures["writes"] = engine.writes();
  return figures;
}

nlohmann::json measure_messages(PlayedFleet& fleet) {
  ClockedEngine engine = fleet.start();
  nlohmann::json figures;
  Spent ignored;
  const auto measure = [&](const char* name, const std::vector<std::string>& ids,
                           const auto& message) {
    Spent spent;
    for (uint32_t i = 0; i < kMessages; ++i) {
      engine.receive(message(ids[i % ids.size()], i), spent);
      // What was answered leaves with the next ticks, as it does in a site.
      if (i % 50 == 49) engine.pass(300ms, ignored);
    }
    figures[name] = figures_of(spent);
  };
  using Id = const std::string&;
  measure("status", fleet.online(),
          [&](Id id, uint32_t) { return fleet.status(id, engine.now()); });
  measure("report", fleet.online(),
          [&](Id id, uint32_t) { return fleet.report(id, engine.now()); });
  measure("fetch", fleet.fetching(), [&](Id id, uint32_t) { return fleet.fetch(id); });
  measure("hello", fleet.online(), [&](Id id, uint32_t) { return fleet.hello(id, engine.now()); });
  measure("enrolment", fleet.online(), [&](Id, uint32_t i) { return fleet.enrolment(i); });
  return figures;
}

FleetSize parse_point(const std::string& text) {
  FleetSize size;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%u:%u:%u%c", &size.registered, &size.online, &size.past_rollouts,
                  &rest) != 3 ||
      size.online == 0 || size.online > size.registered || size.past_rollouts == 0) {
    throw CLI::ValidationError("--point: write REGISTERED:ONLINE:PAST, e.g. 1000:100:10");
  }
  return size;
}

int run(const std::vector<FleetSize>& points, uint32_t windows) {
  nlohmann::json list = nlohmann::json::array();
  for (const FleetSize& size : points) {
    PlayedFleet fleet(size);
    nlohmann::json messages = measure_messages(fleet);
    list.push_back({{"registered", size.registered},
                    {"online", size.online},
                    {"past_rollouts", size.past_rollouts},
                    {"messages", std::move(messages)},
                    {"ticks", measure_ticks(fleet, windows)}});
  }
  std::printf("%s\n", nlohmann::json{{"slice", std::move(list)}}.dump(2).c_str());
  return 0;
}

}  // namespace
}  // namespace covey::bench

int main(int argc, char** argv) {
  using covey::bench::FleetSize;
  std::vector<std::string> texts;
  uint32_t windows = 3;
  CLI::App app{"Processor time of the engine's ticks and messages."};
  app.add_option("--point", texts,
                 "REGISTERED:ONLINE:PAST, repeatable: devices, and past rollouts");
  app.add_option("--windows", windows, "That close")->check(CLI::Range(1U, 100U));
  std::vector<FleetSize> points{{100, 100, 10},
                                {1'000, 1'000, 10},
                                {10'000, 10'000, 10},
                                {100'000, 10'000, 10},
                                {100, 100, 10'000}};
  try {
    app.parse(argc, argv);
    if (!texts.empty()) points.clear();
    for (const std::string& text : texts) points.push_back(covey::bench::parse_point(text));
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return covey::bench::run(points, windows);
}
