// SPDX-License-Identifier: Apache-2.0
// The command line: what it means, and usage errors with exit code 2.
#include <gtest/gtest.h>

#include "device_agent/simulator/options.hpp"

namespace covey::simulator {
namespace {

ParsedOptions parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "covey-sim");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

TEST(Options, DefaultsAndUnits) {
  const ParsedOptions parsed =
      parse({"--broker", "127.0.0.1:1883", "--memory", "--classes", "m4f-256k:5,m0-64k:2",
             "--inference-interval", "1m30s", "--speed-up", "10", "--break", "journal"});
  ASSERT_TRUE(parsed.options);
  const Options& options = *parsed.options;
  EXPECT_EQ(options.broker.host, "127.0.0.1");
  EXPECT_EQ(options.broker.port, 1883);
  EXPECT_EQ(options.enroll_broker.port, 1883);
  EXPECT_EQ(options.fleet.classes.size(), 2u);
  EXPECT_EQ(options.inference_interval, 90s);
  EXPECT_EQ(options.sabotage, Sabotage::kJournal);
  EXPECT_TRUE(options.truth_file.empty());
}

TEST(Options, StateBringsATruthFile) {
  const ParsedOptions parsed = parse({"--broker", "[::1]:1", "--state", "fleet", "--count", "3"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->broker.host, "::1");
  EXPECT_EQ(parsed.options->truth_file, "fleet/truth.csv");
  EXPECT_EQ(parsed.options->fleet.classes[0].count, 3u);
}

TEST(Options, UsageErrorsEndWithTwo) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"--memory"},
      {"--broker", "localhost", "--memory"},
      {"--broker", "::1:1883", "--memory"},
      {"--broker", "a:0", "--memory"},
      {"--broker", "a:1"},
      {"--broker", "a:1", "--memory", "--state", "x"},
      {"--broker", "a:1", "--memory", "--classes", "what:5"},
      {"--broker", "a:1", "--memory", "--classes", "m0-64k:5", "--count", "4"},
      {"--broker", "a:1", "--memory", "--count", "0"},
      {"--broker", "a:1", "--memory", "--loss", "1.5"},
      {"--broker", "a:1", "--memory", "--report-interval", "soon"},
      {"--broker", "a:1", "--memory", "--break", "everything"},
      {"--broker", "a:1", "--memory", "--unknown"},
  };
  for (const auto& arguments : cases) {
    const ParsedOptions parsed = parse(arguments);
    EXPECT_FALSE(parsed.options) << testing::PrintToString(arguments);
    EXPECT_EQ(parsed.exit_code, 2) << testing::PrintToString(arguments);
  }
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  EXPECT_EQ(parse({"--version"}).exit_code, 0);
}

}  // namespace
}  // namespace covey::simulator
