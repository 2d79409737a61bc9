// SPDX-License-Identifier: Apache-2.0
#include "monitoring/counts/stream.hpp"

#include <algorithm>
#include <bit>

#include "monitoring/counts/counts.hpp"

namespace covey::monitoring {
namespace {

constexpr uint64_t kWidth = 64;

void lose(StreamWatermark& mark, uint64_t first, uint64_t last) {
  mark.lost_windows = add_saturating(mark.lost_windows, last - first + 1);
  if (!mark.gaps.empty() && mark.gaps.back().last + 1 == first) {
    mark.gaps.back().last = last;
    return;
  }
  if (mark.gaps.size() == kGapsMax) mark.gaps.erase(mark.gaps.begin());
  mark.gaps.push_back({first, last});
}

// One window leaves the front of the bitmap: received, or lost.
void advance_one(StreamWatermark& mark) {
  if ((mark.bitmap & 1) == 0) lose(mark, mark.cumulative + 1, mark.cumulative + 1);
  mark.bitmap >>= 1;
  ++mark.cumulative;
}

void advance_to(StreamWatermark& mark, uint64_t cumulative) {
  while (mark.cumulative < cumulative && mark.bitmap != 0) advance_one(mark);
  if (mark.cumulative < cumulative) {
    lose(mark, mark.cumulative + 1, cumulative);
    mark.cumulative = cumulative;
  }
}

// Nobody can say what was lost in between, and a number that a device chose is not believed to be a
// loss of billions.
void begin_anew_after_a_leap(StreamWatermark& mark, const WindowNumber& window) {
  const uint64_t first = std::max(window.base_seq, window.seq - std::min(window.seq, kWidth) + 1);
  if (first <= mark.cumulative + kSequenceStepMax) return;
  mark.cumulative = first - 1;
  mark.bitmap = 0;
  mark.gaps.clear();
}

void absorb_received(StreamWatermark& mark) {
  const int run = std::countr_one(mark.bitmap);
  mark.bitmap = run == 64 ? 0 : mark.bitmap >> run;
  mark.cumulative += static_cast<uint64_t>(run);
}

// Takes a late window out of the gap that holds it. A split may push the oldest gap out.
void fill(StreamWatermark& mark, std::vector<Gap>::iterator gap, uint64_t seq) {
  --mark.lost_windows;
  if (gap->first == gap->last) {
    mark.gaps.erase(gap);
  } else if (seq == gap->first) {
    ++gap->first;
  } else if (seq == gap->last) {
    --gap->last;
  } else {
    const Gap upper{seq + 1, gap->last};
    gap->last = seq - 1;
    mark.gaps.insert(gap + 1, upper);
    if (mark.gaps.size() > kGapsMax) mark.gaps.erase(mark.gaps.begin());
  }
}

bool valid(const WindowNumber& window) {
  return window.seq >= 1 && window.seq <= kSequenceMax && window.base_seq >= 1 &&
         window.base_seq <= window.seq &&
         window.inferences_before <= ~uint64_t{0} - window.inferences;
}

// Marks a window as seen, if it was not.
Admission see(StreamWatermark& mark, const WindowNumber& window) {
  if (!valid(window)) return Admission::kInvalid;
  const uint64_t seq = window.seq;
  // A window below the mark says nothing new about the base: it was frozen before.
  if (seq > mark.cumulative) {
    begin_anew_after_a_leap(mark, window);
    if (window.base_seq > mark.cumulative + 1) advance_to(mark, window.base_seq - 1);
    if (seq > mark.cumulative + kWidth) advance_to(mark, seq - kWidth);
  }
  if (seq > mark.cumulative) {
    const uint64_t bit = uint64_t{1} << (seq - mark.cumulative - 1);
    const bool seen = (mark.bitmap & bit) != 0;
    mark.bitmap |= bit;
    absorb_received(mark);
    return seen ? Admission::kDuplicate : Admission::kNew;
  }
  const auto gap = std::find_if(mark.gaps.begin(), mark.gaps.end(),
                                [&](const Gap& g) { return g.first <= seq && seq <= g.last; });
  if (gap != mark.gaps.end()) {
    fill(mark, gap, seq);
    return Admission::kNew;
  }
  // Below the oldest gap that is remembered, a loss cannot be told from a duplicate.
  uint64_t remembered = 0;
  for (const Gap& g : mark.gaps) remembered += g.last - g.first + 1;
  const bool forgotten =
      mark.lost_windows > remembered && (mark.gaps.empty() || seq < mark.gaps.front().first);
  return forgotten ? Admission::kTooOld : Admission::kDuplicate;
}

}  // namespace

std::string_view to_string(Admission admission) {
  switch (admission) {
    case Admission::kNew:
      return "NEW";
    case Admission::kDuplicate:
      return "DUPLICATE";
    case Admission::kTooOld:
      return "TOO_OLD";
    case Admission::kInvalid:
      return "INVALID";
    case Admission::kContradiction:
      return "CONTRADICTION";
  }
  return "INVALID";
}

Admission accept(StreamWatermark& mark, const WindowNumber& window) {
  const Admission admission = see(mark, window);
  if (admission != Admission::kNew) return admission;
  const uint64_t reached =
      std::max(mark.reached_inferences, window.inferences_before + window.inferences);
  const uint64_t counted = add_saturating(mark.counted_inferences, window.inferences);
  if (counted > reached) {
    ++mark.quarantined_windows;
    return Admission::kContradiction;
  }
  ++mark.received_windows;
  mark.reached_inferences = reached;
  mark.counted_inferences = counted;
  return Admission::kNew;
}

Admission quarantine(StreamWatermark& mark, const WindowNumber& window) {
  const Admission admission = see(mark, window);
  if (admission == Admission::kNew) ++mark.quarantined_windows;
  return admission;
}

StreamAck ack(const StreamWatermark& mark) { return {mark.cumulative, mark.bitmap}; }

uint64_t missing_inferences(const StreamWatermark& mark) {
  return mark.reached_inferences - mark.counted_inferences;
}

}  // namespace covey::monitoring
