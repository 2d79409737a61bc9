// SPDX-License-Identifier: Apache-2.0
#include "cli/files/label_file.hpp"

#include <gtest/gtest.h>

namespace covey::cli {
namespace {

constexpr const char* kBoot = "00f1e2d3c4b5a697";

std::string problem_of(const std::string& text) {
  const Result<std::vector<LabelLine>> labels = read_labels(text);
  return labels ? "" : labels.error().message;
}

TEST(LabelFile, takes_what_spreadsheets_write) {
  const std::string boot = kBoot;
  for (const std::string& text : {
           "press-07," + boot + ",1204,2\n",
           "press-07," + boot + ",1204,2",
           "press-07," + boot + ",1204,2\r\n",
           "press-07," + boot + ",1204,2\r",
           "\xEF\xBB\xBFpress-07," + boot + ",1204,2\n",
           "\xEF\xBB\xBF"
           "device,boot_id,inference,class\r\npress-07," +
               boot + ",1204,2\r\n",
           "device;boot_id;inference;class\npress-07;" + boot + ";1204;2\n",
           "press-07\t" + boot + "\t1204\t2\n",
           "\"press-07\",\"" + boot + "\",\"1204\",\"2\"\n",
           "# by hand\n\n  press-07 , " + boot + " , 1204 , 2  \n \t \n",
           "class,device,note,inference,boot_id\n2,press-07,\"a, b \"\"c\"\"\",1204," + boot + "\n",
       }) {
    const Result<std::vector<LabelLine>> labels = read_labels(text);
    ASSERT_TRUE(labels.ok()) << text << labels.error().message;
    ASSERT_EQ(labels->size(), 1U) << text;
    const LabelLine& label = labels->front();
    EXPECT_EQ(label.device, "press-07");
    EXPECT_EQ(label.boot_id, kBoot);
    EXPECT_EQ(label.inference, 1204U);
    EXPECT_EQ(label.truth, 2U);
  }
  EXPECT_TRUE(read_labels("")->empty());
}

TEST(LabelFile, names_line_and_cause) {
  const std::string good = "press-07,00f1e2d3c4b5a697,1204,2\n";
  const auto after = [&](const std::string& bad) { return problem_of("# labels\n" + good + bad); };
  EXPECT_NE(after("press-07,00f1e2d3c4b5a697,1204\n").find("line 3: has 3 cells"),
            std::string::npos);
  EXPECT_NE(after("press-07,00f1e2d3c4b5a697,1204.0,2\n").find("line 3: inference '1204.0'"),
            std::string::npos);
  EXPECT_NE(after("press-07,00f1e2d3c4b5a697,1204,-1\n").find("class '-1'"), std::string::npos);
  EXPECT_NE(after("press-07,00f1e2d3c4b5a697,1204,4294967296\n").find("larger than"),
            std::string::npos);
  EXPECT_NE(after("press-07,1.2E+15,1204,2\n").find("spreadsheet"), std::string::npos);
  EXPECT_NE(after("press 07,00f1e2d3c4b5a697,1204,2\n").find("not a device id"), std::string::npos);
  EXPECT_NE(after("\"press-07,00f1e2d3c4b5a697,1204,2\n").find("quote"), std::string::npos);
  EXPECT_NE(after(std::string(5'000, 'x')).find("has 5000 bytes"), std::string::npos);
  EXPECT_NE(
      problem_of("device,boot,inference,class\n" + good).find("line 1: names no column boot_id"),
      std::string::npos);
}

TEST(LabelFile, says_that_it_is_utf_16) {
  const std::string utf16(
      "\xFF\xFE"
      "d\0e\0v\0",
      8);
  EXPECT_NE(problem_of(utf16).find("UTF-16"), std::string::npos);
  EXPECT_NE(problem_of(std::string("d\0e\0v\0,\0", 8)).find("UTF-16"), std::string::npos);
}

TEST(LabelFile, finds_all_lines_at_once_also_far_below) {
  std::string text;
  for (int i = 0; i < 15'000; ++i)
    text += "press-07,00f1e2d3c4b5a697," + std::to_string(i) + ",2\n";
  EXPECT_TRUE(problem_of(text).empty());
  for (int i = 0; i < 30; ++i) text += "press-07\n";
  const std::string problem = problem_of(text);
  EXPECT_NE(problem.find("line 15001: "), std::string::npos);
  EXPECT_NE(problem.find("line 15020: "), std::string::npos);
  EXPECT_EQ(problem.find("line 15021: "), std::string::npos);
  EXPECT_NE(problem.find("and 10 more lines"), std::string::npos);
}

}  // namespace
}  // namespace covey::cli
