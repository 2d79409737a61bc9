// SPDX-License-Identifier: Apache-2.0
// covey_power_cuts: lives with accidents at random, as many as there is time for. A seed that finds
// something is printed with everything needed to replay it.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/unit/agent/power_life.hpp"

namespace {

using covey::agent_test::Accidents;
using covey::agent_test::LifeStory;

struct Tally {
  std::atomic<uint64_t> cuts{0};
  std::atomic<uint64_t> lives{0};
  std::atomic<uint32_t> next_seed{1};
  std::atomic<bool> failed{false};
  std::mutex printing;
};

void explore(Tally& tally, uint64_t wanted_cuts, uint64_t operations) {
  while (!tally.failed && tally.cuts < wanted_cuts) {
    const uint32_t seed = tally.next_seed++;
    const Accidents accidents = covey::agent_test::random_accidents(seed, operations);
    const LifeStory story = covey::agent_test::live(accidents);
    tally.cuts += static_cast<uint64_t>(story.cuts);
    const uint64_t lives = ++tally.lives;
    const std::lock_guard lock(tally.printing);
    if (!story.problem.empty()) {
      tally.failed = true;
      std::printf("seed %u: %s\n  %s\n", seed, story.problem.c_str(),
                  covey::agent_test::describe(accidents).c_str());
    } else if (lives % 20'000 == 0) {
      std::printf("%llu lives, %llu cuts\n", static_cast<unsigned long long>(lives),
                  static_cast<unsigned long long>(tally.cuts.load()));
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t cuts = 1'000'000;
  uint32_t seed = 1;
  uint32_t jobs = 1;
  CLI::App app{
      "Power cuts, torn words and erases, ECC errors and failing flash in the life of a "
      "device: what must always be true (docs/design/agent.md) is asserted after each."};
  app.add_option("--cuts", cuts, "how many power cuts at least")->check(CLI::PositiveNumber);
  app.add_option("--seed", seed, "the first life; with --cuts 1 it replays one");
  app.add_option("--jobs", jobs, "threads")->check(CLI::Range(1, 64));
  CLI11_PARSE(app, argc, argv);
  const LifeStory whole = covey::agent_test::live({});
  if (!whole.problem.empty()) {
    std::printf("without any accident: %s\n", whole.problem.c_str());
    return 1;
  }
  Tally tally;
  tally.next_seed = seed;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < jobs; ++i) {
    threads.emplace_back([&] { explore(tally, cuts, whole.operations); });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%llu lives of about %llu flash operations, %llu power cuts: %s\n",
              static_cast<unsigned long long>(tally.lives.load()),
              static_cast<unsigned long long>(whole.operations),
              static_cast<unsigned long long>(tally.cuts.load()),
              tally.failed ? "FAILED" : "none broke the device");
  return tally.failed ? 1 : 0;
}
