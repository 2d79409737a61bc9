// SPDX-License-Identifier: Apache-2.0
// The list of all that grows (docs/design/time-and-persistence.md, "What grows"): every table of
// the database and every container of the engine's memory has a line here, with its bound. A site
// is driven for many times the term of everything; what it has then keeps to the bounds.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>

#include "core/limits.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "tests/unit/engine/fleet_fixture.hpp"
#include "tests/unit/storage/temporary_folder.hpp"

namespace covey::test {
namespace {

constexpr size_t kDevices = 4;
constexpr size_t kPendingMax = 30;
constexpr int kYears = 12;  // so long that everything has had its term several times
constexpr size_t kReleases = 2;
// Kept because what devices are to have names them.
constexpr size_t kRolloutsKept = kAssignmentsPerTargetMax + kDevices;

struct Growing {
  const char* name;
  size_t at_most;  // here; what it is anywhere is beside it
};

// By name, as in sqlite_master.
const std::vector<Growing> kTables{
    {"alerts", 40},  // term: retention after their end; a device's notices are few
    {"artifacts", kReleases + kYears},  // people's; image and tables go with `covey model delete`
    {"assignments", kAssignmentsPerTargetMax},  // per target, kAssignmentsMax in all
    {"audit", 1'500},                           // term: history retention; kAuditEntriesMax
    {"claim_ids", 1},                           // with their claim
    {"claims", 1},                              // people's; kClaimsMax
    {"deployments", 4 * kDevices},        // in progress, and the newest of each device and model
    {"device_authorities", 1},            // people's; kAuthoritiesMax
    {"devices", kDevices + kPendingMax},  // accepted by people; strangers: enroll.pending_max
    {"events", 20 * kRolloutsKept},       // with their rollout
    {"gates", 2 * kRolloutsKept},         // the same
    {"label_tallies", 600},               // term: retention
    {"labels", 600},                      // the same; kLabelsWaitingMax without a sample
    {"past_deployments", 4 * kDevices* kRolloutsKept},  // with their rollout; others: retention
    {"releases", kReleases + kYears},                   // people's: a line each, for ever
    {"reports", 1'500},                                 // term: retention; a device's budget
    {"requests", kRequestsMax},
    {"revoked_certificates", 2 * kYears},   // people's; term: a certificate's life and 90 days
    {"rollout_counts", 8 * kRolloutsKept},  // with their rollout
    {"rollout_orders", kRolloutsKept},      // the same
    {"rollout_plans", kRolloutsKept},       // the same
    {"rollouts", kRolloutsKept},            // term: history retention; kRolloutsOverMax
    {"roots", kYears},                      // people's; kRootVersionsMax
    {"samples", 1'500},                     // term: retention; a device's reports
    {"site", 1},
    {"site_secrets", 3},  // people's; kSiteSecretsMax, and those that no device needs go
    {"streams", (kDevices + 1) * (kBootsPerDeviceMax * kReleases + kForgottenBootsMax)},
    {"tokens", kYears},  // people's; kTokensMax
    {"totals", (kDevices + 1) * kTotalsPerDeviceMax},
    {"trusted_keys", 64},
    {"windows", 600},  // term: retention; one of each device, release and span
};

class Growth : public FleetTest {
 protected:
  Growth() : store_(open()) {
    engine::EngineConfig config = quick_config();
    config.retention = 2h;
    config.history_retention = 4h;
    config.rollback_window = 1min;
    config.pending_max = kPendingMax;
    config.stranger_expiry = 3h;
    config.certificate_life = 24h * 365;
    site.on_committed = [this](std::span<const Write> writes) {
      waiting_.insert(waiting_.end(), writes.begin(), writes.end());
      if (waiting_.size() > 5'000) commit();
    };
    std::vector<Write> first{PutSite{site.state().site},
                             PutSiteSecret{site.state().fleet.secrets.at(1).record}};
    for (size_t i = 0; i < kRequestsMax; ++i) {
      first.emplace_back(PutRequest{{fmt::format("{:05}", i), "other", Digest{}, i + 1}});
    }
    EXPECT_TRUE(store_->commit(first).ok() && site.store().commit(first).ok());
    site.restart(config);
    make(kDevices);
  }

  void commit() {
    ASSERT_TRUE(store_->commit(waiting_).ok());
    waiting_.clear();
  }
  sqlite::Database look() {
    commit();
    return *sqlite::Database::open((folder_.path() / "covey.db").string(), SQLITE_OPEN_READONLY,
                                   "");
  }
  std::map<std::string, size_t> rows() {
    sqlite::Database database = look();
    std::map<std::string, size_t> rows;
    sqlite::Statement& names = **database.cached(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    while (*names.step()) {
      rows[reinterpret_cast<const char*>(sqlite3_column_text(names.handle(), 0))] = 0;
    }
    for (auto& [name, count] : rows) {
      count = static_cast<size_t>(*database.number("SELECT count(*) FROM " + name));
    }
    return rows;
  }

  // As much of everything as a site may see in a long time, in some hours.
  void live(int year) {
    people_work(year);
    for (int quarter = 0; quarter < 4; ++quarter) {
      roll_out(4 * year + quarter);
      for (int i = 0; i < 20; ++i) {
        devices_report(100 * year + i);
        site.pass(90s, 1s);
      }
    }
  }
  void people_work(int year) {
    for (int i = 0; i < 50; ++i) {
      engine::LabelDevices label;
      label.devices.ids = {DeviceId("d0")};
      label.set = {{"hall", std::to_string(50 * year + i)}};
      ASSERT_TRUE(site.command(label).ok());
      site.enroll(fmt::format("stranger-{}-{}", year, i));
    }
    ASSERT_TRUE(
        site
            .command(engine::CreateToken{
                .name = fmt::format("token-{}", year), .hash = {}, .role = "viewer", .models = ""})
            .ok());
    revoke_a_certificate(year);
    ASSERT_TRUE(site.command(engine::RotateSecret{.secret = {},
                                                  .sealed = Bytes(32),
                                                  .number = static_cast<uint32_t>(year) + 2})
                    .ok());
    let_a_batch_in(year);
    const Version passing{2, static_cast<uint16_t>(year), 0};
    site.push(passing);
    ASSERT_TRUE(site.command(engine::DeleteRelease{{kSiteModel, passing}}).ok());
    for (int i = 0; i < 8; ++i) {  // of the first year: then the root document decides
      const PrivateKey another = *PrivateKey::generate(SignatureAlgorithm::kEd25519);
      (void)site.command(engine::AddTrustedKey{another.public_key().to_pem(), "passing"});
    }
    change_the_root(year);
  }
  // Each year the site's author gets another companion.
  void change_the_root(int year) {
    static const PrivateKey key = *PrivateKey::generate(SignatureAlgorithm::kEs256);
    const PrivateKey another = *PrivateKey::generate(SignatureAlgorithm::kEd25519);
    const Root root{.version = static_cast<uint32_t>(year + 1),
                    .root_threshold = 1,
                    .author_threshold = 1,
                    .keys = {{key.public_key(), true, false},
                             {site.author().public_key(), false, true},
                             {another.public_key(), false, true}}};
    SignedRoot document{*encode(root), {}};
    document.signatures.push_back(sign(key, signed_digest(document.root)));
    ASSERT_TRUE(site.command(engine::ImportRoot{*encode(document)}).ok());
  }
  // A claim and a manufacturer take the places of those of last year.
  void let_a_batch_in(int year) {
    const ClaimName claim("batch");
    if (year > 0) {
      ASSERT_TRUE(site.command(engine::RevokeClaim{claim}).ok());
      ASSERT_TRUE(site.command(engine::RemoveDeviceAuthority{"acme"}).ok());
    }
    ASSERT_TRUE(site.command(engine::CreateClaim{.claim = claim,
                                                 .count = 10,
                                                 .accept = true,
                                                 .ids = {DeviceId(fmt::format("of-{}", year))}})
                    .ok());
    ASSERT_TRUE(
        site.command(engine::AddDeviceAuthority{"acme", Bytes(100, static_cast<uint8_t>(year))})
            .ok());
  }
  // A device begins anew with a key of its own; what it had a certificate for is taken back.
  void revoke_a_certificate(int year) {
    const DeviceId id("d2");
    ASSERT_TRUE(site.command(engine::ReenrollDevice{id}).ok());
    const auto nonce = static_cast<uint64_t>(100 + year);
    site.enroll("d2", nonce);
    engine::EnrollMessage asks{id, nonce, site.device("d2").facts, {kSiteModel}};
    asks.key = Bytes(65, 7);
    asks.key.front() = 4;
    asks.wants_certificate = true;
    site.handle(engine::EnrollReceived{id, asks});
    site.accept("d2");
    site.handle(engine::EnrollReceived{id, asks});
    site.hello("d2");
  }
  void hello_all() {
    for (size_t i = 0; i < kDevices; ++i) site.hello("d" + std::to_string(i));
  }
  void roll_out(int number) {
    const std::string version = number % 2 == 0 ? "1.1.0" : "1.0.0";
    const PlanDocument plan = simple_plan("r" + std::to_string(number), version);
    ASSERT_TRUE(site.roll_out(plan, "request-" + plan.name).ok());
    for (int i = 0; i < 60 && !has_ended(site.rollout(plan.name).progress.state); ++i) {
      if (i % 20 == 0) hello_all();
      site.pass(1s);
      site.obey_all();
    }
    ASSERT_TRUE(has_ended(site.rollout(plan.name).progress.state)) << site.rollout_text(plan.name);
  }
  void devices_report(int salt) {
    for (size_t i = 0; i < kDevices; ++i) {
      const std::string id = "d" + std::to_string(i);
      if (salt % 3 == 0) site.reboot(id);
      site.hello(id);
      site.report(id, site.window(id, 20, -1, 2));
      engine::SubmitLabels labels{kSiteModel, {}};
      for (uint64_t n = 1; n <= 3; ++n) {
        labels.labels.push_back({DeviceId(id), site.device(id).boot_id, n, 0});
      }
      ASSERT_TRUE(engine::look_up(**site.store().reader(), labels).ok());
      ASSERT_TRUE(site.command(labels).ok());
    }
    // One lies.
    engine::HelloMessage hello = site.hello_of("d3");
    hello.goal_counter += 5;
    hello.models.push_back(hello.models[0]);
    hello.models.back().model = ModelName("model-" + std::to_string(salt));
    site.send("d3", hello);
    engine::ReportMessage unknown = site.window("d3", 10);
    for (size_t i = 0; i < 4; ++i) unknown.manifest[i] = static_cast<uint8_t>(salt >> (8 * i));
    unknown.sequence = unknown.base_sequence = 1;
    site.report("d3", unknown);
  }

  TemporaryFolder folder_;
  std::unique_ptr<SqliteStore> store_;
  std::vector<Write> waiting_;

 private:
  std::unique_ptr<SqliteStore> open() {
    return *SqliteStore::open(folder_.path(), {.reserve_bytes = 0});
  }
};

TEST_F(Growth, EveryTableHasItsLine) {
  std::set<std::string> listed;
  for (const Growing& table : kTables) listed.insert(table.name);
  std::set<std::string> there;
  for (const auto& [name, count] : rows()) there.insert(name);
  EXPECT_EQ(there, listed) << "a table without a bound, or a line without its table";
}

TEST_F(Growth, EverythingKeepsToItsBound) {
  std::map<std::string, size_t> before;
  for (int year = 0; year < kYears; ++year) {
    live(year);
    if (year == kYears / 2) before = rows();
  }
  std::map<std::string, size_t> after = rows();
  for (const Growing& table : kTables) {
    EXPECT_LE(after.at(table.name), table.at_most) << table.name;
    EXPECT_GT(before.at(table.name), 0U) << table.name << " was not driven";
  }
  // Nothing but what people made, and what has a bound by number, is more than it was.
  for (const char* people : {"artifacts", "releases", "requests", "revoked_certificates", "roots",
                             "tokens", "trusted_keys"}) {
    before.erase(people);
  }
  for (const auto& [name, count] : before) {
    EXPECT_LE(after.at(name), count + count / 5 + 5) << name << " grows";
  }
  sqlite::Database database = look();
  EXPECT_EQ(*database.number("SELECT count(*) FROM artifacts WHERE length(image) > 0"),
            static_cast<int64_t>(kReleases));
  site.check_reload();
}

// All members by name: a new one does not compile until it has its line.
TEST_F(Growth, MemoryKeepsToItsBounds) {
  for (int year = 0; year < kYears; ++year) live(year);
  const engine::State& state = site.state();
  const auto& [by_name, gates, deployments, attempts, counts, open_rollouts, newest, in_progress,
               assignments, requests, open, unsettled, ending, settled_releases, assigning,
               transfers, unreceived, unreceived_counts, requests_by_age, expiries, expiry_at,
               retries, reconcile_later, reconcile_due, around, leaving, archive_due, history,
               judged_last, bandwidth, flow, telling, downloads, swept, offer_credit] =
      state.rollouts;
  const auto& [streams, totals, windows, waiting, tally, alerts, devices, unsettled_reports,
               windows_forgotten, acks, recent, closing, scopes, windows_leaving, last_forget,
               windows_looked_at] = state.telemetry;
  const auto& [trusted_keys, roots, root, trust, releases, deleted, artifacts, prefixes] =
      state.catalogue;
  const auto& [judgements] = state.gates;
  const engine::FleetState& fleet = state.fleet;
  const size_t all = kDevices + kPendingMax;
  const std::vector<std::tuple<const char*, size_t, size_t>> sizes{
      {"rollouts", by_name.size(), kRolloutsKept},
      {"gates", gates.size(), 2 * kRolloutsKept},
      {"deployments", deployments.size(), 4 * kDevices},
      {"attempts", attempts.size(), 2},
      {"counts", counts.size(), 8 * kRolloutsKept},
      {"open_rollouts", open_rollouts.size(), kDevices},
      {"newest_deployment", newest.size(), 2 * kDevices},
      {"in_progress", in_progress.size(), 2 * kDevices},
      {"assignments", assignments.size(), kAssignmentsPerTargetMax},
      {"requests", requests.size(), kRequestsMax},
      {"open", open.size(), 1},
      {"unsettled", unsettled.size(), 2},
      {"ending", ending.size(), 1},
      {"settled_releases", settled_releases.size(), kReleases},
      {"transfers", transfers.size(), 2 * kDevices},
      {"unreceived", unreceived.size(), 2 * kDevices},
      {"unreceived_counts", unreceived_counts.size(), 2 * kRolloutsKept},
      {"requests_by_age", requests_by_age.size(), kRequestsMax},
      {"expiry_at", expiry_at.size(), 2 * kDevices},
      {"reconcile_due", reconcile_due.size(), all},
      {"leaving", leaving.size(), 2},
      {"archive_due", archive_due.size(), 4 * kDevices},
      {"history.needed", history.needed.size(), kRolloutsKept},
      {"history.leaving", history.leaving.size(), 5},
      {"downloads", downloads.size(), kDevices},
      {"streams", streams.size(), all * (kBootsPerDeviceMax * kReleases + kForgottenBootsMax)},
      {"totals", totals.size(), kDevices * kTotalsPerDeviceMax},
      {"windows", windows.size(), 8 * kReleases},
      {"waiting labels", waiting.by_key.size(), 600},
      {"tally", tally.size(), kDevices * kReleases},
      {"alerts", alerts.size(), 40},
      {"devices' telemetry", devices.size(), all},
      {"unsettled reports", unsettled_reports.size(), all},
      {"recent samples", recent.samples.size(), 600},
      {"recent labels", recent.labels.size(), 600},
      {"scopes", scopes.open.size(), 40},
      {"windows_leaving", windows_leaving.size(), 8},
      {"trusted keys", trusted_keys.size(), 64},
      {"root documents", roots.size(), kYears},
      {"releases", releases.size(), kReleases},
      {"deleted releases", deleted.size(), kYears},
      {"artifacts", artifacts.size(), kReleases + kYears},
      {"prefixes", prefixes.size(), kReleases + kYears},
      {"judgements", judgements.size(), 1},
      {"fleet", fleet.devices.size(), all},
      {"numbers", fleet.by_number.size(), all + 1},
      {"sessions", fleet.sessions.size(), all + 1},
      {"refusals", fleet.budgets.refusals.size(), all},
      {"claims to be ahead", fleet.ahead.size(), kDevices},
      {"claims", fleet.claims.size(), 1},
      {"ids of claims", fleet.claim_ids.size(), 1},
      {"open claims", fleet.claims_open.size(), 1},
      {"devices that wait by claims", fleet.claimed.size(), 1},
      {"authorities", fleet.authorities.size(), 1},
      {"settings_due", fleet.settings_due.size(), kDevices},
      {"strangers", fleet.strangers.size(), kPendingMax},
      {"asked_once", fleet.asked_once.size(), kPendingMax},
  };
  for (const auto& [name, size, at_most] : sizes) EXPECT_LE(size, at_most) << name;
  EXPECT_LE(fleet.devices.at(DeviceId("d3")).models.size(), kModelsPerDeviceMax);
}

}  // namespace
}  // namespace covey::test
