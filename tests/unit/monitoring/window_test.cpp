// SPDX-License-Identifier: Apache-2.0
#include "monitoring/counts/window.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/monitoring/random.hpp"

namespace covey::monitoring {
namespace {

using testing::Random;

const Shape kShape{{5, 3}, 4, 6};
constexpr int32_t kMin = -100;
constexpr int32_t kMax = 90;

// What an honest device would count.
WindowCounts honest_window(Random& random, uint64_t inferences, const Shape& shape = kShape) {
  WindowCounts w;
  w.features.resize(shape.bins.size());
  for (size_t f = 0; f < shape.bins.size(); ++f) w.features[f].bins.resize(shape.bins[f]);
  w.classes.resize(shape.classes);
  w.confidence.resize(shape.classes == 0 ? 0 : kConfidenceBins);
  w.joint.resize(shape.joint);
  for (uint64_t i = 0; i < inferences; ++i) {
    ++w.inferences;
    for (FeatureCounts& f : w.features) {
      if (random.chance(0.05)) {
        ++f.missing;
        continue;
      }
      const auto v = static_cast<int32_t>(random.below(256)) - 128;
      ++f.bins[static_cast<size_t>(v + 128) * f.bins.size() / 256];
      if (v < kMin) ++f.below;
      if (v > kMax) ++f.above;
      f.min = std::min(f.min, v);
      f.max = std::max(f.max, v);
      f.sum += v;
      f.sum_squares += static_cast<uint64_t>(v * v);
    }
    if (shape.classes != 0) {
      ++w.classes[random.below(shape.classes)];
      ++w.confidence[random.below(kConfidenceBins)];
    }
    if (shape.joint != 0 && random.chance(0.9)) ++w.joint[random.below(shape.joint)];
    if (random.chance(0.5)) {
      const uint64_t uj = 1 + random.below(2000);
      size_t bucket = 0;
      while (energy_lower_uj(bucket + 1) <= uj) ++bucket;
      if (w.energy.size() <= bucket) w.energy.resize(bucket + 1);
      ++w.energy[bucket];
      w.energy_sum_uj += uj;
    }
    const auto us = static_cast<uint32_t>(random.below(5000));
    const uint32_t bucket = latency_bucket(us);
    if (w.latency.size() <= bucket) w.latency.resize(bucket + 1);
    ++w.latency[bucket];
    w.latency_max_us = std::max(w.latency_max_us, us);
    w.latency_sum_us += us;
  }
  w.errors = random.below(3);
  w.health.rejects = random.below(3);
  w.health.watchdog_resets = random.below(2);
  w.health.heap_free_min_bytes = random.below(3) * 1000;  // 0: not told
  w.health.arena_used_max_bytes = random.below(3) * 500;
  w.health.stack_used_max_bytes = random.below(3) * 100;
  return w;
}

TEST(Window, any_order_and_grouping_of_merges_gives_the_same_bytes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    std::vector<WindowCounts> windows;
    windows.reserve(12);
    for (int i = 0; i < 12; ++i) windows.push_back(honest_window(random, random.below(40)));
    WindowCounts forward;
    for (const WindowCounts& w : windows) merge(forward, w);
    random.shuffle(windows);
    WindowCounts left;
    WindowCounts right;
    for (const WindowCounts& w : windows) merge(random.chance(0.5) ? left : right, w);
    merge(left, right);
    EXPECT_EQ(encode(left), encode(forward)) << "seed " << seed;
    EXPECT_TRUE(check(forward, kShape)) << check(forward, kShape).error().message;
  }
}

TEST(Window, merging_hostile_extremes_is_defined_and_order_free) {
  Random random(7);
  std::vector<WindowCounts> windows;
  for (int i = 0; i < 6; ++i) {
    WindowCounts w = honest_window(random, 3);
    w.features[0].sum = static_cast<int64_t>(random.bits());
    w.features[0].sum_squares = random.bits();
    w.latency_sum_us = random.bits() | (uint64_t{1} << 63);
    w.classes[0] = ~uint64_t{0} - random.below(2);
    windows.push_back(w);
  }
  WindowCounts first;
  for (const WindowCounts& w : windows) merge(first, w);
  random.shuffle(windows);
  WindowCounts second;
  for (const WindowCounts& w : windows) merge(second, w);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.classes[0], ~uint64_t{0});
}

TEST(Window, the_empty_window_is_neutral_and_valid) {
  Random random(3);
  const WindowCounts w = honest_window(random, 30);
  WindowCounts merged;
  merge(merged, w);
  EXPECT_EQ(merged, w);
  EXPECT_TRUE(check(honest_window(random, 0), kShape));
}

TEST(Window, encoding_round_trips_and_is_compact) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const WindowCounts w = honest_window(random, random.below(100));
    const Bytes bytes = encode(w);
    const Result<WindowCounts> back = decode_window(bytes);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, w);
    EXPECT_LT(bytes.size(), 200U);
  }
}

