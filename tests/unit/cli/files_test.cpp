// SPDX-License-Identifier: Apache-2.0
#include "cli/files/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "cli/files/artifact_files.hpp"

namespace covey::cli {
namespace {

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "covey-files-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST_F(Files, an_error_of_reading_is_no_end) {
  EXPECT_EQ(read_file(folder_, 100).error().reason, "FILE_UNREADABLE");
  EXPECT_NE(read_file(folder_, 100).error().message.find("directory"), std::string::npos);
  EXPECT_EQ(read_file(folder_ / "none", 100).error().reason, "NOT_FOUND");
  EXPECT_EQ(read_file("/proc/self/mem", 100).error().reason, "FILE_UNREADABLE");
  ASSERT_TRUE(write_file(folder_ / "a", Bytes(101)).ok());
  const Error large = read_file(folder_ / "a", 100).error();
  EXPECT_EQ(large.reason, "FILE_TOO_LARGE");
  EXPECT_NE(large.message.find("101"), std::string::npos);
}

TEST_F(Files, a_file_is_written_whole_or_stays) {
  const std::filesystem::path file = folder_ / "file";
  ASSERT_TRUE(write_file(file, Bytes(10, 'a'), 0600).ok());
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_TRUE(write_file(file, Bytes(3, 'b')).ok());
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U) << "the mode that it had";
  EXPECT_EQ(*read_file(file, 100), Bytes(3, 'b'));
  EXPECT_EQ(entries(), 1U) << "no draft is left";
  EXPECT_EQ(write_file(folder_ / "none" / "file", Bytes(1)).error().reason, "FILE_UNWRITABLE");
  EXPECT_NE(write_file("/dev/full", Bytes(1)).error().message.find("space"), std::string::npos);
  EXPECT_TRUE(write_file("/dev/null", Bytes(1)).ok());
}

// A build over an older one: no signature of that stays, and a folder that is not done is none.
TEST_F(Files, a_release_folder_is_of_one_build) {
  BuiltRelease release{*ReleaseId::parse("bearing@1.0.0"), {{Bytes(1), {}, {}, {}, Bytes(2)}}};
  ASSERT_TRUE(save_release(release, folder_).ok());
  ASSERT_TRUE(load_release(folder_).ok());
  release.artifacts[0].signed_manifest.clear();
  ASSERT_TRUE(save_release(release, folder_).ok());
  EXPECT_TRUE(load_release(folder_)->artifacts[0].signed_manifest.empty());
  std::filesystem::remove_all(folder_ / "0");
  ASSERT_TRUE(write_file(folder_ / "0", Bytes(1)).ok());
  EXPECT_EQ(save_release(release, folder_).error().reason, "FILE_UNWRITABLE");
  EXPECT_EQ(load_release(folder_).error().reason, "NOT_A_RELEASE");
}

}  // namespace
}  // namespace covey::cli
