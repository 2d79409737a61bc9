// SPDX-License-Identifier: Apache-2.0
// A MemoryStore whose commits wait for permission, so that a test decides what is durable when.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "gateway/engine/engine.hpp"
#include "gateway/runtime/runtime.hpp"
#include "storage/memory/memory_store.hpp"

namespace covey::test {

class GatedStore final : public Store {
 public:
  GatedStore() {
    const std::vector<Write> first = engine::new_site(Bytes(32), Millis{0});
    COVEY_ASSERT(memory.commit(first).ok());
  }
  Status commit(std::span<const Write> writes) override {
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
      --waiting_;
      rows_at_once_ = std::max(rows_at_once_, writes.size());
    }
    return memory.commit(writes);
  }
  Result<Snapshot> load(const LoadLimits& limits) override { return memory.load(limits); }
  Status replay(uint64_t position,
                const std::function<Status(const ReportRecord&)>& each) override {
    return memory.replay(position, each);
  }
  Result<std::unique_ptr<Reader>> reader() override { return memory.reader(); }
  Condition condition() const override { return memory.condition(); }
  Status backup(const std::filesystem::path& to) override { return memory.backup(to); }

  void open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  // Until a commit stands at the closed gate.
  void wait_for_commit() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

  // Of the largest commit so far.
  size_t rows_at_once() {
    const std::lock_guard lock(mutex_);
    return rows_at_once_;
  }

  MemoryStore memory;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;         // guarded by mutex_
  int waiting_ = 0;          // guarded by mutex_
  size_t rows_at_once_ = 0;  // guarded by mutex_
};

inline engine::Engine load_engine(Store& store) {
  Result<Snapshot> snapshot = store.load({});
  COVEY_ASSERT(snapshot.ok());
  Result<engine::Engine> engine =
      engine::Engine::load(*std::move(snapshot), engine::EngineConfig{}, Now{}, nullptr);
  COVEY_ASSERT(engine.ok());
  return *std::move(engine);
}

inline engine::EnrollReceived enroll(const std::string& id) {
  DeviceFacts facts;
  facts.device_class = DeviceClass("m4");
  return {DeviceId(id), {DeviceId(id), 1, facts, {ModelName("bearing")}}};
}
inline engine::CommandRequest accept_all() {
  return {engine::AcceptDevices{{.ids = {}, .filter = "", .all = true}}, "alice", ""};
}

}  // namespace covey::test
