// SPDX-License-Identifier: Apache-2.0
// The store in flash: what a power cut at any operation, of any kind, leaves of it.
#include <gtest/gtest.h>

#include <string>

#include "covey/error.h"
#include "covey/flash_store.h"
#include "covey/port_host.h"

namespace covey::port_test {
namespace {

constexpr uint32_t kOffset = 4096;

struct Geometry {
  uint32_t erase_unit_bytes;
  uint32_t write_align_bytes;
  uint8_t erased_value;
  uint32_t area_bytes;
  uint32_t longest = COVEY_STORE_BYTES_MAX;  // record
};

class Chip {
 public:
  explicit Chip(const Geometry& geometry) : geometry_(geometry) {
    const covey_host_geometry_t host{16384, geometry.erase_unit_bytes, geometry.write_align_bytes,
                                     geometry.erased_value};
    EXPECT_EQ(covey_host_flash_memory(&flash_, &host, true), 0);
    port_ = covey_host_flash_port(&flash_);
  }
  ~Chip() {
    EXPECT_EQ(flash_.written_twice, 0U);
    EXPECT_EQ(flash_.misaligned, 0U);
    covey_host_flash_close(&flash_);
  }
  Chip(const Chip&) = delete;
  Chip& operator=(const Chip&) = delete;

  // Power is back: everything but the flash is forgotten.
  void start() {
    covey_host_flash_power_on(&flash_);
    ASSERT_EQ(covey_flash_store_open(&store_, &port_, kOffset, geometry_.area_bytes), 0);
  }
  int write(const std::string& record) {
    const covey_store_t store = covey_flash_store_port(&store_);
    return store.write(store.ctx, reinterpret_cast<const uint8_t*>(record.data()), record.size());
  }
  std::string read() {
    const covey_store_t store = covey_flash_store_port(&store_);
    std::string record(geometry_.longest, '?');
    const int size =
        store.read(store.ctx, reinterpret_cast<uint8_t*>(record.data()), record.size());
    return size < 0 ? "error" : record.substr(0, static_cast<size_t>(size));
  }
  std::string record_of(uint32_t number) const {
    return std::string(number * 37 % (geometry_.longest + 1), static_cast<char>('a' + number % 26));
  }
  covey_host_flash_t& flash() { return flash_; }
  const covey_flash_t& port() const { return port_; }

 private:
  const Geometry geometry_;
  covey_host_flash_t flash_{};
  covey_flash_t port_{};
  covey_flash_store_t store_{};
};

class FlashStore : public ::testing::TestWithParam<Geometry> {};

TEST_P(FlashStore, KeepsTheLastRecordOverManyAndOverStarts) {
  Chip chip(GetParam());
  chip.start();
  EXPECT_EQ(chip.read(), "");
  for (uint32_t i = 1; i <= 60; i++) {
    ASSERT_EQ(chip.write(chip.record_of(i)), 0) << i;
    ASSERT_EQ(chip.read(), chip.record_of(i));
    if (i % 7 == 0) {
      chip.start();
      ASSERT_EQ(chip.read(), chip.record_of(i));
    }
  }
  const std::string longest(GetParam().area_bytes - 64, 'l');
  EXPECT_EQ(chip.write(longest), 0);
  EXPECT_EQ(chip.write(std::string(GetParam().area_bytes, 'x')), COVEY_ERROR_STORE);
  chip.start();
  EXPECT_EQ(chip.read(), GetParam().longest < longest.size() ? "error" : longest);
}

TEST_P(FlashStore, APowerCutLeavesTheOldRecordOrTheNew) {
  for (int tear = COVEY_HOST_TEAR_NOTHING; tear <= COVEY_HOST_TEAR_ECC; tear++) {
    for (uint64_t first = 1; first <= 40; first++) {
      for (uint64_t second = 1; second <= 3; second++) {
        Chip chip(GetParam());
        chip.start();
        uint32_t number = 0;
        // Two cuts: the second one soon after the start that follows the first.
        for (const uint64_t cut : {first, second}) {
          covey_host_flash_t& flash = chip.flash();
          flash.cut_at = flash.operations + cut;
          flash.tear = static_cast<covey_host_tear_t>(tear);
          flash.seed = static_cast<uint32_t>(first * 7 + second);
          while (chip.write(chip.record_of(number + 1)) == 0) number++;
          ASSERT_TRUE(flash.dead);
          chip.start();
          const std::string found = chip.read();
          ASSERT_TRUE(found == chip.record_of(number) || found == chip.record_of(number + 1))
              << "tear " << tear << ", cuts " << first << " and " << second;
          if (found == chip.record_of(number + 1)) number++;
        }
        ASSERT_EQ(chip.write("after"), 0);
        chip.start();
        ASSERT_EQ(chip.read(), "after");
      }
    }
  }
}

TEST_P(FlashStore, AFailedWriteLeavesTheOldRecord) {
  Chip chip(GetParam());
  chip.start();
  ASSERT_EQ(chip.write("old"), 0);
  chip.flash().fail_at = chip.flash().operations + 1;
  EXPECT_NE(chip.write("new"), 0);
  EXPECT_EQ(chip.read(), "old");
  EXPECT_EQ(chip.write("newer"), 0);
  EXPECT_EQ(chip.read(), "newer");
}

INSTANTIATE_TEST_SUITE_P(
    Geometries, FlashStore,
    ::testing::Values(Geometry{512, 4, 0xff, 512}, Geometry{4096, 8, 0xff, 4096},
                      Geometry{1024, 64, 0x00, 1024}, Geometry{2048, 16, 0xff, 2048},
                      Geometry{512, 32, 0xff, 1536, 1400}, Geometry{1024, 64, 0x00, 4096, 3500}));

TEST(FlashStoreOpen, RefusesGeometriesThatCannotWork) {
  Chip chip({512, 4, 0xff, 512});
  covey_flash_store_t store;
  const auto open = [&](uint32_t offset, uint32_t area_bytes) {
    return covey_flash_store_open(&store, &chip.port(), offset, area_bytes);
  };
  EXPECT_EQ(open(100, 512), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(open(16384 - 512, 512), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(open(1U << 30U, 512), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(open(0, 0), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(open(0, 768), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(open(0, 0xfffffe00U), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(open(16384 - 1024, 512), 0);
  covey_flash_t small = chip.port();
  small.erase_unit_bytes = 128;
  EXPECT_EQ(covey_flash_store_open(&store, &small, 0, 128), COVEY_ERROR_FLASH_GEOMETRY);
}

}  // namespace
}  // namespace covey::port_test
