// SPDX-License-Identifier: Apache-2.0
#include "storage/memory/memory_store.hpp"

#include <algorithm>
#include <iterator>

namespace covey {
namespace {

// One overload per Write: a new kind is a compile error here.
class Applier {
 public:
  explicit Applier(memory::Tables& tables) : t_(tables) {}

  void operator()(const PutSite& w) { t_.site = w.site; }
  void operator()(const PutDevice& w) { t_.devices.insert_or_assign(w.device.id, w.device); }
  void operator()(const ForgetDevice& w) {
    t_.devices.erase(w.device);
    const auto of_device = [&](const auto& row) { return row.second.device == w.device; };
    std::erase_if(t_.streams, of_device);
    std::erase_if(t_.totals, of_device);
    t_.samples.remove_if([&](const SampleRecord& row) { return row.device == w.device; });
    t_.labels.remove_if([&](const LabelRecord& row) { return row.device == w.device; });
    std::erase_if(t_.tallies, of_device);
  }
  void operator()(const ForgetRollout& w) {
    t_.rollouts.erase(w.rollout);
    t_.rollout_plans.erase(w.rollout);
    std::erase_if(t_.gates, [&](const auto& row) { return row.first.first == w.rollout; });
    std::erase_if(t_.counts, [&](const auto& row) { return std::get<0>(row.first) == w.rollout; });
    std::erase_if(t_.events, [&](const auto& row) { return row.second.rollout == w.rollout; });
    std::erase_if(t_.past_deployments,
                  [&](const auto& row) { return row.second.rollout == w.rollout; });
  }
  void operator()(const PutRevoked& w) {
    t_.revoked.insert_or_assign(w.certificate.serial, w.certificate);
  }
  void operator()(const ForgetRevoked& w) { t_.revoked.erase(w.serial); }
  void operator()(const PutSiteSecret& w) {
    t_.secrets.insert_or_assign(w.secret.number, w.secret);
  }
  void operator()(const RemoveSiteSecret& w) { t_.secrets.erase(w.number); }
  void operator()(const PutClaim& w) { t_.claims.insert_or_assign(w.claim.name, w.claim); }
  void operator()(const PutClaimIds& w) { t_.claim_ids.insert_or_assign(w.claim.name, w.claim); }
  void operator()(const PutAuthority& w) {
    t_.authorities.insert_or_assign(w.authority.name, w.authority);
  }
  void operator()(const RemoveAuthority& w) { t_.authorities.erase(w.name); }
  void operator()(const PutTrustedKey& w) { t_.trusted_keys.insert_or_assign(w.key.key_id, w.key); }
  void operator()(const RemoveTrustedKey& w) { t_.trusted_keys.erase(w.key_id); }
  void operator()(const PutRoot& w) { t_.roots.insert_or_assign(w.root.version, w.root); }
  void operator()(const PutToken& w) { t_.tokens.insert_or_assign(w.token.name, w.token); }
  void operator()(const RemoveToken& w) { t_.tokens.erase(w.name); }
  void operator()(const PutRelease& w) { t_.releases.insert_or_assign(w.release.id, w.release); }
  void operator()(const PutRolloutPlan& w) {
    t_.rollout_plans.insert_or_assign(w.plan->name, w.plan);
  }
  void operator()(const PutRolloutProgress& w) {
    t_.rollouts.insert_or_assign(w.rollout, w.progress);
  }
  void operator()(const PutGates& w) {
    t_.gates.insert_or_assign({w.gates.rollout, w.gates.stage}, w.gates);
  }
  void operator()(const PutDeployment& w) {
    t_.deployments.insert_or_assign(w.deployment.number, w.deployment);
  }
  void operator()(const ArchiveDeployment& w) {
    const auto found = t_.deployments.find(w.number);
    if (found == t_.deployments.end()) return;
    t_.past_deployments.insert_or_assign(w.number, std::move(found->second));
    t_.deployments.erase(found);
  }
  void operator()(const PutCount& w) {
    const CountRecord& row = w.count;
    t_.counts.insert_or_assign({row.rollout, row.stage, row.rollback, row.state}, row);
  }
  void operator()(const PutAssignment& w) {
    t_.assignments.insert_or_assign(w.assignment.number, w.assignment);
  }
  void operator()(const RemoveAssignment& w) { t_.assignments.erase(w.number); }
  void operator()(const PutRequest& w) {
    t_.requests.insert_or_assign(w.request.request_id, w.request);
  }
  void operator()(const RemoveRequest& w) { t_.requests.erase(w.request_id); }
  void operator()(const PutStream& w) {
    t_.streams.insert_or_assign({w.stream.device, w.stream.boot_id, w.stream.manifest}, w.stream);
  }
  void operator()(const RemoveStream& w) { t_.streams.erase({w.device, w.boot_id, w.manifest}); }
  void operator()(const PutTotal& w) {
    t_.totals.insert_or_assign({w.total.device, w.total.manifest, w.total.cohort}, w.total);
  }
  void operator()(const RemoveTotal& w) { t_.totals.erase({w.device, w.manifest, w.cohort}); }
  void operator()(const PutWindow& w) {
    const WindowRecord& row = w.window;
    t_.windows.insert_or_assign({row.manifest, row.index, row.length, row.cohort, row.device}, row);
  }
  void operator()(const PutSample& w) {
    t_.samples.put({w.sample.device, w.sample.boot_id, w.sample.inference}, w.sample);
  }
  void operator()(const PutLabel& w) {
    t_.labels.put({w.label.device, w.label.boot_id, w.label.inference}, w.label);
  }
  void operator()(const RemoveLabel& w) { t_.labels.remove({w.device, w.boot_id, w.inference}); }
  void operator()(const PutLabelTally& w) {
    t_.tallies.insert_or_assign({w.tally.manifest, w.tally.device, w.tally.start}, w.tally);
  }
  void operator()(const PutAlert& w) {
    t_.alerts.insert_or_assign({w.alert.key, w.alert.episode}, w.alert);
  }
  void operator()(const AppendReport& w) { t_.reports.push_back(w.report); }
  void operator()(const AppendEvent& w) { t_.events.emplace(w.event.sequence, w.event); }
  void operator()(const AppendAudit& w) { t_.audit.emplace(w.entry.sequence, w.entry); }
  void operator()(const Forget& w) {
    std::erase_if(t_.windows, [&](const auto& row) {
      const WindowRecord& window = row.second;
      return window.start + window.length <= w.windows_before || window.start > w.after;
    });
    const auto old = [&](Millis wall) { return wall < w.labels_before || wall > w.after; };
    t_.samples.remove_if([&](const SampleRecord& row) { return old(row.wall); });
    t_.labels.remove_if([&](const LabelRecord& row) { return old(row.wall); });
    std::erase_if(t_.tallies, [&](const auto& row) { return old(row.second.start); });
    std::erase_if(t_.alerts, [&](const auto& row) {
      return row.second.resolved_at && *row.second.resolved_at < w.alerts_before;
    });
    const auto stays = std::ranges::find_if(t_.past_deployments, [&](const auto& row) {
      return !row.second.rollout && row.second.update_wall >= w.attempts_before;
    });
    const uint64_t first = stays == t_.past_deployments.end() ? UINT64_MAX : stays->first;
    std::erase_if(t_.past_deployments,
                  [&](const auto& row) { return !row.second.rollout && row.first < first; });
    const auto kept = std::ranges::find_if(t_.audit, [&](const auto& row) {
      return row.first > w.audit_up_to && row.second.wall >= w.audit_before;
    });
    t_.audit.erase(t_.audit.begin(), kept);
    const auto end = std::ranges::find_if(t_.reports, [&](const ReportRecord& row) {
      return row.wall >= w.reports_before || row.position > t_.site.reports_settled;
    });
    t_.reports.erase(t_.reports.begin(), end);
  }