TEST(Window, decoding_refuses_every_truncation_and_survives_every_bit_flip) {
  Random random(11);
  const Bytes bytes = encode(honest_window(random, 60));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_window(ByteView(bytes).first(size))) << size;
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes flipped = bytes;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const Result<WindowCounts> back = decode_window(flipped);
    if (back) {
      EXPECT_EQ(encode(*back), flipped) << "two encodings of one window, bit " << bit;
    }
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode_window(longer));
  EXPECT_EQ(decode_window({}).error().reason, "BAD_WINDOW_BYTES");
}

TEST(Window, what_version_1_knew_is_still_written_as_version_1) {
  Random random(4);
  WindowCounts w = honest_window(random, 20, {{4}, 2, 0});
  w.energy.clear();
  w.energy_sum_uj = w.health.watchdog_resets = 0;
  w.health.heap_free_min_bytes = w.health.arena_used_max_bytes = w.health.stack_used_max_bytes = 0;
  const Bytes old = encode(w);
  EXPECT_EQ(old[0], 1);
  w.health.watchdog_resets = 1;
  Bytes bytes = encode(w);
  EXPECT_EQ(bytes[0], 2);
  EXPECT_EQ(*decode_window(bytes), w);
  // The same window must not have two encodings.
  Bytes padded = old;
  padded[0] = 2;
  padded.insert(padded.end(), 7, 0);
  EXPECT_EQ(decode_window(padded).error().reason, "BAD_WINDOW_BYTES");
}

TEST(Window, sizes_merge_as_extremes_of_those_that_were_told) {
  WindowCounts w;
  w.health.heap_free_min_bytes = 500;
  w.health.stack_used_max_bytes = 10;
  merge(w, WindowCounts{});
  EXPECT_EQ(w.health.heap_free_min_bytes, 500U);
  WindowCounts other;
  other.health.heap_free_min_bytes = 400;
  other.health.arena_used_max_bytes = 7;
  merge(w, other);
  EXPECT_EQ(w.health.heap_free_min_bytes, 400U);
  EXPECT_EQ(w.health.arena_used_max_bytes, 7U);
  EXPECT_EQ(w.health.stack_used_max_bytes, 10U);
}

TEST(Health, does_not_depend_on_the_grouping_of_windows) {
  Random random(11);
  Health one_by_one;
  Health halves[2];
  WindowCounts together;
  for (int i = 0; i < 40; ++i) {
    const WindowCounts w = honest_window(random, 20, {{4}, 2, 0});
    merge(one_by_one, w.health);
    merge(halves[i % 2], w.health);
    merge(together, w);
  }
  merge(halves[0], halves[1]);
  EXPECT_EQ(halves[0], one_by_one);
  EXPECT_EQ(together.health, one_by_one);
  EXPECT_EQ(one_by_one.heap_free_min_bytes, 1000U) << "0 is no size";
  merge(one_by_one, Health{});
  EXPECT_EQ(together.health, one_by_one);
  Health full{.drops = ~uint64_t{0}};
  merge(full, full);
  EXPECT_EQ(full.drops, ~uint64_t{0});
  WindowCounts energetic;
  energetic.energy_sum_uj = ~uint64_t{0};
  merge(energetic, energetic);
  EXPECT_EQ(energetic.energy_sum_uj, ~uint64_t{0});
}

TEST(Window, an_agent_that_does_not_know_trees_is_honest_too) {
  Random random(6);
  WindowCounts w = honest_window(random, 20);
  w.joint.clear();
  EXPECT_TRUE(check(w, kShape)) << check(w, kShape).error().message;
}

TEST(Window, check_passes_honest_counts) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    const WindowCounts w = honest_window(random, random.below(60));
    EXPECT_TRUE(check(w, kShape)) << check(w, kShape).error().message;
  }
  Random random(1);
  EXPECT_TRUE(check(honest_window(random, 20, {{4}, 0}), {{4}, 0}));
}

