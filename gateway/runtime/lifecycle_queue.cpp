// SPDX-License-Identifier: Apache-2.0
#include "gateway/runtime/lifecycle_queue.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/assert.hpp"
#include "core/limits.hpp"

namespace covey::runtime {
namespace {

using engine::ByeMessage;
using engine::EnrollReceived;
using engine::Event;
using engine::FetchMessage;
using engine::FromDevice;
using engine::HelloMessage;
using engine::StatusMessage;

// A hello, a status, a bye, and a fetch for each of its models: an honest device has less.
constexpr size_t kOfOneDeviceMax = 2 * kModelsPerDeviceMax + 4;

struct KindOf {
  using K = LifecycleKind;
  K operator()(const HelloMessage&) const { return K::kHello; }
  K operator()(const StatusMessage&) const { return K::kStatus; }
  K operator()(const FetchMessage&) const { return K::kFetch; }
  K operator()(const ByeMessage&) const { return K::kBye; }
};

LifecycleKind kind_of(const Event& event) {
  if (const auto* said = std::get_if<FromDevice>(&event))
    return std::visit(KindOf{}, said->message);
  return LifecycleKind::kEnroll;
}

const DeviceId& device_of(const Event& event) {
  if (const auto* said = std::get_if<FromDevice>(&event)) return said->device;
  return std::get<EnrollReceived>(event).device;
}

// Both are about the same: then one of them is enough. Two boots, two models or two nonces are not:
// somebody else may use the device's name, and the engine must see both.
bool about_the_same(const Event& older, const Event& newer) {
  const auto* a = std::get_if<FromDevice>(&older);
  const auto* b = std::get_if<FromDevice>(&newer);
  if (a == nullptr || b == nullptr) {
    return std::get<EnrollReceived>(older).message.nonce ==
           std::get<EnrollReceived>(newer).message.nonce;
  }
  struct Same {
    const FromDevice& newer;
    bool operator()(const HelloMessage& m) const {
      return m.boot_id == std::get<HelloMessage>(newer.message).boot_id;
    }
    bool operator()(const StatusMessage& m) const {
      return m.boot_id == std::get<StatusMessage>(newer.message).boot_id;
    }
    bool operator()(const FetchMessage& m) const {
      return m.manifest == std::get<FetchMessage>(newer.message).manifest;
    }
    bool operator()(const ByeMessage& m) const {
      const auto& bye = std::get<ByeMessage>(newer.message);
      return m.boot_id == bye.boot_id && m.connection == bye.connection;
    }
  };
  return a->shard == b->shard && std::visit(Same{*b}, a->message);
}

// Of two statuses the higher number counts, whichever came first.
bool is_older(const Event& arriving, const Event& waiting) {
  const auto* a = std::get_if<FromDevice>(&arriving);
  if (a == nullptr || !std::holds_alternative<StatusMessage>(a->message)) return false;
  const auto& b = std::get<FromDevice>(waiting);
  return std::get<StatusMessage>(a->message).number < std::get<StatusMessage>(b.message).number;
}

LifecycleDrop full(LifecycleKind kind) {
  static_assert(kLifecycleDrops - kLifecycleKinds == 3);
  return static_cast<LifecycleDrop>(3 + static_cast<size_t>(kind));
}

}  // namespace

std::string_view to_string(LifecycleDrop drop) {
  switch (drop) {
    case LifecycleDrop::kRepeated:
      return "repeated";
    case LifecycleDrop::kGone:
      return "gone";
    case LifecycleDrop::kShare:
      return "share";
    case LifecycleDrop::kFullEnroll:
      return "full_enroll";
    case LifecycleDrop::kFullHello:
      return "full_hello";
    case LifecycleDrop::kFullFetch:
      return "full_fetch";
    case LifecycleDrop::kFullStatus:
      return "full_status";
    case LifecycleDrop::kFullBye:
      return "full_bye";
  }
  return "unknown";
}

bool LifecycleQueue::push(Event&& event) {
  const LifecycleKind kind = kind_of(event);
  const DeviceId id = device_of(event);
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  if (const auto known = devices_.find(id); known != devices_.end()) {
    if (replaces(*known, kind, event)) return true;
    if (kind == LifecycleKind::kBye) forget_fetches(*known);
    if (known->second.messages.size() >= kOfOneDeviceMax) {
      count(LifecycleDrop::kShare);
      return false;
    }
  }
  if (size_ >= capacity_ && !make_room(kind)) {
    count(full(kind));
    return false;
  }
  const auto [found, fresh] = devices_.try_emplace(id);
  if (fresh) found->second.turn = turns_.insert(turns_.end(), &*found);
  append(*found, kind, std::move(event));
  return true;
}

// What waits says as much as `event`, or does so now. The device keeps its turn, and its messages
// their order: the newer one stands where it came.
bool LifecycleQueue::replaces(Entry& device, LifecycleKind kind, Event& event) {
  std::deque<Message>& messages = device.second.messages;
  const auto same = std::ranges::find_if(messages, [&](const Message& message) {
    return message.kind == kind && about_the_same(message.event, event);
  });
  if (same == messages.end()) return false;
  count(LifecycleDrop::kRepeated);
  if (is_older(event, same->event)) return true;
  erase(device, same);
  append(device, kind, std::move(event));
  return true;
}

void LifecycleQueue::forget_fetches(Entry& device) {
  std::deque<Message>& messages = device.second.messages;
  const auto is_fetch = [](const Message& message) {
    return message.kind == LifecycleKind::kFetch;
  };
  for (auto next = messages.begin(); next != messages.end();) {
    if (is_fetch(*next)) {
      count(LifecycleDrop::kGone);
      next = erase(device, next);
    } else {
      ++next;
    }
  }
}

// The newest of what is less useful than `kind`. False: there is nothing.
bool LifecycleQueue::make_room(LifecycleKind kind) {
  for (size_t less = 0; less < static_cast<size_t>(kind); ++less) {
    if (of_kind_[less].empty()) continue;
    Entry& device = *of_kind_[less].back();
    std::deque<Message>& messages = device.second.messages;
    const auto newest =
        std::ranges::find_if(messages.rbegin(), messages.rend(),
                             [&](const Message& m) { return static_cast<size_t>(m.kind) == less; });
    COVEY_ASSERT(newest != messages.rend());
    count(full(newest->kind));
    erase(device, std::prev(newest.base()));
    forget_if_silent(device);
    return true;
  }
  return false;
}

void LifecycleQueue::append(Entry& device, LifecycleKind kind, Event&& event) {
  std::list<Entry*>& same = of_kind_[static_cast<size_t>(kind)];
  device.second.messages.push_back({std::move(event), kind, same.insert(same.end(), &device)});
  ++size_;
}

std::deque<LifecycleQueue::Message>::iterator LifecycleQueue::erase(
    Entry& device, const std::deque<Message>::iterator& message) {
  of_kind_[static_cast<size_t>(message->kind)].erase(message->place);
  --size_;
  return device.second.messages.erase(message);
}

void LifecycleQueue::forget_if_silent(Entry& device) {
  if (!device.second.messages.empty()) return;
  turns_.erase(device.second.turn);
  devices_.erase(devices_.find(device.first));
}

std::deque<Event> LifecycleQueue::pop_some(size_t limit) {
  const std::lock_guard lock(mutex_);
  std::deque<Event> taken;
  while (taken.size() < limit && !turns_.empty()) {
    Entry& device = *turns_.front();
    taken.push_back(std::move(device.second.messages.front().event));
    erase(device, device.second.messages.begin());
    forget_if_silent(device);
  }
  return taken;
}

void LifecycleQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

size_t LifecycleQueue::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

std::array<uint64_t, kLifecycleDrops> LifecycleQueue::drops() const {
  const std::lock_guard lock(mutex_);
  return drops_;
}

}  // namespace covey::runtime
