// SPDX-License-Identifier: Apache-2.0
// Root documents on a device: the chain it walks, what it refuses, power cuts, and that fewer keys
// than a threshold run nothing of a thief's.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <functional>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

constexpr uint32_t kRoots = 3;
constexpr uint32_t kAuthors = 3;
constexpr uint32_t kThreshold = 2;  // of both

const AuthorKey& key(size_t i) {  // 0 to 2: the root's; 3 to 5: authors; 6 and 7: a thief's own
  static const std::array<AuthorKey, 8> keys{
      AuthorKey(wire::SIGNATURE_ALGORITHM_ES256),   AuthorKey(wire::SIGNATURE_ALGORITHM_ED25519),
      AuthorKey(wire::SIGNATURE_ALGORITHM_ES256),   AuthorKey(wire::SIGNATURE_ALGORITHM_ES256),
      AuthorKey(wire::SIGNATURE_ALGORITHM_ED25519), AuthorKey(wire::SIGNATURE_ALGORITHM_ES256),
      AuthorKey(wire::SIGNATURE_ALGORITHM_ES256),   AuthorKey(wire::SIGNATURE_ALGORITHM_ED25519)};
  return keys[i];
}

void name(wire::Root& root, size_t i, uint32_t roles) {
  const covey_public_key_t raw = key(i).anchor();
  wire::RootKey& to = *root.add_keys();
  to.set_algorithm(raw.algorithm);
  to.set_key(raw.key, raw.key_size);
  to.set_roles(roles);
}

wire::Root root_of(uint32_t version, const std::vector<size_t>& roots = {0, 1, 2},
                   const std::vector<size_t>& authors = {3, 4, 5}) {
  wire::Root root;
  root.set_format(1);
  root.set_version(version);
  root.set_root_threshold(kThreshold);
  root.set_author_threshold(kThreshold);
  for (const size_t i : roots) name(root, i, 1);
  for (const size_t i : authors) name(root, i, 2);
  return root;
}

wire::SignedRoot envelope(const wire::Root& root, const std::vector<size_t>& signers) {
  wire::SignedRoot document;
  document.set_root(root.SerializeAsString());
  const Bytes content = Bytes("covey root") + '\0' + document.root();
  for (const size_t i : signers) *document.add_signatures() = key(i).sign(content);
  return document;
}

Bytes document(const wire::Root& root, const std::vector<size_t>& signers = {0, 1}) {
  return envelope(root, signers).SerializeAsString();
}

std::string topic(uint32_t version) { return "covey/v1/m/root-" + std::to_string(version); }

Release release_by(const std::vector<size_t>& signers, const std::string& version = "1.0.0",
                   uint8_t seed = 1) {
  Release release = make_release({.version = version, .seed = seed, .model_bytes = 2500});
  wire::SignedManifest message;
  message.set_manifest(release.manifest.SerializeAsString());
  for (const size_t i : signers) *message.add_signatures() = key(i).sign(message.manifest());
  release.message = message.SerializeAsString();
  return release;
}

DeviceOptions options_with(const wire::Root& root) {
  DeviceOptions options;
  options.journal_bytes = 8192;
  options.root = document(root, {});
  options.times.probation_inferences = 3;
  return options;
}

uint32_t version_of(const Bench& bench) { return covey_agent_root_version(&bench.device.agent); }