 private:
  memory::Tables& t_;
};

template <typename Map>
auto values_of(const Map& map) {
  std::vector<typename Map::mapped_type> values;
  values.reserve(map.size());
  for (const auto& [key, value] : map) values.push_back(value);
  return values;
}

// Records whose `wanted` holds, in page order. `rows` is ascending by sequence.
template <typename Record, typename Condition>
std::vector<Record> page_of(const std::map<uint64_t, Record>& rows, const Page& page,
                            const Condition& wanted) {
  std::vector<Record> found;
  const auto take = [&](auto row, auto end) {
    for (; row != end && found.size() < page.limit; ++row) {
      if (wanted(row->second)) found.push_back(row->second);
    }
  };
  const auto first = page.after == 0 ? rows.begin() : rows.upper_bound(page.after);
  const auto end = page.before == 0 ? rows.end() : rows.lower_bound(page.before);
  if (page.before != 0 && page.before <= page.after) return found;
  if (page.order == PageOrder::kOldestFirst) {
    take(first, end);
  } else {
    take(std::make_reverse_iterator(end), std::make_reverse_iterator(first));
  }
  return found;
}

}  // namespace

class MemoryReader final : public Reader {
 public:
  explicit MemoryReader(const MemoryStore& store) : store_(store) {}

  Result<std::vector<EventRecord>> events(const RolloutName& rollout, Page page) override {
    const std::lock_guard lock(store_.mutex_);
    return page_of(store_.tables_.events, page,
                   [&](const EventRecord& row) { return row.rollout == rollout; });
  }

