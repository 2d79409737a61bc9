// SPDX-License-Identifier: Apache-2.0
// Gateways that believe a liar, one after the other: the checkers must find each.
#include <gtest/gtest.h>

#include "tests/sim/mutations.hpp"
#include "tests/sim/world.hpp"

int covey_mutation = 0;

namespace covey::sim {
namespace {

constexpr uint64_t kSeeds = 30;

struct Mutation {
  int number;
  const char* name;
  const char* found;  // by a check that says so
};

class BrokenGateway : public ::testing::TestWithParam<Mutation> {
 protected:
  ~BrokenGateway() override { covey_mutation = 0; }
};

TEST_P(BrokenGateway, IsFound) {
  covey_mutation = GetParam().number;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const WorldResult result = World({.seed = seed, .liars = 1}).run();
    if (!result.violation) continue;
    RecordProperty("seed", static_cast<int>(seed));
    std::printf("%s: found with seed %llu: %s\n", GetParam().name,
                static_cast<unsigned long long>(seed), result.violation->c_str());
    EXPECT_NE(result.violation->find(GetParam().found), std::string::npos) << *result.violation;
    return;
  }
  FAIL() << kSeeds << " seeds did not find the gateway broken by " << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(Mutations, BrokenGateway,
                         ::testing::Values(Mutation{1, "believe_one_epoch",
                                                    "changed the epoch of the site"},
                                           Mutation{2, "believe_counter", "counter runs away"}),
                         [](const auto& mutation) { return std::string(mutation.param.name); });

TEST(GatewayWithoutBudgets, IsFound) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const WorldResult result = World({.seed = seed, .liars = 1, .no_budgets = true}).run();
    if (!result.violation) continue;
    EXPECT_NE(result.violation->find("more reports"), std::string::npos) << *result.violation;
    std::printf("no_budgets: found with seed %llu: %s\n", static_cast<unsigned long long>(seed),
                result.violation->c_str());
    return;
  }
  FAIL() << kSeeds << " seeds did not find a gateway without budgets";
}

}  // namespace
}  // namespace covey::sim
