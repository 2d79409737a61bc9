// SPDX-License-Identifier: Apache-2.0
// What every Store promises, for each of them; and that they give the same answers.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/memory/memory_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "tests/unit/storage/random_writes.hpp"
#include "tests/unit/storage/temporary_folder.hpp"

namespace covey {
namespace {

AuditRecord entry_of(uint64_t sequence) {
  AuditRecord entry{.sequence = sequence,
                    .wall = Millis{6},
                    .actor = "anna",
                    .known = "token",
                    .from = "10.0.0.7",
                    .request_id = "call-1",
                    .action = "PAUSE",
                    .subject = "r1",
                    .before = "RUNNING",
                    .after = "PAUSED",
                    .detail = "because"};
  entry.hash.bytes.fill(static_cast<uint8_t>(sequence));
  return entry;
}

using test::expect_same;
using test::RandomWrites;

struct MemoryCase {
  Store& store() { return store_; }
  void reopen() {}

 private:
  MemoryStore store_;
};

struct SqliteCase {
  SqliteCase() { reopen(); }
  Store& store() { return *store_; }
  void reopen() {
    store_.reset();
    Result<std::unique_ptr<SqliteStore>> opened =
        SqliteStore::open(folder_.path() / "data", {.reserve_bytes = 0});
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = *std::move(opened);
  }