  Result<std::vector<AuditRecord>> audit(Page page) override {
    const std::lock_guard lock(store_.mutex_);
    return page_of(store_.tables_.audit, page, [](const AuditRecord&) { return true; });
  }

  Result<std::vector<Deployment>> deployments(const RolloutName& rollout, uint64_t after,
                                              size_t limit) override {
    std::vector<Deployment> found;
    for (Deployment& row : store_.deployments()) {
      if (found.size() < limit && row.number > after && row.rollout == rollout) {
        found.push_back(std::move(row));
      }
    }
    return found;
  }

  Result<std::optional<RolloutPlan>> rollout_plan(const RolloutName& rollout) override {
    const std::lock_guard lock(store_.mutex_);
    const auto found = store_.tables_.rollout_plans.find(rollout);
    if (found == store_.tables_.rollout_plans.end()) return std::optional<RolloutPlan>();
    return std::optional<RolloutPlan>(*found->second);
  }

  Result<std::vector<WindowRecord>> windows(std::span<const Digest> manifests,
                                            const DeviceId& device, Page page) override {
    const std::lock_guard lock(store_.mutex_);
    std::vector<WindowRecord> found;
    for (const auto& [key, row] : store_.tables_.windows) {
      if (row.device != device) continue;
      if (std::ranges::find(manifests, row.manifest) == manifests.end()) continue;
      const auto start = static_cast<uint64_t>(row.start.count());
      if (page.before != 0 && start >= page.before) continue;
      if (page.after != 0 && start <= page.after) continue;
      found.push_back(row);
    }
    const bool oldest_first = page.order == PageOrder::kOldestFirst;
    std::ranges::stable_sort(found, [&](const WindowRecord& a, const WindowRecord& b) {
      return oldest_first ? a.start < b.start : a.start > b.start;
    });
    size_t end = std::min(page.limit, found.size());
    while (end > 0 && end < found.size() && found[end].start == found[end - 1].start) ++end;
    found.resize(end);
    return found;
  }

  Result<StoredInference> inference(const DeviceId& device, uint64_t boot_id,
                                    uint64_t inference) override {
    const std::lock_guard lock(store_.mutex_);
    const memory::InferenceKey key{device, boot_id, inference};
    StoredInference found;
    found.sample = store_.tables_.samples.find(key);
    found.label = store_.tables_.labels.find(key);
    return found;
  }

