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
};

class Chip {
 public:
  explicit Chip(const Geometry& geometry) {
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
    ASSERT_EQ(covey_flash_store_open(&store_, &port_, kOffset), 0);
  }
  int write(const std::string& record) {
    const covey_store_t store = covey_flash_store_port(&store_);
    return store.write(store.ctx, reinterpret_cast<const uint8_t*>(record.data()), record.size());
  }
  std::string read() {
    const covey_store_t store = covey_flash_store_port(&store_);
    uint8_t bytes[COVEY_STORE_BYTES_MAX];
    const int size = store.read(store.ctx, bytes, sizeof bytes);
    return size < 0 ? "error" : std::string(bytes, bytes + size);
  }
  covey_host_flash_t& flash() { return flash_; }
  const covey_flash_t& port() const { return port_; }

 private:
  covey_host_flash_t flash_{};
  covey_flash_t port_{};
  covey_flash_store_t store_{};
};

std::string record_of(int number) {
  return std::string(static_cast<size_t>(number * 37 % (COVEY_STORE_BYTES_MAX + 1)),
                     static_cast<char>('a' + number % 26));
}

class FlashStore : public ::testing::TestWithParam<Geometry> {};

TEST_P(FlashStore, KeepsTheLastRecordOverManyAndOverStarts) {
  Chip chip(GetParam());
  chip.start();
  EXPECT_EQ(chip.read(), "");
  for (int i = 1; i <= 60; i++) {
    ASSERT_EQ(chip.write(record_of(i)), 0) << i;
    ASSERT_EQ(chip.read(), record_of(i));
    if (i % 7 == 0) {
      chip.start();
      ASSERT_EQ(chip.read(), record_of(i));
    }
  }
  EXPECT_EQ(chip.write(std::string(COVEY_STORE_BYTES_MAX + 1, 'x')), COVEY_ERROR_STORE);
  EXPECT_EQ(chip.read(), record_of(60));
}

TEST_P(FlashStore, APowerCutLeavesTheOldRecordOrTheNew) {
  for (int tear = COVEY_HOST_TEAR_NOTHING; tear <= COVEY_HOST_TEAR_ERASED; tear++) {
    for (uint64_t first = 1; first <= 12; first++) {
      for (uint64_t second = 1; second <= 3; second++) {
        Chip chip(GetParam());
        chip.start();
        int number = 0;
        // Two cuts: the second one soon after the start that follows the first.
        for (const uint64_t cut : {first, second}) {
          covey_host_flash_t& flash = chip.flash();
          flash.cut_at = flash.operations + cut;
          flash.tear = static_cast<covey_host_tear_t>(tear);
          flash.seed = static_cast<uint32_t>(first * 7 + second);
          while (chip.write(record_of(number + 1)) == 0) number++;
          ASSERT_TRUE(flash.dead);
          chip.start();
          const std::string found = chip.read();
          ASSERT_TRUE(found == record_of(number) || found == record_of(number + 1))
              << "tear " << tear << ", cuts " << first << " and " << second;
          if (found == record_of(number + 1)) number++;
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

INSTANTIATE_TEST_SUITE_P(Geometries, FlashStore,
                         ::testing::Values(Geometry{512, 4, 0xff}, Geometry{4096, 8, 0xff},
                                           Geometry{1024, 64, 0x00}, Geometry{2048, 16, 0xff}));

TEST(FlashStoreOpen, RefusesGeometriesThatCannotWork) {
  Chip chip({512, 4, 0xff});
  covey_flash_store_t store;
  EXPECT_EQ(covey_flash_store_open(&store, &chip.port(), 100), COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(covey_flash_store_open(&store, &chip.port(), 16384 - 512), COVEY_ERROR_FLASH_GEOMETRY);
  covey_flash_t small = chip.port();
  small.erase_unit_bytes = 128;
  EXPECT_EQ(covey_flash_store_open(&store, &small, 0), COVEY_ERROR_FLASH_GEOMETRY);
}

}  // namespace
}  // namespace covey::port_test