TEST(Window, check_quarantines_each_contradiction) {
  Random random(5);
  const WindowCounts good = honest_window(random, 50);
  ASSERT_TRUE(check(good, kShape));
  const std::vector<std::pair<std::string, std::function<void(WindowCounts&)>>> lies{
      {"WINDOW_CONTRADICTION", [](auto& w) { ++w.inferences; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.inferences = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { ++w.features[0].bins[2]; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].bins[2] = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[1].missing += 2; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[1].below = 51; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[1].above = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].min = w.features[0].max + 1; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].max = 40'000; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].sum = 50 * 128; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].sum = INT64_MIN + 1; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].sum_squares = 0; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.features[0].sum_squares = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { ++w.classes[0]; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { --w.confidence.back(), w.confidence[0] += 2; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { ++w.latency[0]; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.latency_sum_us = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.latency.clear(); }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.joint[0] += 51; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.joint[1] = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.energy[0] += 51; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.energy_sum_uj = 0; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.energy_sum_uj = ~uint64_t{0}; }},
      {"WINDOW_CONTRADICTION", [](auto& w) { w.energy.clear(); }},
      {"WINDOW_SHAPE", [](auto& w) { w.joint.pop_back(); }},
      {"WINDOW_SHAPE", [](auto& w) { w.energy.resize(kEnergyBucketsMax + 1); }},
      {"WINDOW_SHAPE", [](auto& w) { w.features.pop_back(); }},
      {"WINDOW_SHAPE", [](auto& w) { w.features[0].bins.push_back(0); }},
      {"WINDOW_SHAPE", [](auto& w) { w.classes.push_back(0); }},
      {"WINDOW_SHAPE", [](auto& w) { w.confidence.clear(); }},
      {"WINDOW_SHAPE", [](auto& w) { w.latency.resize(kLatencyBucketsMax + 1); }},
  };
  for (size_t i = 0; i < lies.size(); ++i) {
    WindowCounts w = good;
    lies[i].second(w);
    const Status status = check(w, kShape);
    ASSERT_FALSE(status) << "lie " << i;
    EXPECT_EQ(status.error().reason, lies[i].first)
        << "lie " << i << ": " << status.error().message;
  }
}

TEST(Window, latencies_that_contradict_each_other_are_quarantined) {
  const auto judge = [](uint32_t bucket, uint32_t max_us, uint64_t sum_us) {
    WindowCounts w;
    w.inferences = 10;
    w.classes = {10};
    w.confidence.assign(kConfidenceBins, 0);
    w.confidence[0] = 10;
    w.latency.assign(bucket + 1, 0);
    w.latency[bucket] = 10;
    w.latency_max_us = max_us;
    w.latency_sum_us = sum_us;
    return check(w, Shape{{}, 1, 0}).ok();
  };
  EXPECT_FALSE(judge(39, 100, 1'000));     // all above 28.7 ms, none above 100 us
  EXPECT_FALSE(judge(0, 30'000, 30'000));  // all below 16 us, one of 30 ms
  EXPECT_FALSE(judge(4, 79, 639));         // sum below what the bucket says
  EXPECT_FALSE(judge(4, 70, 701));
  EXPECT_FALSE(judge(4, 80, 700));
  EXPECT_TRUE(judge(4, 79, 700));
  EXPECT_TRUE(judge(0, 0, 0));
  EXPECT_TRUE(judge(0, 15, 150));
  EXPECT_TRUE(judge(39, 5'000'000, 50'000'000));  // the last bucket of a device with 40
}

TEST(Latency, buckets_are_contiguous_and_at_most_a_quarter_wide) {
  uint64_t next = 0;
  for (uint32_t bucket = 0; bucket < kLatencyBucketsMax; ++bucket) {
    const LatencyBounds bounds = latency_bounds(bucket);
    EXPECT_EQ(bounds.lower_us, next);
    EXPECT_EQ(latency_bucket(static_cast<uint32_t>(bounds.lower_us)), bucket);
    EXPECT_EQ(latency_bucket(static_cast<uint32_t>(bounds.upper_us - 1)), bucket);
    if (bucket >= 4) {
      EXPECT_LE(4 * (bounds.upper_us - bounds.lower_us), bounds.lower_us);
    }
    next = bounds.upper_us;
  }
  EXPECT_EQ(latency_bounds(40).lower_us, 32'768U);     // 40 buckets reach 32.8 ms
  EXPECT_EQ(latency_bounds(64).lower_us, 2'097'152U);  // 64 reach 2.1 s
  EXPECT_GT(latency_bucket(~uint32_t{0}), 64U);
}

TEST(Latency, quantile_bounds_hold_the_true_one) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    std::vector<uint32_t> us(1 + random.below(300));
    Counts histogram(32);
    for (uint32_t& x : us) {
      x = static_cast<uint32_t>(std::exp(4 + 1.5 * random.normal()));
      ++histogram[std::min<size_t>(latency_bucket(x), histogram.size() - 1)];
    }
    std::sort(us.begin(), us.end());
    for (const Ratio q : {Ratio{0}, Ratio::percent(50), Ratio::percent(95), Ratio::percent(100)}) {
      const auto rank = std::max<uint64_t>(1, ceil_share(us.size(), q));
      const auto quantile = latency_quantile(histogram, q, us.back());
      ASSERT_TRUE(quantile);
      const uint32_t truth = us[rank - 1];
      EXPECT_LE(quantile->bounds.lower_us, truth);
      EXPECT_LT(truth, quantile->bounds.upper_us);
      EXPECT_GE(quantile->estimate_us, static_cast<double>(quantile->bounds.lower_us));
      EXPECT_LE(quantile->estimate_us, static_cast<double>(quantile->bounds.upper_us));
    }
  }
  EXPECT_FALSE(latency_quantile(Counts(5), Ratio::percent(95), 0));
  EXPECT_FALSE(latency_quantile({}, Ratio::percent(95), 0));
}

}  // namespace
}  // namespace covey::monitoring
