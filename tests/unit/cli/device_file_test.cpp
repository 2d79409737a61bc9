// SPDX-License-Identifier: Apache-2.0
#include "cli/files/device_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace covey::cli {
namespace {

const std::string kDigest(64, 'a');

std::string why_not(std::string_view text) {
  const Result<DeviceFile> file = DeviceFile::read(text);
  return file ? "it was taken" : file.error().message;
}

TEST(DeviceFile, TakesWhatSpreadsheetsWrite) {
  const Result<DeviceFile> file = DeviceFile::read(
      "\xEF\xBB\xBFkey,id,labels\r\n"
      "# a remark\r\n"
      "AA:" +
      std::string(62, 'A') + ",press-07,\"hall=b; line=press\"\r\n,press-08\r\n\r\n");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->lines().size(), 2U);
  EXPECT_EQ(file->lines()[0].id, "press-07");
  EXPECT_EQ(file->lines()[0].key, kDigest);
  EXPECT_EQ(file->lines()[0].labels.at("line"), "press");
  EXPECT_EQ(file->lines()[1].line, 4U);
  EXPECT_EQ(file->with_lines("devices[1].labels: bad\ndevices[9].x: y"),
            "line 4, column 3 (labels): bad\ndevices[9].x: y");
}

TEST(DeviceFile, WritesWhatItTakes) {
  const DeviceLine line{.line = 0,
                        .id = "press-07",
                        .device_class = "m4f-256k",
                        .labels = {{"hall", "b"}, {"line", "press"}},
                        .key = kDigest,
                        .certificate = ""};
  const Result<DeviceFile> file =
      DeviceFile::read(fmt::format("{}\n{}\n", kDeviceFileHead, device_line(line)));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->lines()[0].labels, line.labels);
  EXPECT_EQ(file->lines()[0].device_class, line.device_class);
  EXPECT_EQ(file->lines()[0].key, line.key);
}

TEST(DeviceFile, NamesEachCellThatIsWrong) {
  const std::string why =
      why_not("id,class,labels,key,certificate\nok,,,,\n-x,no class!,a,12,zz\n");
  for (const char* cell :
       {"line 3, column 1 (id)", "line 3, column 2 (class)", "line 3, column 3 (labels)",
        "line 3, column 4 (key)", "line 3, column 5 (certificate)", "nothing was changed"}) {
    EXPECT_NE(why.find(cell), std::string::npos) << cell << " in " << why;
  }
  EXPECT_NE(why_not("id,id\n").find("there twice"), std::string::npos);
  EXPECT_NE(why_not("class\nx\n").find("no column id"), std::string::npos);
  EXPECT_NE(why_not("").find("no device"), std::string::npos);
  EXPECT_NE(why_not("id\n" + std::string(9000, 'x') + "\n").find("at most"), std::string::npos);
  std::string many = "id\n";
  for (int i = 0; i < 30; ++i) many += "bad id\n";
  EXPECT_NE(why_not(many).find("and 10 more"), std::string::npos);
}

}  // namespace
}  // namespace covey::cli
