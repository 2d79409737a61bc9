// SPDX-License-Identifier: Apache-2.0
// How coveyd ends when it can't go on: with a line that says what to do.
#include "gateway/coveyd/process.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace covey {
namespace {

// On a thread of its own, as everything that coveyd does.
template <typename Thrown>
void end_by(Thrown thrown) {
  prepare_process(false);
  std::thread([&] { throw thrown; }).join();
}

void take_all() {
  prepare_process(false);
  const rlimit little{64 << 20, 64 << 20};
  (void)::setrlimit(RLIMIT_AS, &little);
  std::vector<std::string> all;
  for (;;) all.emplace_back(1 << 20, 'x');
}

TEST(ProcessDeath, WithoutMemoryItSaysWhatToRaise) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(end_by(std::bad_alloc()), testing::ExitedWithCode(71),
              "error out_of_memory text=.*MemoryMax=");
  EXPECT_EXIT(take_all(), testing::ExitedWithCode(71), "out_of_memory");
}

TEST(ProcessDeath, WithoutThreadsItSaysWhatToRaise) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      end_by(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again))),
      testing::KilledBySignal(SIGABRT), "limit_of_the_system .*TasksMax=");
}

TEST(ProcessDeath, ABugIsSaidAndForgesNoLine) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(end_by(std::runtime_error("a \"quoted\"\nline")), testing::KilledBySignal(SIGABRT),
              "ended_by_a_bug text=\"a .quoted..line\"");
}

TEST(Process, ALimitThatIsTooLowIsAnErrorWithItsNumbers) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const std::vector<Error> errors = check_limits({});
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors.front().reason, "LIMIT_TOO_LOW");
  EXPECT_NE(errors.front().message.find("is 64, coveyd needs 128"), std::string::npos)
      << errors.front().message;
}

}  // namespace
}  // namespace covey
