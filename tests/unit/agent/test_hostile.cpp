// SPDX-License-Identifier: Apache-2.0
// Artifacts and messages that nobody should send: each refused with its own reason, before flash is
// touched where that is possible.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

// Orders the release and returns the reason it was refused with; flash must not have been erased.
int refused(Bench& bench, const Release& release, uint32_t floor = 0) {
  bench.bring_up();
  bench.gateway.add(release);
  const uint64_t erases = bench.device.flash.erases;
  bench.gateway.want({.candidate = &release, .security_floor = floor});
  bench.run_until(COVEY_PHASE_DECLINED, 30'000);
  EXPECT_LE(bench.device.flash.erases, erases + 2);  // the journal's first half
  EXPECT_EQ(bench.gateway.chunks_sent, 0U);
  EXPECT_EQ(bench.device.counters().bugs, 0U);
  return bench.device.status().phase == COVEY_PHASE_DECLINED ? bench.device.status().reason : 0;
}

int refused(const ReleaseOptions& options, const std::function<void(wire::Manifest&)>& change) {
  Bench bench;
  Release release = make_release(options);
  change(release.manifest);
  seal(release, author());
  return refused(bench, release);
}

TEST(Hostile, ManifestsAreRefusedEachWithItsReason) {
  const auto as_is = [](wire::Manifest&) {};
  EXPECT_EQ(refused({.device_class = "m0-64k"}, as_is), COVEY_ERROR_CLASS_MISMATCH);
  EXPECT_EQ(refused({.model = "other"}, as_is), COVEY_ERROR_MODEL_MISMATCH);
  EXPECT_EQ(refused({.arena_bytes = 4096}, as_is), COVEY_ERROR_ARENA_TOO_SMALL);
  EXPECT_EQ(refused({.model_bytes = 20000}, as_is), COVEY_ERROR_SLOT_TOO_SMALL);
  EXPECT_EQ(refused({.chunk_bytes = 2048}, as_is), COVEY_ERROR_MESSAGE_TOO_LARGE);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_runtime(1); }), COVEY_ERROR_RUNTIME_MISMATCH);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_operator_set(3); }), COVEY_ERROR_RUNTIME_MISMATCH);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_preprocessing_id(8); }),
            COVEY_ERROR_PREPROCESSING_MISMATCH);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_format(2); }), COVEY_ERROR_UNSUPPORTED);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_chunk_size_bytes(0); }),
            COVEY_ERROR_MANIFEST_MALFORMED);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_chunk_size_bytes(24); }),
            COVEY_ERROR_MANIFEST_MALFORMED);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_image_size_bytes(m.image_size_bytes() + 16); }),
            COVEY_ERROR_MANIFEST_MALFORMED);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_image_size_bytes(0xffffffff); }),
            COVEY_ERROR_MANIFEST_MALFORMED);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_model_size_bytes(0xfffffff0); }),
            COVEY_ERROR_MANIFEST_MALFORMED);
  EXPECT_EQ(refused({}, [](auto& m) { m.clear_selftest_digest(); }),
            COVEY_ERROR_MANIFEST_MALFORMED);
  EXPECT_EQ(refused({}, [](auto& m) { m.set_output_bytes(60000); }), COVEY_ERROR_SELFTEST_INVALID);
}

TEST(Hostile, BelowTheSecurityFloor) {
  Bench bench;
  EXPECT_EQ(refused(bench, make_release({.security_version = 2}), 3),
            COVEY_ERROR_BELOW_SECURITY_FLOOR);
  // It only rises, whatever later goals say, and survives a reboot.
  const Release release = make_release({.seed = 2, .security_version = 2});
  bench.gateway.add(release);
  bench.gateway.want({.candidate = &release, .attempt = 2, .security_floor = 0});
  bench.run(10'000);
  EXPECT_EQ(bench.device.status().reason, COVEY_ERROR_BELOW_SECURITY_FLOOR);
  ASSERT_TRUE(bench.device.boot());
  EXPECT_EQ(bench.device.status().security_floor, 3U);
}

TEST(Hostile, TheFloorNeverBarsAFallBack) {
  Bench bench;
  bench.bring_up();
  const Release old_one = make_release({.security_version = 1});
  const Release new_one = make_release({.version = "2.0.0", .seed = 2, .security_version = 5});
  ASSERT_TRUE(bench.deploy(old_one));
  ASSERT_TRUE(bench.deploy(new_one, 2));
  bench.gateway.want({.candidate = &old_one, .attempt = 3, .security_floor = 5});
  bench.run(200);
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_CONFIRMED));
  EXPECT_EQ(bench.device.active(), old_one.digest);
}

