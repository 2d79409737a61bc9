// SPDX-License-Identifier: Apache-2.0
// Every transcript says today what it said when somebody last understood it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/paths.hpp"
#include "tests/scenario/player.hpp"

namespace covey::test {
namespace {

bool rewrite = false;

// The transcript as it should be: comments and input as they are, output renewed.
std::string replay(const std::string& text) {
  Player player;
  std::stringstream lines(text);
  std::string result;
  std::string output;
  bool in_output = false;
  for (std::string line; std::getline(lines, line);) {
    if (in_output) {
      if (!line.empty()) continue;  // what it said before
      in_output = false;
      result += '\n';
    } else if (line == "----") {
      result += line + '\n' + output;
      output.clear();
      in_output = true;
    } else {
      result += line + '\n';
      if (!line.empty() && !line.starts_with("#")) output += player.play(line);
    }
  }
  return result;
}

std::vector<std::string> transcripts() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(
           covey::test::source_path("tests/scenario/transcripts"))) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, SaysWhatItSaid) {
  std::stringstream content;
  content << std::ifstream(GetParam()).rdbuf();
  const std::string expected = content.str();
  ASSERT_FALSE(expected.empty());
  const std::string now = replay(expected);
  if (rewrite) {
    std::ofstream(GetParam()) << now;
    return;
  }
  EXPECT_EQ(now, expected) << "understand the difference, then run with --rewrite";
}

INSTANTIATE_TEST_SUITE_P(Transcripts, Scenario, testing::ValuesIn(transcripts()),
                         [](const auto& scenario) {
                           return std::filesystem::path(scenario.param).stem().string();
                         });

}  // namespace
}  // namespace covey::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rewrite") == 0) {
      covey::test::rewrite = true;
    } else {
      std::cerr << "usage: scenario_test [--rewrite]\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
