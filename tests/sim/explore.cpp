// SPDX-License-Identifier: Apache-2.0
// Runs seeds of the deterministic simulation; one line replays any of them.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/world.hpp"

namespace {

int usage(int code) {
  std::fputs(
      "usage: covey_sim_explore [--seed N] [--seeds K] [--broken speak_before_persist] [--quiet]\n"
      "                         [--liars SHARE]\n"
      "Runs K seeds from N (default 1, 1): the real engine and the real agent in virtual time, "
      "with\n"
      "faults, then without; in a SHARE of them (0 to 1) a device lies. Exit code 0: every "
      "invariant held; 1: one did not; 2: usage.\n",
      code == 0 ? stdout : stderr);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = 1;
  uint64_t seeds = 1;
  bool quiet = false;
  covey::sim::WorldOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (flag == "--help") return usage(0);
    if (flag == "--quiet") {
      quiet = true;
    } else if (flag == "--seed" && value != nullptr) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--seeds" && value != nullptr) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--liars" && value != nullptr) {
      options.liars = std::strtod(argv[++i], nullptr);
    } else if (flag == "--broken" && value != nullptr) {
      if (std::strcmp(argv[++i], "speak_before_persist") != 0) return usage(2);
      options.speak_before_persist = true;
    } else {
      return usage(2);
    }
  }
  uint64_t failed = 0;
  for (uint64_t s = seed; s < seed + seeds; ++s) {
    options.seed = s;
    options.verbose = !quiet;
    const covey::sim::WorldResult result = covey::sim::World(options).run();
    if (result.violation) {
      ++failed;
      std::printf("seed %llu: FAILED: %s\n", static_cast<unsigned long long>(s),
                  result.violation->c_str());
    } else if (!quiet) {
      std::printf(
          "seed %llu: ok: %llu rollouts (%llu succeeded, %llu rolled back), %llu power cuts, %llu "
          "resets, %llu gateway crashes, %llu inferences, %llu labels, %llu messages; %llu chunks "
          "sent, %llu "
          "needed, %llu again; service up to %lld ms, %llu refused; %lld s%s\n",
          static_cast<unsigned long long>(s), static_cast<unsigned long long>(result.rollouts),
          static_cast<unsigned long long>(result.rollouts_succeeded),
          static_cast<unsigned long long>(result.rollouts_rolled_back),
          static_cast<unsigned long long>(result.power_cuts),
          static_cast<unsigned long long>(result.resets),
          static_cast<unsigned long long>(result.gateway_crashes),
          static_cast<unsigned long long>(result.inferences),
          static_cast<unsigned long long>(result.labels),
          static_cast<unsigned long long>(result.messages),
          static_cast<unsigned long long>(result.chunks_sent),
          static_cast<unsigned long long>(result.chunks_needed),
          static_cast<unsigned long long>(result.chunks_again),
          static_cast<long long>(result.service_max.count()),
          static_cast<unsigned long long>(result.refused),
          static_cast<long long>(result.ended.count() / 1000), result.liar ? ", one lied" : "");
    }
    std::fflush(stdout);
  }
  std::printf("%llu seeds, %llu failed\n", static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