TEST(Hostile, Signatures) {
  const AuthorKey stranger(wire::SIGNATURE_ALGORITHM_ES256);
  const AuthorKey edwards(wire::SIGNATURE_ALGORITHM_ED25519);
  {
    Bench bench;
    EXPECT_EQ(refused(bench, make_release({.key = &stranger})), COVEY_ERROR_KEY_UNKNOWN);
  }
  {
    Bench bench;
    Release release = make_release({});
    wire::SignedManifest message;
    message.ParseFromString(release.message);
    message.mutable_signatures(0)->mutable_signature()->at(5) ^= 1;
    release.message = message.SerializeAsString();
    EXPECT_EQ(refused(bench, release), COVEY_ERROR_SIGNATURE_INVALID);
  }
  {
    Bench bench;
    Release release = make_release({});
    wire::SignedManifest message;
    message.ParseFromString(release.message);
    message.clear_signatures();
    release.message = message.SerializeAsString();
    EXPECT_EQ(refused(bench, release), COVEY_ERROR_SIGNATURE_INVALID);
  }
  {
    Bench bench;  // the author's key id on a stranger's signature
    Release release = make_release({.key = &stranger});
    wire::SignedManifest message;
    message.ParseFromString(release.message);
    const covey_public_key_t anchor = author().anchor();
    message.mutable_signatures(0)->set_key_id(anchor.key_id, sizeof anchor.key_id);
    release.message = message.SerializeAsString();
    EXPECT_EQ(refused(bench, release), COVEY_ERROR_SIGNATURE_INVALID);
  }
  {
    Bench bench;
    bench.device.config.algorithms = 1U << COVEY_ALGORITHM_ES256;
    EXPECT_EQ(refused(bench, make_release({.key = &edwards})), COVEY_ERROR_ALGORITHM_UNSUPPORTED);
  }
  {
    Bench bench;  // one good signature among others is enough
    Release release = make_release({.key = &stranger});
    wire::SignedManifest message;
    message.ParseFromString(release.message);
    *message.add_signatures() = author().sign(message.manifest());
    release.message = message.SerializeAsString();
    bench.bring_up();
    EXPECT_TRUE(bench.deploy(release));
  }
  {
    DeviceOptions options;
    options.keys = {edwards.anchor()};
    Bench bench(options);
    bench.bring_up();
    EXPECT_TRUE(bench.deploy(make_release({.key = &edwards})));
  }
}

TEST(Hostile, AnotherManifestUnderTheDigest) {
  Bench bench;
  Release release = make_release({});
  release.message = make_release({.seed = 2}).message;
  EXPECT_EQ(refused(bench, release), COVEY_ERROR_MANIFEST_DIGEST);
}

TEST(Hostile, TruncatedManifests) {
  const Release good = make_release({});
  for (size_t size = 1; size < good.message.size(); size += 13) {
    Bench bench;
    Release release = good;
    release.message.resize(size);
    EXPECT_NE(refused(bench, release), 0);
  }
}

// What only shows after flash was touched ends in FAILED.
int failed(Bench& bench, Release& release, const std::function<void(Release&)>& serve_instead) {
  bench.bring_up();
  bench.gateway.add(release);
  Release served = release;
  serve_instead(served);
  bench.gateway.retained["covey/v1/m/" + hex(sha256(release.table))] = served.table;
  bench.gateway.retained["covey/v1/m/" + hex(sha256(release.tables))] = served.tables;
  bench.gateway.want({.candidate = &release}, 1'000'000);
  EXPECT_TRUE(bench.run_until(COVEY_PHASE_FAILED, 5'000'000));
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
  return bench.device.status().reason;
}

TEST(Hostile, TablesThatAreNotTheManifests) {
  Release release = make_release({});
  {
    Bench bench;
    EXPECT_EQ(failed(bench, release, [](Release& r) { r.table[3] ^= 1; }),
              COVEY_ERROR_CHUNK_TABLE_DIGEST);
  }
  {
    Bench bench;
    EXPECT_EQ(failed(bench, release, [](Release& r) { r.table += "more"; }),
              COVEY_ERROR_CHUNK_TABLE_DIGEST);
  }
  {
    Bench bench;
    EXPECT_EQ(failed(bench, release, [](Release& r) { r.tables += "more"; }),
              COVEY_ERROR_TABLES_INVALID);
  }
  {
    Bench bench;
    EXPECT_EQ(failed(bench, release, [](Release& r) { r.tables = Bytes(5000, 'x'); }),
              COVEY_ERROR_TABLES_INVALID);
  }
}