 private:
  const MemoryStore& store_;
};

MemoryStore::MemoryStore(const MemoryStore& other) {
  const std::lock_guard lock(other.mutex_);
  tables_ = other.tables_;
  failures_ = other.failures_;
  commits_ = other.commits_;
}

MemoryStore& MemoryStore::operator=(const MemoryStore& other) {
  if (this == &other) return *this;
  const std::scoped_lock lock(mutex_, other.mutex_);
  tables_ = other.tables_;
  failures_ = other.failures_;
  commits_ = other.commits_;
  return *this;
}

Status MemoryStore::commit(std::span<const Write> writes) {
  const std::lock_guard lock(mutex_);
  if (failures_ > 0) {
    --failures_;
    return Error{Code::kUnavailable, "STORE_IO", "injected failure: nothing was written"};
  }
  Applier apply(tables_);
  for (const Write& write : writes) std::visit(apply, write);
  ++commits_;
  return {};
}

Result<Snapshot> MemoryStore::load(const LoadLimits& limits) {
  const std::lock_guard lock(mutex_);
  Snapshot snapshot;
  snapshot.site = tables_.site;
  snapshot.secrets = values_of(tables_.secrets);
  snapshot.devices = values_of(tables_.devices);
  snapshot.revoked = values_of(tables_.revoked);
  snapshot.claims = values_of(tables_.claims);
  snapshot.claim_ids = values_of(tables_.claim_ids);
  snapshot.authorities = values_of(tables_.authorities);
  snapshot.trusted_keys = values_of(tables_.trusted_keys);
  snapshot.roots = values_of(tables_.roots);
  snapshot.tokens = values_of(tables_.tokens);
  snapshot.releases = values_of(tables_.releases);
  for (const auto& [name, progress] : tables_.rollouts) {
    const auto plan = tables_.rollout_plans.find(name);
    if (plan == tables_.rollout_plans.end()) continue;
    snapshot.rollouts.push_back(
        {progress.settled ? without_devices(*plan->second) : plan->second, progress});
  }
  snapshot.gates = values_of(tables_.gates);
  snapshot.deployments = values_of(tables_.deployments);
  snapshot.counts = values_of(tables_.counts);
  snapshot.assignments = values_of(tables_.assignments);
  snapshot.requests = values_of(tables_.requests);
  snapshot.streams = values_of(tables_.streams);
  snapshot.totals = values_of(tables_.totals);
  Millis windows_since = limits.windows_since;
  for (const ReportRecord& report : tables_.reports) {
    if (report.position <= tables_.site.reports_settled || !report.placed) continue;
    windows_since = std::min(windows_since, *report.placed - limits.window);
  }
  const Millis heard = tables_.reports.empty() ? Millis{0} : tables_.reports.back().wall;
  const Millis until = std::max(limits.windows_until, heard);
  for (const auto& [key, row] : tables_.windows) {
    if (row.start >= windows_since && row.start <= until) snapshot.windows.push_back(row);
  }
  snapshot.tallies = values_of(tables_.tallies);
  for (const auto& [place, row] : tables_.labels.rows) {
    if (!row.matched) snapshot.labels.push_back(row);
  }
  for (const auto& [key, alert] : tables_.alerts) {
    // Episodes of one key are neighbours, ascending: the last one stays.
    if (!snapshot.alerts.empty() && snapshot.alerts.back().key == alert.key) {
      snapshot.alerts.pop_back();
    }
    snapshot.alerts.push_back(alert);
  }
  return snapshot;
}

Status MemoryStore::replay(uint64_t position,
                           const std::function<Status(const ReportRecord&)>& each) {
  for (const ReportRecord& report : reports()) {
    if (report.position <= position) continue;
    if (Status done = each(report); !done) return done;
  }
  return {};
}

Result<std::unique_ptr<Reader>> MemoryStore::reader() {
  return std::unique_ptr<Reader>(std::make_unique<MemoryReader>(*this));
}

Status MemoryStore::backup(const std::filesystem::path&) {
  return Error{Code::kUnimplemented, "UNSUPPORTED",
               "a store in memory has no backups: configure one that keeps data on a disk"};
}

void MemoryStore::fail_next(size_t commits) {
  const std::lock_guard lock(mutex_);
  failures_ = commits;
}

std::vector<Deployment> MemoryStore::deployments() const {
  const std::lock_guard lock(mutex_);
  std::vector<Deployment> all = values_of(tables_.deployments);
  for (const auto& [number, row] : tables_.past_deployments) all.push_back(row);
  std::ranges::stable_sort(all, {}, &Deployment::number);
  return all;
}

std::vector<ReportRecord> MemoryStore::reports() const {
  const std::lock_guard lock(mutex_);
  return tables_.reports;
}

uint64_t MemoryStore::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

}  // namespace covey