TEST(Root, ADeviceThatSleptWalksTheChain) {
  Bench bench(options_with(root_of(1)));
  // All keys of the root change on the way.
  bench.gateway.retained[topic(2)] = document(root_of(2, {0, 1, 6}), {0, 1});
  bench.gateway.retained[topic(3)] = document(root_of(3, {6, 7, 2}), {0, 6, 7});
  bench.gateway.retained[topic(4)] = document(root_of(4, {6, 7, 2}, {5, 4}), {7, 6});
  bench.bring_up();
  EXPECT_EQ(version_of(bench), 4U);
  EXPECT_TRUE(bench.device.subscriptions.contains(topic(5)));
  EXPECT_FALSE(bench.device.subscriptions.contains(topic(2)));
  ASSERT_TRUE(bench.gateway.hello.has_value());
  ASSERT_TRUE(bench.reboot());
  for (uint32_t version = 2; version <= 4; ++version) bench.gateway.retained.erase(topic(version));
  ASSERT_TRUE(bench.run(1000));
  EXPECT_EQ(version_of(bench), 4U) << "it is in the journal";
  EXPECT_EQ(bench.gateway.hello->root_version(), 4U);
  // Many goals: the journal's halves take turns, and carry it on.
  EXPECT_TRUE(bench.deploy(release_by({4, 5})));
  const Release next = release_by({5, 4}, "1.1.0", 2);
  EXPECT_TRUE(bench.deploy(next, 2));
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(version_of(bench), 4U);
  EXPECT_EQ(bench.device.active(), next.digest);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

TEST(Root, TheNewerOneOfFirmwareAndJournalCounts) {
  Bench bench(options_with(root_of(1)));
  bench.gateway.retained[topic(2)] = document(root_of(2));
  bench.bring_up();
  ASSERT_EQ(version_of(bench), 2U);
  const Bytes newer = document(root_of(5, {6, 7}), {});
  bench.device.config.root = {reinterpret_cast<const uint8_t*>(newer.data()), newer.size()};
  ASSERT_TRUE(bench.reboot());
  EXPECT_EQ(version_of(bench), 5U);
  bench.gateway.retained[topic(6)] = document(root_of(6, {6, 7}), {6, 7});
  ASSERT_TRUE(bench.run(1000));
  EXPECT_EQ(version_of(bench), 6U);
}

TEST(Root, WithoutOneTheFirmwaresKeysSayWhoSigns) {
  Bench bench;
  bench.gateway.retained[topic(1)] = document(root_of(1));
  bench.bring_up();
  EXPECT_EQ(version_of(bench), 0U);
  EXPECT_FALSE(bench.device.subscriptions.contains(topic(1)));
  EXPECT_TRUE(bench.deploy(make_release({})));
}

TEST(Root, AuthorsSignAtTheirThreshold) {
  Bench bench(options_with(root_of(1)));
  bench.bring_up();
  struct Case {
    std::vector<size_t> signers;
    int reason;
  };
  uint32_t attempt = 0;
  for (const Case& c : std::vector<Case>{{{}, COVEY_ERROR_SIGNATURE_INVALID},
                                         {{3}, COVEY_ERROR_SIGNATURES_TOO_FEW},
                                         {{3, 3, 3}, COVEY_ERROR_SIGNATURES_TOO_FEW},
                                         {{0, 1}, COVEY_ERROR_KEY_UNKNOWN},
                                         {{6, 7}, COVEY_ERROR_KEY_UNKNOWN}}) {
    const Release release = release_by(c.signers);
    bench.gateway.add(release);
    bench.gateway.want({.candidate = &release, .attempt = ++attempt});
    for (int i = 0; i < 100 && bench.device.status().attempt != attempt; ++i) {
      ASSERT_TRUE(bench.run(100));
    }
    ASSERT_TRUE(bench.run_until(COVEY_PHASE_DECLINED)) << attempt;
    EXPECT_EQ(bench.device.status().reason, c.reason) << attempt;
  }
  EXPECT_TRUE(bench.deploy(release_by({6, 5, 3}), ++attempt));
}

// Each is brought to a device with version 3, which must keep it.
TEST(Root, HostileDocuments) {
  const wire::Root good = root_of(4);
  const auto edited = [&](const std::function<void(wire::Root&)>& edit) {
    wire::Root root = good;
    edit(root);
    return document(root, {0, 1, 2});
  };
  const auto resigned = [&](const std::function<void(wire::SignedRoot&)>& edit) {
    wire::SignedRoot made = envelope(good, {0, 1});
    edit(made);
    return made.SerializeAsString();
  };
  const Bytes whole = document(good);
  const std::vector<std::pair<const char*, Bytes>> cases{
      {"no signature", document(good, {})},
      {"one signature", document(good, {0})},
      {"one signature twice",
       resigned([](auto& d) { *d.mutable_signatures(1) = d.signatures(0); })},
      {"two signatures of one key", document(good, {1, 1, 1})},
      {"authors", document(good, {3, 4, 5})},
      {"strangers", document(root_of(4, {6, 7}), {6, 7})},
      {"one of the old ones, all of the new ones", document(root_of(4, {6, 7}), {0, 6, 7})},
      {"all of the old ones, one of the new ones", document(root_of(4, {6, 7}), {0, 1, 6})},
      {"a signature changed",
       resigned([](auto& d) { (*d.mutable_signatures(1)->mutable_signature())[7] ^= 1; })},
      {"a signature cut short",
       resigned([](auto& d) { d.mutable_signatures(1)->mutable_signature()->pop_back(); })},
      {"a key id cut short",
       resigned([](auto& d) { d.mutable_signatures(1)->mutable_key_id()->pop_back(); })},
      {"another algorithm", resigned([](auto& d) { d.mutable_signatures(1)->set_algorithm(1); })},
      {"an unknown algorithm",
       resigned([](auto& d) { d.mutable_signatures(1)->set_algorithm(77); })},
      {"the document changed", resigned([](auto& d) { d.mutable_root()->back() ^= 2; })},
      {"signed as a manifest", resigned([&](auto& d) {
         d.clear_signatures();
         for (const size_t i : {0, 1}) *d.add_signatures() = key(i).sign(d.root());
       })},
      {"version 2 again", document(root_of(2))},
      {"version 3 with other content", document(root_of(3, {0, 1, 2}, {3, 4}))},
      {"version 5", document(root_of(5))},
      {"version 0", edited([](auto& r) { r.set_version(0); })},
      {"version 2^32 - 1", edited([](auto& r) { r.set_version(UINT32_MAX); })},
      {"another format", edited([](auto& r) { r.set_format(2); })},
      {"root threshold 0", edited([](auto& r) { r.set_root_threshold(0); })},
      {"root threshold above the keys", edited([](auto& r) { r.set_root_threshold(4); })},
      {"author threshold 0", edited([](auto& r) { r.set_author_threshold(0); })},
      {"author threshold above the authors", edited([](auto& r) { r.set_author_threshold(4); })},
      {"a threshold of 2^32 - 1", edited([](auto& r) { r.set_root_threshold(UINT32_MAX); })},
      {"a key twice", edited([](auto& r) { *r.mutable_keys(1) = r.keys(0); })},
      {"no keys", edited([](auto& r) { r.clear_keys(); })},
      {"a key without a role", edited([](auto& r) { r.mutable_keys(5)->set_roles(0); })},
      {"a role of the future", edited([](auto& r) { r.mutable_keys(5)->set_roles(4); })},
      {"a short key", edited([](auto& r) { r.mutable_keys(5)->mutable_key()->pop_back(); })},
      {"a compressed key", edited([](auto& r) { (*r.mutable_keys(0)->mutable_key())[0] = 2; })},
      {"nine keys", edited([](auto& r) {
         name(r, 6, 1);
         name(r, 7, 1);
         name(r, 6, 2);
       })},
      {"cut in the middle", whole.substr(0, whole.size() / 2)},
      {"cut by a byte", whole.substr(0, whole.size() - 1)},
      {"longer than any", whole + Bytes(COVEY_SIGNED_ROOT_BYTES_MAX, '\0')},
      {"a document above 600 bytes",
       [&] {
         wire::SignedRoot made = envelope(good, {});
         made.mutable_root()->append(Bytes("\x7a\x7f", 2) + Bytes(127, 'x') + "\x7a\x7f" +
                                     Bytes(127, 'x'));
         const Bytes content = Bytes("covey root") + '\0' + made.root();
         for (const size_t i : {0, 1}) *made.add_signatures() = key(i).sign(content);
         return made.SerializeAsString();
       }()},
      {"zeros", Bytes(100, '\0')},
      {"a manifest", release_by({3, 4}).message},
  };
  Bench bench(options_with(root_of(3)));
  bench.bring_up();
  ASSERT_EQ(version_of(bench), 3U);
  for (const auto& [what, bytes] : cases) {
    for (const size_t piece : {size_t{0}, size_t{100}}) {
      bench.device.options.piece_bytes = piece;
      bench.device.deliver({topic(4), bytes});
      ASSERT_TRUE(bench.run(500)) << what;
      EXPECT_EQ(version_of(bench), 3U) << what;
    }
  }
  for (size_t size = 1; size < whole.size(); size += 7) {
    bench.device.deliver({topic(4), whole.substr(0, size)});
    EXPECT_EQ(version_of(bench), 3U) << size;
  }
  bench.device.deliver({topic(5), document(root_of(5))});
  EXPECT_EQ(version_of(bench), 3U) << "on a topic that it does not wait for";
  ASSERT_TRUE(bench.reboot());
  ASSERT_TRUE(bench.run(1000));
  EXPECT_EQ(version_of(bench), 3U);
  bench.device.deliver({topic(4), whole});
  EXPECT_EQ(version_of(bench), 4U) << "and the good one is taken all the same";
}

// Whoever has fewer keys than a threshold, of either role, runs nothing of theirs; with as many
// they do, and that is what the threshold is for.
TEST(Root, EachTheftOfFewerKeysRunsNothing) {
  const Release honest = release_by({3, 4});
  int ran = 0;
  for (uint32_t stolen = 0; stolen < 1U << (kRoots + kAuthors); ++stolen) {
    SCOPED_TRACE(stolen);
    std::vector<size_t> roots;
    std::vector<size_t> authors;
    for (size_t i = 0; i < kRoots + kAuthors; ++i) {
      if ((stolen >> i & 1U) != 0) (i < kRoots ? roots : authors).push_back(i);
    }
    Bench bench(options_with(root_of(1)));
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(honest));
    // The thief has gateway and broker, too: goals and retained messages are theirs. A root of
    // their own, signed with what they have and by its own keys.
    wire::Root theirs = root_of(2, {}, {});
    name(theirs, 6, 3);
    name(theirs, 7, 3);
    theirs.set_author_threshold(1);
    std::vector<size_t> signers = roots;
    signers.insert(signers.end(), {6, 7});
    bench.gateway.retained[topic(2)] = document(theirs, signers);
    bench.device.deliver({topic(2), bench.gateway.retained[topic(2)]});
    ASSERT_TRUE(bench.run(1000));
    // Their model, signed with all that they have.
    std::vector<size_t> writers = authors;
    if (writers.size() < 4) writers.push_back(6);
    const Release foreign = release_by(writers, "6.6.6", 66);
    bench.gateway.add(foreign);
    bench.gateway.want({.candidate = &foreign, .may_confirm = true, .attempt = 2});
    bool foreign_ran = false;
    for (int i = 0; i < 100 && !foreign_ran; ++i) {
      ASSERT_TRUE(bench.run(200, 50));
      foreign_ran = bench.device.active() == foreign.digest;
    }
    const bool enough = roots.size() >= kThreshold || authors.size() >= kThreshold;
    EXPECT_EQ(foreign_ran, enough);
    EXPECT_EQ(version_of(bench), roots.size() >= kThreshold ? 2U : 1U);
    if (!enough) {
      EXPECT_EQ(bench.device.active(), honest.digest);
    }
    ran += foreign_ran ? 1 : 0;
  }
  EXPECT_EQ(ran, 64 - 16) << "of 8 x 8 thefts those with two keys of a role";
}

