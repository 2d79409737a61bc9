// SPDX-License-Identifier: Apache-2.0
// kill -9 at random moments: whatever was acknowledged is there, nothing is half there.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <random>

#include "tests/integration/storage/ledger.hpp"
#include "tests/unit/storage/temporary_folder.hpp"

namespace covey {
namespace {

constexpr SqliteOptions options() {
  // Small, so that kills also fall into checkpoints.
  return {.wal_autocheckpoint_pages = 20, .reserve_bytes = 0};
}

// Child: commits from `number` on, and says each number after its commit.
[[noreturn]] void commit_until_killed(const std::filesystem::path& data, uint64_t seed,
                                      uint64_t number, int pipe) {
  Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(data, options());
  if (!store) _exit(2);
  for (;; ++number) {
    if (!(*store)->commit(test::numbered_batch(seed, number))) _exit(3);
    if (write(pipe, &number, sizeof number) != sizeof number) _exit(4);
  }
}

uint64_t read_number(int pipe) {
  uint64_t number = 0;
  return read(pipe, &number, sizeof number) == sizeof number ? number : 0;
}

TEST(Kill, LosesNothingAcknowledged) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  test::TemporaryFolder folder;
  const std::filesystem::path data = folder.path() / "data";
  test::Ledger ledger(seed);
  test::numbered_batch(seed, 1);  // artifacts are made before the fork: both sides have the same
  uint64_t acknowledged = 0;
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      commit_until_killed(data, seed, acknowledged + 1, ends[1]);
    }
    close(ends[1]);
    for (uint64_t wanted = random() % 12 + 1; wanted > 0; --wanted) {
      const uint64_t number = read_number(ends[0]);
      if (number == 0) break;
      acknowledged = number;
    }
    // Anywhere within the next commits.
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 5000);
    while (std::chrono::steady_clock::now() < until) {
    }
    kill(child, SIGKILL);
    while (const uint64_t number = read_number(ends[0])) acknowledged = number;
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    acknowledged = ledger.check(data, options(), acknowledged);
    ASSERT_FALSE(HasFailure());
  }
  std::printf("%llu commits, 30 kills\n", static_cast<unsigned long long>(acknowledged));
}

}  // namespace
}  // namespace covey
