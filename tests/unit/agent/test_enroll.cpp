// SPDX-License-Identifier: Apache-2.0
// Enrolment: pending, accepted, and an identity that stays.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/agent/bench.hpp"

namespace covey::agent_test {
namespace {

TEST(Enroll, PendingUntilAccepted) {
  Bench bench;
  bench.gateway.enroll_state = wire::ENROLL_STATE_PENDING;
  ASSERT_TRUE(bench.device.boot());
  covey_credentials_t credentials;
  EXPECT_EQ(covey_agent_credentials(&bench.device.agent, &credentials), COVEY_ERROR_NOT_ENROLLED);
  bench.device.connect();
  bench.run(300'000);
  EXPECT_FALSE(covey_agent_enrolled(&bench.device.agent));
  bench.gateway.enroll_state = wire::ENROLL_STATE_ACCEPTED;
  bench.run(60'000);
  ASSERT_TRUE(covey_agent_enrolled(&bench.device.agent));
  EXPECT_EQ(bench.device.events.back(), COVEY_EVENT_CREDENTIALS);
  ASSERT_EQ(covey_agent_credentials(&bench.device.agent, &credentials), COVEY_OK);
  EXPECT_STREQ(credentials.username, "press-07");
  EXPECT_STREQ(credentials.password, "secret");
  EXPECT_STREQ(credentials.shard, "2a");
  EXPECT_EQ(credentials.site_epoch, 1U);
  // The same after a reboot.
  ASSERT_TRUE(bench.reboot());
  EXPECT_TRUE(covey_agent_enrolled(&bench.device.agent));
  char topic[COVEY_TOPIC_BYTES_MAX];
  uint8_t will[COVEY_BYE_BYTES_MAX];
  const size_t size = covey_agent_will(&bench.device.agent, topic, sizeof topic, will, sizeof will);
  wire::Bye bye;
  ASSERT_TRUE(bye.ParseFromArray(will, static_cast<int>(size)));
  EXPECT_STREQ(topic, "covey/v1/2a/press-07/up/bye");
  EXPECT_EQ(bye.boot_id(), covey_agent_boot_id(&bench.device.agent));
  EXPECT_EQ(bye.connection(), 2U);
}

TEST(Enroll, NonceIsTheFactorysUntilForgotten) {
  Bench bench;
  ASSERT_TRUE(bench.device.boot());
  const uint64_t nonce = bench.device.agent.enroll_nonce;
  ASSERT_TRUE(bench.device.boot());
  EXPECT_EQ(bench.device.agent.enroll_nonce, nonce);
  ASSERT_EQ(covey_agent_forget_identity(&bench.device.agent), COVEY_OK);
  EXPECT_NE(bench.device.agent.enroll_nonce, nonce);
}

TEST(Enroll, ADeviceThatWasProvisionedNeedsNone) {
  Bench bench;
  bench.gateway.enroll_state = wire::ENROLL_STATE_PENDING;
  ASSERT_EQ(bench.device.provision(), COVEY_OK);
  bench.bring_up();
  covey_credentials_t credentials;
  ASSERT_EQ(covey_agent_credentials(&bench.device.agent, &credentials), COVEY_OK);
  EXPECT_STREQ(credentials.username, "press-07");
  EXPECT_STREQ(credentials.password, "secret");
  EXPECT_STREQ(credentials.shard, "2a");
  EXPECT_EQ(credentials.site_epoch, 1U);
  EXPECT_TRUE(bench.deploy(make_release({})));
  bench.device.store.dead = true;
  EXPECT_EQ(bench.device.provision(), COVEY_ERROR_STORE);
}

TEST(Enroll, GrantForAnotherNonceOrWithNonsenseIsRefused) {
  Bench bench;
  ASSERT_TRUE(bench.device.boot());
  bench.device.connect();
  wire::EnrollGrant grant;
  grant.set_nonce(bench.device.agent.enroll_nonce);
  grant.set_state(wire::ENROLL_STATE_ACCEPTED);
  grant.set_order_key(Bytes(32, 'k'));
  grant.set_shard("2a");
  const auto deliver = [&](const wire::EnrollGrant& one) {
    return bench.device.deliver({"covey/v1/enroll/press-07/down", one.SerializeAsString()});
  };
  wire::EnrollGrant bad = grant;
  bad.set_nonce(grant.nonce() + 1);
  EXPECT_EQ(deliver(bad), COVEY_ERROR_MESSAGE_MALFORMED);
  bad = grant;
  bad.set_order_key("short");
  EXPECT_EQ(deliver(bad), COVEY_ERROR_MESSAGE_MALFORMED);
  for (const char* shard : {"", "4a", "2A", "2g", "2aa"}) {
    bad = grant;
    bad.set_shard(shard);
    EXPECT_EQ(deliver(bad), COVEY_ERROR_MESSAGE_MALFORMED) << shard;
  }
  bad = grant;
  bad.set_username(Bytes(64, 'u'));
  EXPECT_EQ(deliver(bad), COVEY_ERROR_MESSAGE_MALFORMED);
  EXPECT_FALSE(covey_agent_enrolled(&bench.device.agent));
  EXPECT_EQ(deliver(grant), COVEY_OK);
  EXPECT_TRUE(covey_agent_enrolled(&bench.device.agent));
}

TEST(Enroll, NewSiteBeginsNewCounters) {
  Bench bench;
  bench.bring_up();
  ASSERT_TRUE(bench.deploy(make_release({})));
  EXPECT_GT(covey_agent_goal_counter(&bench.device.agent), 0U);
  bench.device.disconnect();
  ASSERT_EQ(covey_agent_forget_identity(&bench.device.agent), COVEY_OK);
  bench.gateway.order_key = Bytes(32, 'n');
  bench.gateway.site_epoch = 5;
  bench.gateway.counter = 0;
  bench.gateway.hello.reset();
  bench.device.connect();
  bench.run(10'000);
  EXPECT_TRUE(covey_agent_enrolled(&bench.device.agent));
  EXPECT_EQ(covey_agent_goal_counter(&bench.device.agent), 1U);
  EXPECT_EQ(covey_agent_site_epoch(&bench.device.agent), 5U);
  EXPECT_NE(bench.device.active(), "");  // what it runs, it runs
}

TEST(Config, ImpossibleConfigurationsAreRefused) {
  Bench bench;
  Device& d = bench.device;
  const auto check = [&](auto change) {
    covey_agent_config_t config = d.config;
    covey_port_t port = d.port;
    std::vector<covey_model_config_t> models = d.models;
    config.port = &port;
    change(config, port, models[0]);
    config.models = models.data();
    return covey_config_check(&config);
  };
  using Config = covey_agent_config_t;
  using Port = covey_port_t;
  using Model = covey_model_config_t;
  EXPECT_EQ(check([](Config&, Port&, Model&) {}), COVEY_OK);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.device_id = "bad id"; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.device_id = ""; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.device_id = "a/b"; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.send_bytes = 100; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.receive_bytes = 100; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.model_count = 9; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.journal_bytes = 1000; }),
            COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(check([](Config& c, Port&, Model&) { c.journal_offset = 4096; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config&, Port& p, Model&) { p.flash.write_align_bytes = 128; }),
            COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(check([](Config& c, Port& p, Model&) {
              p.flash.erase_unit_bytes = 768;  // no power of two
              c.journal_bytes = 3072;
            }),
            COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(check([](Config&, Port& p, Model&) {
              p.flash.size_bytes = UINT32_MAX / COVEY_BYTE_BUDGET_FACTOR;
            }),
            COVEY_OK);
  EXPECT_EQ(check([](Config&, Port& p, Model&) {
              p.flash.size_bytes = UINT32_MAX / COVEY_BYTE_BUDGET_FACTOR + 1;
            }),
            COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(check([](Config&, Port& p, Model&) { p.flash.xip_base = nullptr; }),
            COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config&, Port& p, Model&) { p.crypto.mac = nullptr; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config&, Port&, Model& m) { m.slots[1] = m.slots[0]; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(check([](Config&, Port&, Model& m) { m.slots[1].offset += 1; }),
            COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(check([](Config&, Port&, Model& m) { m.slots[1].size_bytes = 1U << 20U; }),
            COVEY_ERROR_FLASH_GEOMETRY);
  EXPECT_EQ(check([](Config&, Port&, Model& m) { ++m.arena; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(covey_config_check(nullptr), COVEY_ERROR_ARGUMENT);
}

TEST(Config, WhatMemoryDependsOnIsCheckedByInit) {
  Bench bench;
  covey_agent_t agent;
  const auto init = [&](auto change) {
    covey_agent_config_t config = bench.device.config;
    change(config);
    return covey_agent_init(&agent, &config);
  };
  using Config = covey_agent_config_t;
  const Bytes long_id(COVEY_DEVICE_ID_BYTES_MAX + 1, 'd');
  EXPECT_EQ(init([](Config&) {}), COVEY_OK);
  EXPECT_EQ(init([&](Config& c) { c.device_id = long_id.c_str(); }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(init([](Config& c) { c.send_bytes = 100; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(init([](Config& c) { c.receive_bytes = 100; }), COVEY_ERROR_CONFIG);
  EXPECT_EQ(init([](Config& c) { c.model_count = 9; }), COVEY_ERROR_CONFIG);
}

TEST(Errors, HaveNames) {
  EXPECT_STREQ(covey_error_name(0), "OK");
  EXPECT_STREQ(covey_error_name(COVEY_ERROR_BOOT_LOOP), "BOOT_LOOP");
  EXPECT_STREQ(covey_error_name(COVEY_RUNTIME_NOT_TFLITE), "RUNTIME_NOT_TFLITE");
  EXPECT_EQ(covey_error_name(-99999), nullptr);
  // The same numbers as on the wire, and the same names.
  const auto* reasons = wire::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    if (reasons->value(i)->number() == 0) continue;
    const char* name = covey_error_name(-reasons->value(i)->number());
    ASSERT_NE(name, nullptr) << reasons->value(i)->name();
    EXPECT_EQ(reasons->value(i)->name(), std::string("REASON_") + name);
  }
}

}  // namespace
}  // namespace covey::agent_test