TEST(Root, WhatARevokedAuthorSignedStartsNoMore) {
  Bench bench(options_with(root_of(1)));
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(release_by({3, 4})));
  // It downloads when author 3 is revoked.
  Release next = release_by({3, 4}, "1.1.0", 2);
  bench.gateway.add(next);
  bench.gateway.chunks_left = 2;
  bench.gateway.want({.candidate = &next, .attempt = 2});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_DOWNLOADING));
  ASSERT_TRUE(bench.run(2000));
  bench.device.deliver({topic(2), document(root_of(2, {0, 1, 2}, {4, 5}))});
  ASSERT_EQ(version_of(bench), 2U);
  bench.gateway.chunks_left = -1;
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_DECLINED));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_SIGNATURES_TOO_FEW);
  EXPECT_NE(bench.device.active(), next.digest);
  // Signed anew, under the same digest.
  wire::SignedManifest message;
  ASSERT_TRUE(message.ParseFromString(next.message));
  *message.add_signatures() = key(5).sign(message.manifest());
  next.message = message.SerializeAsString();
  EXPECT_TRUE(bench.deploy(next, 3));
}

TEST(Root, WhatIsStagedAsksAgain) {
  Bench bench(options_with(root_of(1)));
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(release_by({3, 4})));
  const Release next = release_by({3, 5}, "1.1.0", 2);
  bench.gateway.add(next);
  bench.gateway.want({.candidate = &next, .mode = wire::GOAL_MODE_STAGED, .attempt = 2});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_STAGED));
  bench.device.deliver({topic(2), document(root_of(2, {0, 1, 2}, {4, 5}))});
  bench.gateway.want({.candidate = &next, .attempt = 2});
  ASSERT_TRUE(bench.run_until(COVEY_PHASE_FAILED));
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_SIGNATURES_TOO_FEW);
}

