// SPDX-License-Identifier: Apache-2.0
// A Store in memory, for tests and the deterministic simulator: the same answers as SqliteStore
// (tests/unit/storage/contract_test.cpp), nothing survives the process. A copy is a snapshot of
// everything committed. Thread safety: internally locked. A Reader must not outlive its store.
// Errors: STORE_IO, only where fail_next() asked for it; UNSUPPORTED of backup().
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/store.hpp"

namespace covey {

namespace memory {

// Rows in the order in which their keys first appeared; a replaced row keeps its place.
template <typename Key, typename Record>
struct InsertionOrdered {
  std::map<Key, uint64_t> places;
  std::map<uint64_t, Record> rows;
  uint64_t next = 0;

  void put(Key key, const Record& record) {
    const auto [place, added] = places.try_emplace(std::move(key), next);
    if (added) ++next;
    rows.insert_or_assign(place->second, record);
  }
  std::optional<Record> find(const Key& key) const {
    const auto place = places.find(key);
    if (place == places.end()) return std::nullopt;
    return rows.at(place->second);
  }
  void remove(const Key& key) {
    const auto place = places.find(key);
    if (place == places.end()) return;
    rows.erase(place->second);
    places.erase(place);
  }
  template <typename Condition>
  void remove_if(const Condition& condition) {
    std::erase_if(rows, [&](const auto& row) { return condition(row.second); });
    std::erase_if(places, [&](const auto& place) { return !rows.contains(place.second); });
  }
};

using InferenceKey = std::tuple<DeviceId, uint64_t, uint64_t>;  // device, boot id, inference

struct Tables {
  SiteRecord site;
  std::map<uint32_t, SiteSecretRecord> secrets;
  std::map<DeviceId, Device> devices;
  std::map<Bytes, RevokedCertificate> revoked;
  std::map<ClaimName, ClaimRecord> claims;
  std::map<ClaimName, ClaimIdsRecord> claim_ids;
  std::map<std::string, AuthorityRecord> authorities;
  std::map<std::string, TrustedKeyRecord> trusted_keys;
  std::map<uint32_t, RootRecord> roots;
  std::map<std::string, TokenRecord> tokens;
  std::map<ReleaseId, ReleaseRecord> releases;
  std::map<RolloutName, std::shared_ptr<const RolloutPlan>> rollout_plans;
  std::map<RolloutName, RolloutProgress> rollouts;
  std::map<std::pair<RolloutName, uint32_t>, GateRecord> gates;
  std::map<uint64_t, Deployment> deployments;
  std::map<uint64_t, Deployment> past_deployments;
  // rollout, stage, rollback, state
  std::map<std::tuple<RolloutName, uint32_t, bool, std::string>, CountRecord> counts;
  std::map<uint64_t, AssignmentRecord> assignments;
  std::map<std::string, RequestRecord> requests;
  std::map<std::tuple<DeviceId, uint64_t, Digest>, StreamRecord> streams;
  std::map<std::tuple<DeviceId, Digest, Cohort>, TotalRecord> totals;
  // manifest, index, length, cohort, device
  std::map<std::tuple<Digest, int64_t, Millis, Cohort, DeviceId>, WindowRecord> windows;
  InsertionOrdered<InferenceKey, SampleRecord> samples;
  InsertionOrdered<InferenceKey, LabelRecord> labels;
  std::map<std::tuple<Digest, DeviceId, Millis>, LabelTallyRecord> tallies;
  std::map<std::pair<monitoring::AlertKey, uint64_t>, monitoring::Alert> alerts;
  std::vector<ReportRecord> reports;
  std::map<uint64_t, EventRecord> events;
  std::map<uint64_t, AuditRecord> audit;
};

}  // namespace memory

class MemoryStore final : public Store {
 public:
  MemoryStore() = default;
  MemoryStore(const MemoryStore& other);
  MemoryStore& operator=(const MemoryStore& other);

  Status commit(std::span<const Write> writes) override;
  Result<Snapshot> load(const LoadLimits& limits) override;
  Status replay(uint64_t position, const std::function<Status(const ReportRecord&)>& each) override;
  Result<std::unique_ptr<Reader>> reader() override;
  Condition condition() const override { return {}; }
  Status backup(const std::filesystem::path& to) override;  // UNSUPPORTED: copy the object

  // The next `commits` commits change nothing and fail.
  void fail_next(size_t commits);
  // Archived ones too, by number.
  std::vector<Deployment> deployments() const;
  // Accepted reports, oldest first.
  std::vector<ReportRecord> reports() const;
  uint64_t commits() const;  // that succeeded
  // What `look` makes of the tables as they are; no other call comes between.
  template <typename Look>
  auto look(const Look& look) const {
    const std::lock_guard lock(mutex_);
    return look(tables_);
  }

 private:
  friend class MemoryReader;

  mutable std::mutex mutex_;
  memory::Tables tables_;
  size_t failures_ = 0;
  uint64_t commits_ = 0;
};

}  // namespace covey
