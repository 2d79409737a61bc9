// SPDX-License-Identifier: Apache-2.0
// What a store must hold after a crash: commit number i is the same random batch wherever it is
// made, and carries its number, so that the number found tells the state expected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "storage/memory/memory_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace covey::test {

std::vector<Write> numbered_batch(uint64_t seed, uint64_t number);

class Ledger {
 public:
  explicit Ledger(uint64_t seed) : seed_(seed) {}

  // Opens what the crash left; `acknowledged` is the last commit that was answered. All of that is
  // there, and of the one after it everything or nothing. Returns the last number found.
  uint64_t check(const std::filesystem::path& data_dir, const SqliteOptions& options,
                 uint64_t acknowledged);
  uint64_t seed() const { return seed_; }

 private:
  uint64_t seed_;
  MemoryStore expected_;
  uint64_t number_ = 0;  // of the last commit in expected_
};

}  // namespace covey::test