TEST(Root, PowerCutsLeaveOneOfTheTwo) {
  const wire::Root first = root_of(1);
  const Bytes second = document(root_of(2, {0, 1, 2}, {4, 5}));
  const Release by_both = release_by({4, 5});
  int cuts = 0;
  for (const covey_host_geometry_t geometry : {covey_host_geometry_t{64U << 10U, 1024, 8, 0xff},
                                               covey_host_geometry_t{64U << 10U, 4096, 64, 0xff},
                                               covey_host_geometry_t{64U << 10U, 512, 32, 0x00}}) {
    bool whole = false;
    for (uint64_t cut = 1; !whole; ++cut) {
      for (int tear = COVEY_HOST_TEAR_NOTHING; tear <= COVEY_HOST_TEAR_ECC; ++tear) {
        DeviceOptions options = options_with(first);
        options.geometry = geometry;
        Bench bench(options);
        bench.bring_up();
        ASSERT_TRUE(bench.deploy(by_both));
        bench.device.flash.cut_at = bench.device.flash.operations + cut;
        bench.device.flash.tear = static_cast<covey_host_tear_t>(tear);
        bench.device.flash.seed = static_cast<uint32_t>(cut);
        bench.device.deliver({topic(2), second});
        whole = !bench.device.flash.dead;
        if (whole) break;
        ++cuts;
        const bool told = version_of(bench) == 2;
        ASSERT_TRUE(bench.reboot());
        EXPECT_TRUE(version_of(bench) == 1 || version_of(bench) == 2) << cut << ' ' << tear;
        EXPECT_TRUE(!told || version_of(bench) == 2) << "what it said was durable";
        EXPECT_EQ(bench.device.active(), by_both.digest);
        bench.gateway.retained[topic(2)] = second;
        ASSERT_TRUE(bench.run(2000));
        EXPECT_EQ(version_of(bench), 2U) << cut << ' ' << tear;
        EXPECT_EQ(bench.device.flash.written_twice, 0U);
      }
    }
  }
  EXPECT_GT(cuts, 3 * 6 * 12);
}