 private:
  test::TemporaryFolder folder_;
  std::unique_ptr<SqliteStore> store_;
};

Snapshot loaded(Store& store, LoadLimits limits = {}) {
  Result<Snapshot> snapshot = store.load(limits);
  EXPECT_TRUE(snapshot) << snapshot.error().message;
  return snapshot ? *std::move(snapshot) : Snapshot{};
}

void commit(Store& store, std::vector<Write> writes) {
  const Status committed = store.commit(writes);
  ASSERT_TRUE(committed) << committed.error().message;
}

template <typename Case>
class StoreContract : public testing::Test {
 protected:
  Store& store() { return case_.store(); }
  Case case_;
};
using Cases = testing::Types<MemoryCase, SqliteCase>;
TYPED_TEST_SUITE(StoreContract, Cases);

TYPED_TEST(StoreContract, StartsEmpty) {
  const Snapshot empty = loaded(this->store());
  expect_same(empty, Snapshot{});
  EXPECT_TRUE(empty.secrets.empty());
}

TYPED_TEST(StoreContract, APutReplacesTheRowWithTheSameKey) {
  Device device;
  device.id = DeviceId("dev-1");
  device.boot_id = ~uint64_t{0};
  commit(this->store(), {PutDevice{device}});
  device.state = DeviceState::kAccepted;
  device.labels = {{"line", "press"}};
  device.models[ModelName("keyword")].desired = Digest{};
  commit(this->store(), {PutDevice{device}});
  this->case_.reopen();
  const Snapshot after = loaded(this->store());
  ASSERT_EQ(after.devices.size(), 1U);
  EXPECT_EQ(after.devices[0], device);
}

TYPED_TEST(StoreContract, KeepsInsertionOrderOfSamplesAndLabels) {
  const auto sample = [](const char* device, uint64_t inference, uint32_t predicted) {
    SampleRecord record;
    record.device = DeviceId(device);
    record.inference = inference;
    record.predicted = predicted;
    return PutSample{record};
  };
  const auto label = [](const char* device, uint64_t inference, uint32_t truth) {
    LabelRecord record;
    record.device = DeviceId(device);
    record.inference = inference;
    record.truth = truth;
    return PutLabel{record};
  };
  commit(this->store(), {sample("z", 9, 0), sample("a", 1, 0), sample("m", 5, 0), label("z", 9, 0),
                         label("a", 1, 0)});
  commit(this->store(), {sample("z", 9, 7), label("z", 9, 7)});  // keeps its place
  const Snapshot after = loaded(this->store());
  ASSERT_EQ(after.labels.size(), 2U);
  EXPECT_EQ(after.labels[0].device.str(), "z");
  EXPECT_EQ(after.labels[0].truth, 7U);
}

TYPED_TEST(StoreContract, KnowsWhatThereIsOfAnInference) {
  const DeviceId device("d");
  SampleRecord sample;
  sample.device = device;
  sample.boot_id = ~uint64_t{0};
  sample.inference = 7;
  sample.predicted = 3;
  LabelRecord label;
  label.device = device;
  label.boot_id = sample.boot_id;
  label.inference = 8;
  label.truth = 1;
  commit(this->store(), {PutSample{sample}, PutLabel{label}});
  Result<std::unique_ptr<Reader>> reader = this->store().reader();
  ASSERT_TRUE(reader.ok());
  const auto sampled = (*reader)->inference(device, sample.boot_id, 7);
  ASSERT_TRUE(sampled.ok());
  EXPECT_EQ(sampled->sample, sample);
  EXPECT_FALSE(sampled->label.has_value());
  const auto labelled = (*reader)->inference(device, sample.boot_id, 8);
  ASSERT_TRUE(labelled.ok());
  EXPECT_EQ(labelled->label, label);
  commit(this->store(), {RemoveLabel{device, label.boot_id, 8}});
  EXPECT_FALSE((*reader)->inference(device, sample.boot_id, 8)->label.has_value());
  EXPECT_TRUE(loaded(this->store()).labels.empty());
  label.matched = true;
  commit(this->store(), {PutLabel{label}});
  EXPECT_TRUE(loaded(this->store()).labels.empty()) << "it waits for nothing";
}

TYPED_TEST(StoreContract, WhatIsOfATimeThatHasNotBeenStaysOutAndGoes) {
  WindowRecord window;
  window.length = Millis{1000};
  LabelTallyRecord tally;
  SampleRecord sample;
  for (int64_t i = 0; i < 10; ++i) {
    window.index = i;
    window.start = tally.start = sample.wall = Millis{i * 1000};
    sample.inference = static_cast<uint64_t>(i);
    commit(this->store(), {PutWindow{window}, PutLabelTally{tally}, PutSample{sample}});
  }
  EXPECT_EQ(loaded(this->store(), {.windows_until = Millis{4000}}).windows.size(), 5U);
  ReportRecord report;
  report.position = 1;
  report.wall = Millis{6000};
  commit(this->store(), {AppendReport{report}});
  EXPECT_EQ(loaded(this->store(), {.windows_until = Millis{4000}}).windows.size(), 7U)
      << "the clock of the start is wrong: reports came later";
  commit(this->store(), {Forget{.after = Millis{4000}}});
  EXPECT_EQ(loaded(this->store()).windows.size(), 5U);
  EXPECT_EQ(loaded(this->store()).tallies.size(), 5U);
}

TYPED_TEST(StoreContract, ResolvedAlertsAreForgotten) {
  monitoring::Alert alert;
  alert.key = {"m", monitoring::AlertKind::kFeatureDrift, "rms", "m@1.0.0"};
  for (const uint64_t episode : {1, 2, 3}) {
    alert.episode = episode;
    alert.resolved_at.reset();
    if (episode < 3) alert.resolved_at = Millis{static_cast<int64_t>(episode) * 1000};
    commit(this->store(), {PutAlert{alert}});
  }
  commit(this->store(), {Forget{.alerts_before = Millis{1500}}});
  EXPECT_EQ(loaded(this->store()).alerts.size(), 1U);
  alert.resolved_at = Millis{2500};
  commit(this->store(), {PutAlert{alert}, Forget{.alerts_before = Millis{2600}}});
  EXPECT_TRUE(loaded(this->store()).alerts.empty());
}

TYPED_TEST(StoreContract, LoadsTheNewestEpisodeOfAnAlert) {
  monitoring::Alert alert;
  alert.key = {"bearing-vibration", monitoring::AlertKind::kFeatureDrift, "rms",
               "bearing-vibration@1.4.0"};
  for (const uint64_t episode : {2, 10, 9}) {
    alert.episode = episode;
    commit(this->store(), {PutAlert{alert}});
  }
  const Snapshot after = loaded(this->store());
  ASSERT_EQ(after.alerts.size(), 1U);
  EXPECT_EQ(after.alerts[0].episode, 10U);
}

TYPED_TEST(StoreContract, OrdersReleasesByVersionAndStreamsByUnsignedBoot) {
  RandomWrites random(1);
  std::vector<Write> writes;
  for (int i = 0; i < 40; ++i) writes.push_back(random.make(4));
  for (int i = 0; i < 200; ++i) writes.push_back(random.make(10));
  commit(this->store(), writes);
  const Snapshot after = loaded(this->store());
  EXPECT_GT(after.releases.size(), 1U);
  EXPECT_TRUE(std::ranges::is_sorted(after.releases, {}, &ReleaseRecord::id));
  EXPECT_TRUE(std::ranges::is_sorted(after.streams, {}, [](const StreamRecord& stream) {
    return std::tuple(stream.device, stream.boot_id, stream.manifest);
  }));
}

TYPED_TEST(StoreContract, LoadLeavesOutOldTelemetry) {
  WindowRecord window;
  window.length = Millis{1000};
  LabelRecord label;
  for (int64_t i = 0; i < 10; ++i) {
    window.index = i;
    window.start = label.wall = Millis{i * 1000};
    label.inference = static_cast<uint64_t>(i);
    commit(this->store(), {PutWindow{window}, PutLabel{label}});
  }
  const Snapshot after = loaded(this->store(), {.windows_since = Millis{7000}});
  EXPECT_EQ(after.windows.size(), 3U);
  EXPECT_EQ(after.labels.size(), 10U);
  commit(this->store(), {Forget{.windows_before = Millis{4500}, .labels_before = Millis{4500}}});
  EXPECT_EQ(loaded(this->store()).windows.size(), 6U);  // the one that ends at 5000 stays
  EXPECT_EQ(loaded(this->store()).labels.size(), 5U);
}

TYPED_TEST(StoreContract, AnArchivedDeploymentIsReadAndNotLoaded) {
  const RolloutName rollout("r1");
  std::vector<Write> writes;
  for (uint64_t number = 1; number <= 6; ++number) {
    Deployment deployment;
    deployment.number = number;
    deployment.device = DeviceId("dev-" + std::to_string(number));
    deployment.release = {ModelName("keyword"), Version{1, 0, 0}};
    if (number != 3) deployment.rollout = rollout;
    deployment.state = DeploymentState::kConfirmed;
    writes.push_back(PutDeployment{deployment});
  }
  commit(this->store(), writes);
  const Snapshot before = loaded(this->store());
  commit(this->store(), {ArchiveDeployment{2}, ArchiveDeployment{5}, ArchiveDeployment{77}});
  this->case_.reopen();
  const Snapshot after = loaded(this->store());
  ASSERT_EQ(after.deployments.size(), 4U);
  EXPECT_EQ(after.deployments[1].number, 3U);
  Result<std::unique_ptr<Reader>> reader = this->store().reader();
  ASSERT_TRUE(reader) << reader.error().message;
  const auto numbers = [&](uint64_t from, size_t limit) {
    std::vector<uint64_t> found;
    const std::vector<Deployment> rows = *(*reader)->deployments(rollout, from, limit);
    for (const Deployment& row : rows) found.push_back(row.number);
    return found;
  };
  EXPECT_EQ(numbers(0, 10), (std::vector<uint64_t>{1, 2, 4, 5, 6}));
  EXPECT_EQ(numbers(2, 2), (std::vector<uint64_t>{4, 5}));
  EXPECT_EQ((*reader)->deployments(rollout, 1, 1)->at(0), before.deployments[1]) << "as it was";
}

TYPED_TEST(StoreContract, KnowsWhichRequestIsOlderAndForgetsOne) {
  const auto put = [&](const char* id, uint64_t sequence) {
    commit(this->store(), {PutRequest{{.request_id = id, .sequence = sequence}}});
  };
  put("z", 7);
  put("a", 8);
  put("m", 9);
  commit(this->store(), {RemoveRequest{"z"}, RemoveRequest{"nobody"}});
  this->case_.reopen();
  const Snapshot after = loaded(this->store());
  ASSERT_EQ(after.requests.size(), 2U);
  EXPECT_EQ(after.requests[0].request_id, "a");
  EXPECT_EQ(after.requests[0].sequence, 8U);
  EXPECT_EQ(after.requests[1].sequence, 9U);
}

TYPED_TEST(StoreContract, SaysThatItWrites) {
  commit(this->store(), {PutSite{{.site_epoch = 2}}});
  const Condition now = this->store().condition();
  EXPECT_FALSE(now.read_only);
  EXPECT_FALSE(now.recovered);
  EXPECT_NE(now.free_bytes, 0U);
}

TYPED_TEST(StoreContract, ABackupIsWholeOrUnsupported) {
  RandomWrites random(3);
  for (int i = 0; i < 5; ++i) commit(this->store(), random.batch(50));
  const Snapshot before = loaded(this->store());
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "data");
  const std::filesystem::path file = folder.path() / "data" / "covey.db";
  const Status done = this->store().backup(file);
  if (!done) {
    EXPECT_EQ(done.error().reason, "UNSUPPORTED");
    EXPECT_FALSE(std::filesystem::exists(file));
    return;
  }
  commit(this->store(), random.batch(50));  // what comes later is not in it
  EXPECT_EQ(this->store().backup(file).error().reason, "BACKUP_EXISTS");
  Result<std::unique_ptr<SqliteStore>> restored =
      SqliteStore::open(folder.path() / "data", {.reserve_bytes = 0});
  ASSERT_TRUE(restored) << restored.error().message;
  expect_same(loaded(**restored), before);
}

TYPED_TEST(StoreContract, ReadsHistoryByPage) {
  const RolloutName rollout("r1");
  std::vector<Write> writes;
  for (uint64_t i = 1; i <= 10; ++i) {
    writes.push_back(AppendEvent{{i, i % 2 == 0 ? rollout : RolloutName("r2"), Millis{5}, "KIND",
                                  "subject", std::to_string(i)}});
    writes.push_back(AppendAudit{entry_of(i)});
  }
  writes.push_back(AppendEvent{{10, rollout, Millis{9}, "NEVER", "", ""}});  // never changed
  commit(this->store(), writes);
  Result<std::unique_ptr<Reader>> reader = this->store().reader();
  ASSERT_TRUE(reader) << reader.error().message;
  const auto numbers = [&](Page page) {
    std::vector<uint64_t> found;
    const std::vector<EventRecord> rows = *(*reader)->events(rollout, page);
    for (const EventRecord& row : rows) found.push_back(row.sequence);
    return found;
  };
  EXPECT_EQ(numbers({}), (std::vector<uint64_t>{10, 8, 6, 4, 2}));
  EXPECT_EQ(numbers({.limit = 2}), (std::vector<uint64_t>{10, 8}));
  EXPECT_EQ(numbers({.limit = 2, .before = 8}), (std::vector<uint64_t>{6, 4}));
  EXPECT_EQ(numbers({.limit = 2, .after = 4}), (std::vector<uint64_t>{10, 8}));
  EXPECT_EQ(numbers({.limit = 5, .before = 8, .after = 4}), (std::vector<uint64_t>{6}));
  constexpr PageOrder kOldest = PageOrder::kOldestFirst;
  EXPECT_EQ(numbers({.limit = 2, .order = kOldest}), (std::vector<uint64_t>{2, 4}));
  EXPECT_EQ(numbers({.limit = 2, .after = 4, .order = kOldest}), (std::vector<uint64_t>{6, 8}));
  EXPECT_EQ(numbers({.before = 6, .order = kOldest}), (std::vector<uint64_t>{2, 4}));
  EXPECT_TRUE(numbers({.before = 4, .after = 9, .order = kOldest}).empty());
  EXPECT_EQ((*reader)->events(rollout, {.limit = 1})->at(0).kind, "KIND");
  const std::vector<AuditRecord> audit = *(*reader)->audit({.limit = 3});
  ASSERT_EQ(audit.size(), 3U);
  EXPECT_EQ(audit[0], entry_of(10));

  // A reader sees what was committed after it was made.
  commit(this->store(), {AppendEvent{{12, rollout, Millis{5}, "KIND", "", ""}}});
  EXPECT_EQ(numbers({.limit = 1}), (std::vector<uint64_t>{12}));
}

TYPED_TEST(StoreContract, APageOfWindowsNeverTearsAStart) {
  Digest a;
  Digest b;
  b.bytes.fill(1);
  std::vector<Write> writes;
  for (int64_t i = 1; i <= 5; ++i) {
    for (const Digest& manifest : {a, b}) {
      for (const Cohort& cohort : {Cohort(), Cohort::canary(RolloutName("r1"))}) {
        WindowRecord window;
        window.manifest = manifest;
        window.cohort = cohort;
        window.index = i;
        window.length = Millis{1000};
        window.start = i * window.length;
        writes.push_back(PutWindow{window});
        window.device = DeviceId("dev-1");
        writes.push_back(PutWindow{window});
      }
    }
  }
  commit(this->store(), writes);
  Result<std::unique_ptr<Reader>> reader = this->store().reader();
  ASSERT_TRUE(reader) << reader.error().message;
  const std::vector<Digest> both = {a, b};
  std::vector<WindowRecord> page = *(*reader)->windows(both, DeviceId(), {.limit = 5});
  ASSERT_EQ(page.size(), 8U);
  EXPECT_EQ(page[0].index, 5);
  EXPECT_EQ(page[7].index, 4);
  EXPECT_TRUE(page[0].device.empty());
  page = *(*reader)->windows(both, DeviceId("dev-1"), {.limit = 1, .before = 4000});
  ASSERT_EQ(page.size(), 4U);
  EXPECT_EQ(page[0].index, 3);
  page = *(*reader)->windows(std::span(both).first(1), DeviceId(),
                             {.limit = 3, .after = 2000, .order = PageOrder::kOldestFirst});
  ASSERT_EQ(page.size(), 4U);
  EXPECT_EQ(page[0].index, 3);
  EXPECT_EQ(page[3].index, 4);
  EXPECT_TRUE((*reader)->windows({}, DeviceId(), {})->empty());
}

// Its devices are many, and nobody asks any more: whoever does reads them from history.
TYPED_TEST(StoreContract, LoadsASettledRolloutWithoutItsDevices) {
  RandomWrites random(1);
  PutRolloutPlan put = random.rollout_plan();
  RolloutPlan plan = *put.plan;
  plan.name = RolloutName("past");
  plan.order = {DeviceId("b"), DeviceId("a")};
  plan.excluded = {{DeviceId("c"), "ALREADY_RUNNING", "runs it"}};
  put.plan = std::make_shared<const RolloutPlan>(plan);
  RolloutProgress progress = random.rollout_progress();
  for (const bool settled : {false, true}) {
    progress.settled = settled;
    commit(this->store(), {put, PutRolloutProgress{plan.name, progress}});
    this->case_.reopen();
    const Snapshot after = loaded(this->store());
    ASSERT_EQ(after.rollouts.size(), 1U);
    EXPECT_EQ(after.rollouts[0].progress, progress);
    EXPECT_EQ(*after.rollouts[0].plan, settled ? *without_devices(plan) : plan);
    EXPECT_EQ(after.rollouts[0].plan->document, plan.document);
    Result<std::unique_ptr<Reader>> reader = this->store().reader();
    const Result<std::optional<RolloutPlan>> whole = (*reader)->rollout_plan(plan.name);
    ASSERT_TRUE(whole && *whole);
    EXPECT_EQ(**whole, plan);
    EXPECT_EQ((*reader)->rollout_plan(RolloutName("none")).value(), std::nullopt);
  }
}

TYPED_TEST(StoreContract, EveryKindOfWriteIsKept) {
  MemoryStore expected;
  for (size_t kind = 0; kind < std::variant_size_v<Write>; ++kind) {
    SCOPED_TRACE("kind " + std::to_string(kind));
    RandomWrites random(kind);
    for (int i = 0; i < 20; ++i) {
      const std::vector<Write> writes = {random.make(kind)};
      commit(this->store(), writes);
      commit(expected, writes);
    }
    expect_same(loaded(this->store()), loaded(expected));
  }
}

// Two stores, the same random transactions: the same snapshot at every step and after a reopen.
TEST(Stores, GiveTheSameSnapshot) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomWrites random(seed);
    MemoryStore memory;
    SqliteCase sqlite;
    for (int round = 0; round < 25; ++round) {
      const std::vector<Write> writes = random.batch(1 + random.below(60));
      commit(memory, writes);
      commit(sqlite.store(), writes);
      if (round % 8 == 7) sqlite.reopen();
      const LoadLimits limits{Millis{static_cast<int64_t>(random.below(30)) * 1000}};
      expect_same(loaded(memory, limits), loaded(sqlite.store(), limits));
      if (testing::Test::HasFailure()) return;
    }
    Result<std::unique_ptr<Reader>> a = memory.reader();
    Result<std::unique_ptr<Reader>> b = sqlite.store().reader();
    ASSERT_TRUE(a && b);
    for (int i = 0; i < 20; ++i) {
      const Page page{1 + random.below(9), random.below(2) * random.below(400), random.below(400),
                      random.below(2) == 0 ? PageOrder::kNewestFirst : PageOrder::kOldestFirst};
      const RolloutName rollout("r" + std::to_string(random.below(5)));
      EXPECT_EQ(*(*a)->events(rollout, page), *(*b)->events(rollout, page));
      EXPECT_EQ(*(*a)->audit(page), *(*b)->audit(page));
      EXPECT_EQ(*(*a)->deployments(rollout, page.after % 30, page.limit),
                *(*b)->deployments(rollout, page.after % 30, page.limit));
      Digest zero;
      const std::vector<Digest> manifests = {zero};
      const Page walls{page.limit, page.before * 250, page.after * 250, page.order};
      for (const char* device : {"", "dev-3"}) {
        EXPECT_EQ(*(*a)->windows(manifests, DeviceId(device), walls),
                  *(*b)->windows(manifests, DeviceId(device), walls));
      }
    }
  }
}

TEST(MemoryStore, FailsAsAskedAndChangesNothing) {
  MemoryStore store;
  commit(store, {PutSite{{.site_epoch = 2}}});
  store.fail_next(2);
  const MemoryStore copy = store;
  for (int i = 0; i < 2; ++i) {
    const Status failed = store.commit(std::vector<Write>{PutSite{{.site_epoch = 3}}});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().reason, "STORE_IO");
  }
  EXPECT_EQ(loaded(store).site.site_epoch, 2U);
  commit(store, {PutSite{{.site_epoch = 3}}});
  EXPECT_EQ(loaded(store).site.site_epoch, 3U);
  EXPECT_EQ(store.commits(), 2U);
  MemoryStore snapshot = copy;  // as it was
  EXPECT_EQ(loaded(snapshot).site.site_epoch, 2U);
}

}  // namespace
}  // namespace covey