TEST(Hostile, TablesThatTheAuthorGotWrong) {
  const auto with_tables = [](const std::function<void(wire::TelemetryTables&)>& change) {
    Release release = make_release({});
    wire::TelemetryTables tables;
    tables.ParseFromString(release.tables);
    change(tables);
    release.tables = tables.SerializeAsString();
    release.manifest.set_tables_digest(sha256(release.tables));
    seal(release, author());
    Bench bench;
    return failed(bench, release, [](Release&) {});
  };
  EXPECT_EQ(with_tables([](auto& t) { t.set_classes(17); }), COVEY_ERROR_TABLES_INVALID);
  EXPECT_EQ(with_tables([](auto& t) { t.add_joint()->set_feature(2); }),
            COVEY_ERROR_TABLES_INVALID);  // there are two
  EXPECT_EQ(with_tables([](auto& t) {
              for (int i = 0; i < COVEY_JOINT_LEAVES_MAX; ++i) t.add_joint();
            }),
            COVEY_ERROR_TABLES_INVALID);
  EXPECT_EQ(with_tables([](auto& t) { t.add_sample_probability(1); }), COVEY_ERROR_TABLES_INVALID);
  EXPECT_EQ(with_tables([](auto& t) { t.set_sample_probability(0, 65537); }),
            COVEY_ERROR_TABLES_INVALID);
  EXPECT_EQ(with_tables([](auto& t) { t.mutable_features(0)->add_edges(7); }),
            COVEY_ERROR_TABLES_INVALID);
  EXPECT_EQ(with_tables([](auto& t) {
              for (int i = 0; i < 16; ++i) t.mutable_features(0)->add_edges(100 + i);
            }),
            COVEY_ERROR_TABLES_INVALID);
  EXPECT_EQ(with_tables([](auto& t) {
              while (t.features_size() < 17) t.add_features();
            }),
            COVEY_ERROR_TABLES_INVALID);
}

TEST(Hostile, ImageDigestsOfTheAuthor) {
  const auto with_manifest = [](const std::function<void(wire::Manifest&)>& change) {
    Release release = make_release({});
    change(release.manifest);
    seal(release, author());
    Bench bench;
    return failed(bench, release, [](Release&) {});
  };
  const Bytes other = sha256("other");
  EXPECT_EQ(with_manifest([&](auto& m) { m.set_artifact_digest(other); }),
            COVEY_ERROR_IMAGE_DIGEST);
  EXPECT_EQ(with_manifest([&](auto& m) { m.set_preprocessing_digest(other); }),
            COVEY_ERROR_IMAGE_DIGEST);
  EXPECT_EQ(with_manifest([&](auto& m) { m.set_selftest_digest(other); }),
            COVEY_ERROR_SELFTEST_INVALID);
  EXPECT_EQ(with_manifest([&](auto& m) { m.set_input_bytes(9); }), COVEY_ERROR_SELFTEST_INVALID);
}

TEST(Hostile, BytesOfAnAttemptAreBudgeted) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({.model_bytes = 600});
  bench.gateway.add(release);
  bench.gateway.chunks_left = 0;
  bench.gateway.want({.candidate = &release});
  bench.run(500);
  wire::Chunk message;
  message.set_manifest(release.prefix());
  message.set_data(Bytes(1900, 'x'));
  const size_t budget =
      size_t{COVEY_BYTE_BUDGET_FACTOR} * release.manifest.image_size_bytes() / 1900;
  int error = COVEY_ERROR_CHUNK_DIGEST;
  for (size_t i = 0; i < budget; ++i) {
    ASSERT_EQ(error, COVEY_ERROR_CHUNK_DIGEST);
    error = bench.device.deliver({"covey/v1/2a/press-07/down/chunk", message.SerializeAsString()});
  }
  error = bench.device.deliver({"covey/v1/2a/press-07/down/chunk", message.SerializeAsString()});
  EXPECT_EQ(error, COVEY_ERROR_BYTE_BUDGET);
  bench.run(3000);
  EXPECT_EQ(bench.device.status().phase, COVEY_PHASE_FAILED);
  EXPECT_EQ(bench.gateway.state()->reason(), wire::REASON_BYTE_BUDGET);
}

TEST(Hostile, ChunksNobodyAskedFor) {
  Bench bench;
  bench.bring_up();
  const Release release = make_release({});
  bench.gateway.add(release);
  bench.gateway.chunks_left = 2;
  bench.gateway.want({.candidate = &release});
  bench.run(500);
  const auto chunk = [&](uint32_t index, const Bytes& data) {
    wire::Chunk message;
    message.set_manifest(release.prefix());
    message.set_index(index);
    message.set_data(data);
    return bench.device.deliver({"covey/v1/2a/press-07/down/chunk", message.SerializeAsString()});
  };
  EXPECT_EQ(bench.device.status().chunks_have, 2U);
  EXPECT_EQ(chunk(0, release.chunk(0)), COVEY_OK);           // has it
  EXPECT_EQ(chunk(1000, release.chunk(0)), COVEY_OK);        // no such
  EXPECT_EQ(chunk(0xffffffff, release.chunk(0)), COVEY_OK);  // no such
  EXPECT_EQ(chunk(3, release.chunk(4)), COVEY_ERROR_CHUNK_DIGEST);
  EXPECT_EQ(chunk(3, release.chunk(3) + "x"), COVEY_ERROR_CHUNK_DIGEST);
  EXPECT_EQ(chunk(3, ""), COVEY_ERROR_CHUNK_DIGEST);
  EXPECT_EQ(bench.device.status().chunks_have, 2U);
  EXPECT_EQ(chunk(3, release.chunk(3)), COVEY_OK);
  EXPECT_EQ(bench.device.status().chunks_have, 3U);
  EXPECT_EQ(bench.device.flash.written_twice, 0U);
}

}  // namespace
}  // namespace covey::agent_test
