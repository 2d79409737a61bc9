// SPDX-License-Identifier: Apache-2.0
// What devices say of themselves and what waits for the engine, device by device: each has one
// place in the line, kept however often it speaks, and its messages are taken in the order in which
// they came. What has lost its meaning while it waits goes: the older of two hellos, statuses or
// fetches that say the same of a newer state, and the fetch of a device that has gone. When the
// line is full, the newest message of the least useful kind goes, an enrolment first, what a
// running transfer needs last (docs/adr/0035-what-goes-when-the-inbox-is-full.md).
// Everything that goes has its reason and is counted; devices say it again.
// Thread safety: every method from any thread; one thread takes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "core/id.hpp"
#include "gateway/engine/events.hpp"

namespace covey::runtime {

// The least useful first. An enrolment is repeated by somebody who is no member yet; a hello by one
// who does nothing until it is answered; a bye by nobody.
enum class LifecycleKind : uint8_t { kEnroll, kHello, kFetch, kStatus, kBye };
inline constexpr size_t kLifecycleKinds = 5;

enum class LifecycleDrop : uint8_t {
  kRepeated,    // the device said it again before its turn came
  kGone,        // a fetch whose device went offline meanwhile
  kShare,       // more than one device may have in line
  kFullEnroll,  // no room, and nothing that is less useful waits
  kFullHello,
  kFullFetch,
  kFullStatus,
  kFullBye,
};
inline constexpr size_t kLifecycleDrops = 8;
std::string_view to_string(LifecycleDrop drop);  // "repeated", "gone", ..., "full_enroll", ...

class LifecycleQueue {
 public:
  explicit LifecycleQueue(size_t capacity) : capacity_(capacity) {}

  // FromDevice or EnrollReceived. False: it does not wait (full, its device's share, or closed).
  // True: it does, or what waits says as much.
  [[nodiscard]] bool push(engine::Event&& event);
  // At most `limit`.
  std::deque<engine::Event> pop_some(size_t limit);
  void close();

  size_t size() const;
  size_t capacity() const { return capacity_; }
  // By LifecycleDrop.
  std::array<uint64_t, kLifecycleDrops> drops() const;

 private:
  struct Device;
  using Entry = std::pair<const DeviceId, Device>;  // of devices_, whose addresses are stable
  struct Message {
    engine::Event event;
    LifecycleKind kind;
    std::list<Entry*>::iterator place;  // in of_kind_
  };
  struct Device {
    std::deque<Message> messages;      // in the order in which they came
    std::list<Entry*>::iterator turn;  // in turns_
  };

  bool replaces(Entry& device, LifecycleKind kind, engine::Event& event);
  void forget_fetches(Entry& device);
  bool make_room(LifecycleKind kind);
  void append(Entry& device, LifecycleKind kind, engine::Event&& event);
  std::deque<Message>::iterator erase(Entry& device, const std::deque<Message>::iterator& message);
  void forget_if_silent(Entry& device);
  void count(LifecycleDrop drop) { ++drops_[static_cast<size_t>(drop)]; }

  const size_t capacity_;
  mutable std::mutex mutex_;                                // guards what follows
  std::unordered_map<DeviceId, Device> devices_;            // that have messages here
  std::list<Entry*> turns_;                                 // each of devices_ once
  std::array<std::list<Entry*>, kLifecycleKinds> of_kind_;  // each message, the newest last
  std::array<uint64_t, kLifecycleDrops> drops_{};
  size_t size_ = 0;
  bool closed_ = false;
};

}  // namespace covey::runtime
