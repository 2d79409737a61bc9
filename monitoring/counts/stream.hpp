// SPDX-License-Identifier: Apache-2.0
// Exactly-once bookkeeping for one stream = (boot id, artifact digest)
// (docs/design/device-wire.md, "Telemetry streams"). Windows are numbered 1, 2, ... and resent
// byte-identical until acknowledged. The mark is stored in the same transaction as the merge of the
// window it admits; then no order, duplication, delay or crash counts a window twice. What is
// missing is a measured gap, never a wedge.
// Thread safety: values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace covey::monitoring {

constexpr uint64_t kSequenceMax = uint64_t{1} << 48;
constexpr size_t kGapsMax = 8;
// Windows that a stream may leave out at once; a larger leap begins it anew, without a loss.
inline constexpr uint64_t kSequenceStepMax = 100'000;

struct Gap {
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive

  bool operator==(const Gap&) const = default;
};

struct StreamWatermark {
  uint64_t cumulative = 0;  // every window up to here was received or is a measured loss
  uint64_t bitmap = 0;      // bit i: window cumulative + 1 + i was received
  std::vector<Gap> gaps;  // newest kGapsMax losses below `cumulative`, ascending; may still arrive
  uint64_t lost_windows = 0;
  uint64_t quarantined_windows = 0;
  uint64_t received_windows = 0;
  uint64_t counted_inferences = 0;
  uint64_t reached_inferences = 0;  // highest running number any window of this stream showed

  bool operator==(const StreamWatermark&) const = default;
};

// The numbers a report carries about itself.
struct WindowNumber {
  uint64_t seq = 0;                // 1, 2, ...
  uint64_t base_seq = 1;           // oldest window the device still holds; never above seq
  uint64_t inferences_before = 0;  // of this stream, before this window
  uint64_t inferences = 0;         // in this window
};

enum class Admission : uint8_t {
  kNew,            // merge the counts; the mark has moved
  kDuplicate,      // merged before; acknowledge again
  kTooOld,         // a loss so old that its gap was forgotten: not merged, acknowledge again
  kInvalid,        // numbers that no device sends; the mark is untouched; quarantine
  kContradiction,  // overlaps inferences that were counted; recorded as quarantined; acknowledge
};
std::string_view to_string(Admission admission);

// Moves the mark for a window whose counts passed check(). Merge the counts exactly on kNew.
Admission accept(StreamWatermark& mark, const WindowNumber& window);
// Moves the mark for a window whose counts failed check(): seen and acknowledged (it would be
// resent for ever), not counted. kNew: it was recorded as quarantined now.
Admission quarantine(StreamWatermark& mark, const WindowNumber& window);

// What goes into down/ack for this stream.
struct StreamAck {
  uint64_t cumulative = 0;
  uint64_t bitmap = 0;

  bool operator==(const StreamAck&) const = default;
};
StreamAck ack(const StreamWatermark& mark);

// Inferences the device made in this stream that no counted window holds (so far): in flight, lost
// or quarantined. Zero is the exactly-once proof up to reached_inferences.
uint64_t missing_inferences(const StreamWatermark& mark);

}  // namespace covey::monitoring
