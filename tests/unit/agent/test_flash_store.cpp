// ports/flash_store: a record is replaced as a whole, whenever the power fails.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "covey/error.h"
#include "covey/flash_store.h"
#include "covey/port_host.h"

namespace covey::agent_test {
namespace {

using Record = std::vector<uint8_t>;

// What the store holds; a failed read counts as nothing.
Record read(const covey_store_t& store) {
  Record record(8192);
  const int size = store.read(store.ctx, record.data(), record.size());
  record.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return record;
}

Record random_record(std::mt19937& random, uint32_t size) {
  Record record(size);
  for (uint8_t& byte : record) byte = static_cast<uint8_t>(random());
  return record;
}

struct Part {
  uint32_t erase_unit;
  uint32_t align;
  uint8_t erased;
  uint32_t area_bytes;
  uint32_t longest;
};

const Part kParts[] = {{512, 4, 0xff, 512, 224},
                       {1024, 64, 0x00, 4096, 3500},
                       {4096, 8, 0xff, 4096, 1800},
                       {512, 32, 0xff, 1536, 1400}};

TEST(FlashStore, HoldsTheOldRecordOrTheNewOneAfterEveryCut) {
  for (const Part& part : kParts) {
    for (uint32_t seed = 1; seed <= 60; ++seed) {
      SCOPED_TRACE("erase unit " + std::to_string(part.erase_unit) + ", seed " +
                   std::to_string(seed));
      std::mt19937 random(seed);
      const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
      const covey_host_geometry_t geometry{16384, part.erase_unit, part.align, part.erased};
      covey_host_flash_t flash;
      ASSERT_EQ(covey_host_flash_memory(&flash, &geometry, true), 0);
      const covey_flash_t port = covey_host_flash_port(&flash);
      covey_flash_store_t state;
      Record now;
      for (int life = 0; life < 20; ++life) {
        covey_host_flash_power_on(&flash);
        ASSERT_EQ(covey_flash_store_open(&state, &port, 4096, part.area_bytes), 0);
        const covey_store_t store = covey_flash_store_port(&state);
        ASSERT_EQ(read(store), now);
        flash.cut_at = flash.operations + 1 + below(40);
        flash.tear = static_cast<covey_host_tear_t>(below(6));
        flash.seed = static_cast<uint32_t>(random());
        for (int write = 0; write < 30 && !flash.dead; ++write) {
          const Record next = random_record(random, below(part.longest + 1));
          if (store.write(store.ctx, next.data(), next.size()) == 0) {
            now = next;
            ASSERT_TRUE(flash.dead || read(store) == now);
            continue;
          }
          ASSERT_TRUE(flash.dead);
          covey_host_flash_power_on(&flash);
          covey_flash_store_t after;
          ASSERT_EQ(covey_flash_store_open(&after, &port, 4096, part.area_bytes), 0);
          const Record found = read(covey_flash_store_port(&after));
          ASSERT_TRUE(found == now || found == next);
          now = found;
          break;
        }
      }
      EXPECT_EQ(flash.written_twice, 0U);
      EXPECT_EQ(flash.misaligned, 0U);
      covey_host_flash_close(&flash);
    }
  }
}

TEST(FlashStore, RefusesWhatCannotWork) {
  const covey_host_geometry_t geometry{16384, 1024, 8, 0xff};
  covey_host_flash_t flash;
  ASSERT_EQ(covey_host_flash_memory(&flash, &geometry, true), 0);
  covey_flash_t port = covey_host_flash_port(&flash);
  covey_flash_store_t state;
  const auto open = [&](uint32_t offset, uint32_t area) {
    return covey_flash_store_open(&state, &port, offset, area);
  };
  EXPECT_EQ(open(512, 1024), COVEY_ERROR_FLASH_GEOMETRY);        // not on an erase unit
  EXPECT_EQ(open(0, 0), COVEY_ERROR_FLASH_GEOMETRY);             // no area
  EXPECT_EQ(open(0, 1536), COVEY_ERROR_FLASH_GEOMETRY);          // not of whole erase units
  EXPECT_EQ(open(15360, 1024), COVEY_ERROR_FLASH_GEOMETRY);      // beyond the end
  EXPECT_EQ(open(1U << 30U, 1024), COVEY_ERROR_FLASH_GEOMETRY);  // far beyond
  EXPECT_EQ(open(0, 0xfffffc00U), COVEY_ERROR_FLASH_GEOMETRY);   // larger than all
  ASSERT_EQ(open(14336, 1024), 0);
  const covey_store_t store = covey_flash_store_port(&state);
  const Record longest(1024 - 16, 7);
  EXPECT_EQ(store.write(store.ctx, longest.data(), longest.size()), 0);
  const Record longer(1024, 8);
  EXPECT_EQ(store.write(store.ctx, longer.data(), longer.size()), COVEY_ERROR_STORE);
  EXPECT_EQ(read(store), longest);
  Record small(10);
  EXPECT_EQ(store.read(store.ctx, small.data(), small.size()), COVEY_ERROR_STORE);
  port.erase_unit_bytes = 128;
  EXPECT_EQ(open(0, 128), COVEY_ERROR_FLASH_GEOMETRY);  // no room for an identity
  covey_host_flash_close(&flash);
}

}  // namespace
}  // namespace covey::agent_test
