// SPDX-License-Identifier: Apache-2.0
#include "monitoring/counts/stream.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/monitoring/random.hpp"

namespace covey::monitoring {
namespace {

using testing::Random;

WindowNumber window(uint64_t seq, uint64_t base = 1) { return {seq, base, (seq - 1) * 10, 10}; }

TEST(Stream, in_order_moves_the_cumulative_mark) {
  StreamWatermark mark;
  for (uint64_t seq = 1; seq <= 200; ++seq) {
    EXPECT_EQ(accept(mark, window(seq)), Admission::kNew);
    EXPECT_EQ(accept(mark, window(seq)), Admission::kDuplicate);
    EXPECT_EQ(ack(mark), (StreamAck{seq, 0}));
    EXPECT_EQ(missing_inferences(mark), 0U);
  }
  EXPECT_EQ(mark.received_windows, 200U);
  EXPECT_EQ(mark.lost_windows, 0U);
}

TEST(Stream, reordering_fills_the_bitmap_and_the_running_number_shows_what_is_missing) {
  StreamWatermark mark;
  EXPECT_EQ(accept(mark, window(3)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{0, 0b100}));
  EXPECT_EQ(missing_inferences(mark), 20U);
  EXPECT_EQ(accept(mark, window(1)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{1, 0b10}));
  EXPECT_EQ(accept(mark, window(3)), Admission::kDuplicate);
  EXPECT_EQ(accept(mark, window(2)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{3, 0}));
  EXPECT_EQ(missing_inferences(mark), 0U);
}

TEST(Stream, what_the_device_no_longer_holds_is_a_measured_loss) {
  StreamWatermark mark;
  accept(mark, window(1));
  accept(mark, window(4));
  EXPECT_EQ(accept(mark, window(7, 6)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{5, 0b10}));
  EXPECT_EQ(mark.lost_windows, 3U);  // 2, 3 and 5
  EXPECT_EQ(mark.gaps, (std::vector<Gap>{{2, 3}, {5, 5}}));
  EXPECT_EQ(accept(mark, window(6, 6)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{7, 0}));
}

TEST(Stream, a_leap_begins_anew_and_is_no_loss) {
  StreamWatermark mark;
  accept(mark, window(1));
  EXPECT_EQ(accept(mark, window(4'000'000'000, 4'000'000'000)), Admission::kNew);
  EXPECT_EQ(mark.lost_windows, 0U);
  EXPECT_EQ(ack(mark), (StreamAck{4'000'000'000, 0}));
  EXPECT_EQ(accept(mark, window(4'000'000'000, 4'000'000'000)), Admission::kDuplicate);
  EXPECT_EQ(accept(mark, window(4'000'000'001)), Admission::kNew);
  EXPECT_EQ(accept(mark, window(1)), Admission::kDuplicate);
}

TEST(Stream, a_window_far_ahead_never_wedges) {
  StreamWatermark mark;
  accept(mark, window(1));
  EXPECT_EQ(accept(mark, window(1000)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{936, uint64_t{1} << 63}));
  EXPECT_EQ(mark.lost_windows, 935U);
  EXPECT_EQ(accept(mark, window(kSequenceMax)), Admission::kNew);
  EXPECT_EQ(accept(mark, window(kSequenceMax)), Admission::kDuplicate);
}

TEST(Stream, a_measured_loss_that_arrives_after_all_is_counted_once) {
  StreamWatermark mark;
  accept(mark, window(100, 50));
  ASSERT_EQ(mark.gaps, (std::vector<Gap>{{1, 49}}));
  for (const uint64_t late : {20U, 1U, 49U, 21U}) {
    EXPECT_EQ(accept(mark, window(late)), Admission::kNew) << late;
    EXPECT_EQ(accept(mark, window(late)), Admission::kDuplicate) << late;
  }
  EXPECT_EQ(mark.lost_windows, 45U);
  EXPECT_EQ(mark.gaps, (std::vector<Gap>{{2, 19}, {22, 48}}));
}

TEST(Stream, gaps_that_were_forgotten_are_too_old_not_duplicates) {
  StreamWatermark mark;
  for (uint64_t seq = 2; seq <= 2 * (kGapsMax + 2); seq += 2) accept(mark, window(seq, seq));
  EXPECT_EQ(mark.gaps.size(), kGapsMax);
  EXPECT_EQ(accept(mark, window(1)), Admission::kTooOld);
  EXPECT_EQ(accept(mark, window(2 * (kGapsMax + 2) - 1)), Admission::kNew);
}

TEST(Stream, numbers_no_device_sends_leave_the_mark_alone) {
  StreamWatermark mark;
  accept(mark, window(1));
  const StreamWatermark before = mark;
  EXPECT_EQ(accept(mark, {0, 1, 0, 1}), Admission::kInvalid);
  EXPECT_EQ(accept(mark, {2, 3, 0, 1}), Admission::kInvalid);
  EXPECT_EQ(accept(mark, {2, 0, 0, 1}), Admission::kInvalid);
  EXPECT_EQ(accept(mark, {kSequenceMax + 1, 1, 0, 1}), Admission::kInvalid);
  EXPECT_EQ(accept(mark, {2, 1, ~uint64_t{0}, 1}), Admission::kInvalid);
  EXPECT_EQ(mark, before);
}

TEST(Stream, windows_that_overlap_counted_inferences_are_quarantined_but_acknowledged) {
  StreamWatermark mark;
  accept(mark, {1, 1, 0, 10});
  EXPECT_EQ(accept(mark, {2, 1, 5, 10}), Admission::kContradiction);
  EXPECT_EQ(ack(mark).cumulative, 2U);
  EXPECT_EQ(accept(mark, {2, 1, 5, 10}), Admission::kDuplicate);
  EXPECT_EQ(mark.counted_inferences, 10U);
  EXPECT_EQ(mark.quarantined_windows, 1U);
}

TEST(Stream, quarantined_windows_are_acknowledged_and_show_as_missing) {
  StreamWatermark mark;
  EXPECT_EQ(quarantine(mark, window(1)), Admission::kNew);
  EXPECT_EQ(quarantine(mark, window(1)), Admission::kDuplicate);
  EXPECT_EQ(accept(mark, window(2)), Admission::kNew);
  EXPECT_EQ(ack(mark), (StreamAck{2, 0}));
  EXPECT_EQ(missing_inferences(mark), 10U);
}

// A device that holds at most 4 unacknowledged windows and resends oldest first, over a network
// that loses, repeats, delays and reorders in both directions. Whatever happens: each window once.
TEST(Stream, property_every_window_of_a_resending_device_is_counted_exactly_once) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    StreamWatermark mark;
    std::map<uint64_t, int> counted;
    std::map<uint64_t, WindowNumber> held;
    std::vector<WindowNumber> up;
    std::vector<StreamAck> down;
    uint64_t made = 0;
    uint64_t inferences = 0;
    const uint64_t goal = 60 + random.below(100);
    const double loss = 0.5 * random.uniform();
    for (int tick = 0; tick < 20'000 && (made < goal || !held.empty()); ++tick) {
      if (made < goal && held.size() < 4) {
        const uint64_t n = random.below(20);
        ++made;
        const uint64_t base = held.empty() ? made : held.begin()->first;
        held[made] = {made, base, inferences, n};
        inferences += n;
      }
      for (const auto& [seq, number] : held) {
        if (random.chance(0.6)) up.push_back(number);
      }
      random.shuffle(up);
      while (!up.empty() && random.chance(0.7)) {
        const WindowNumber number = up.back();
        if (!random.chance(0.3)) up.pop_back();  // else the network repeats it later
        if (random.chance(loss)) continue;
        if (accept(mark, number) == Admission::kNew) ++counted[number.seq];
        if (!random.chance(loss)) down.push_back(ack(mark));
      }
      if (up.size() > 200) up.resize(100);
      random.shuffle(down);
      while (!down.empty() && random.chance(0.8)) {
        const StreamAck a = down.back();
        down.pop_back();
        std::erase_if(held, [&](const auto& entry) {
          const uint64_t seq = entry.first;
          return seq <= a.cumulative ||
                 (seq - a.cumulative <= 64 && ((a.bitmap >> (seq - a.cumulative - 1)) & 1) != 0);
        });
      }
    }
    ASSERT_TRUE(held.empty()) << "seed " << seed;
    ASSERT_EQ(counted.size(), goal) << "seed " << seed;
    for (const auto& [seq, times] : counted) ASSERT_EQ(times, 1) << "seed " << seed << " " << seq;
    ASSERT_EQ(mark.counted_inferences, inferences) << "seed " << seed;
    ASSERT_EQ(mark.lost_windows, 0U) << "seed " << seed;
    ASSERT_EQ(missing_inferences(mark), 0U);
  }
}

// Any permutation with duplicates, any true bases: never twice, and every window is received, lost
// or still open; the books balance at every step.
TEST(Stream, property_books_balance_under_loss) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const uint64_t windows = 20 + random.below(300);
    std::vector<WindowNumber> sent;
    for (uint64_t seq = 1; seq <= windows; ++seq) {
      if (random.chance(0.2)) continue;  // the device lost it
      const uint64_t base = seq - random.below(std::min<uint64_t>(seq, 5));
      sent.push_back(window(seq, base));
      if (random.chance(0.3)) sent.push_back(sent.back());
    }
    const uint64_t stretch = 1 + random.below(120);
    for (size_t i = 0; i + 1 < sent.size(); ++i) {
      std::swap(sent[i], sent[std::min<size_t>(i + random.below(stretch), sent.size() - 1)]);
    }
    StreamWatermark mark;
    std::set<uint64_t> counted;
    for (const WindowNumber& number : sent) {
      const Admission admission = accept(mark, number);
      if (admission == Admission::kNew) {
        ASSERT_TRUE(counted.insert(number.seq).second) << "seed " << seed << " seq " << number.seq;
      } else if (admission == Admission::kDuplicate) {
        ASSERT_TRUE(counted.contains(number.seq)) << "seed " << seed << " seq " << number.seq;
      } else {
        ASSERT_EQ(admission, Admission::kTooOld);
      }
      uint64_t below = 0;
      for (const uint64_t seq : counted) below += seq <= mark.cumulative ? 1 : 0;
      ASSERT_EQ(below + mark.lost_windows, mark.cumulative) << "seed " << seed;
      ASSERT_LE(mark.gaps.size(), kGapsMax);
    }
    ASSERT_EQ(mark.counted_inferences, 10 * counted.size());
    ASSERT_EQ(mark.received_windows, counted.size());
  }
}

}  // namespace
}  // namespace covey::monitoring