TEST(Root, AFlashThatFailsChangesNothing) {
  for (uint64_t fail = 1; fail <= 20; ++fail) {
    Bench bench(options_with(root_of(1)));
    bench.bring_up();
    bench.device.flash.fail_at = bench.device.flash.operations + fail;
    bench.device.deliver({topic(2), document(root_of(2))});
    EXPECT_EQ(version_of(bench), 2U) << "the other half takes it at the second try: " << fail;
    ASSERT_TRUE(bench.reboot());
    EXPECT_EQ(version_of(bench), 2U) << fail;
  }
}

TEST(Root, AJournalThatIsTooSmallIsAConfigurationThatCannotWork) {
  DeviceOptions options = options_with(root_of(1));
  Bench bench(options);
  bench.device.config.journal_bytes = 2048;
  EXPECT_EQ(covey_config_check(&bench.device.config), COVEY_ERROR_FLASH_GEOMETRY);
  bench.device.config.root = {};
  EXPECT_EQ(covey_config_check(&bench.device.config), COVEY_OK);
  const Bytes broken = document(root_of(0), {});
  bench.device.config.root = {reinterpret_cast<const uint8_t*>(broken.data()), broken.size()};
  EXPECT_EQ(covey_agent_init(&bench.device.agent, &bench.device.config), COVEY_ERROR_CONFIG)
      << "and never the firmware's keys instead";
}

}  // namespace
}  // namespace covey::agent_test
