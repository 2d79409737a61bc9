// SPDX-License-Identifier: Apache-2.0
// What examples/minimal_firmware tells its agent of an inference: all that its README promises.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "covey/error.h"
#include "covey/port_psa.h"
#include "examples/minimal_firmware/app.h"
#include "port_template.h"
#include "reference_runtime.h"

namespace {

std::vector<covey_inference_t> recorded;
std::vector<int16_t> features;
int invoke_error = 0;
bool has_reading = true;
uint32_t now_us = 0xffffff00U;  // wraps within the first inference

}  // namespace

extern "C" {
// The board and the application's sensor.
uint64_t board_now_ms() { return 77'000; }
uint32_t app_now_us() { return now_us; }
bool app_read_sensor(int8_t* input, size_t size, int16_t* out) {
  std::memset(input, 5, size);
  for (size_t i = 0; i < APP_FEATURES; ++i) out[i] = static_cast<int16_t>(i);
  out[2] = COVEY_FEATURE_MISSING;
  return has_reading;
}
int port_open(covey_port_t* /*port*/) { return COVEY_OK; }

// The agent.
void covey_psa_public_key(const uint8_t* /*key*/, size_t /*size*/, covey_public_key_t* /*out*/) {}
void covey_reference_init(covey_reference_t* /*reference*/) {}
covey_runtime_t covey_reference_runtime(covey_reference_t* /*reference*/) { return {}; }
int covey_agent_init(covey_agent_t* /*agent*/, const covey_agent_config_t* /*config*/) { return 0; }
int covey_agent_start(covey_agent_t* /*agent*/, covey_start_cause_t /*cause*/, uint64_t /*now*/) {
  return 0;
}
int covey_agent_model(const covey_agent_t* /*agent*/, size_t /*model*/, covey_model_view_t* view) {
  *view = {};
  view->format.input.size_bytes = 16;
  view->format.output.size_bytes = 4;
  return COVEY_OK;
}
int covey_agent_invoke(covey_agent_t* /*agent*/, size_t /*model*/, const int8_t* /*input*/,
                       size_t /*size*/, int8_t* output, size_t output_size) {
  now_us += 1'234;
  std::memset(output, 0, output_size);
  output[3] = 72;
  return invoke_error;
}
uint32_t covey_agent_record_inference(covey_agent_t* /*agent*/, size_t /*model*/,
                                      const covey_inference_t* inference) {
  recorded.push_back(*inference);
  features.assign(inference->features, inference->features + inference->feature_count);
  return 1;
}
uint32_t covey_agent_poll(covey_agent_t* /*agent*/, uint64_t /*now*/) { return 1; }
void covey_agent_connected(covey_agent_t* /*agent*/, uint64_t /*now*/) {}
void covey_agent_disconnected(covey_agent_t* /*agent*/, uint64_t /*now*/) {}
int covey_agent_receive(covey_agent_t* /*agent*/, const char* /*topic*/, size_t /*topic_size*/,
                        const uint8_t* /*payload*/, size_t /*size*/, size_t /*offset*/,
                        size_t /*total*/) {
  return 0;
}
int covey_agent_credentials(const covey_agent_t* /*agent*/, covey_credentials_t* /*out*/) {
  return COVEY_ERROR_NOT_ENROLLED;
}
}

namespace covey::porting_test {
namespace {

TEST(MinimalFirmware, RecordsWhatTheGatewayCanUse) {
  ASSERT_EQ(app_start(COVEY_START_POWER_ON), 0);
  (void)app_step();
  ASSERT_EQ(recorded.size(), 1U);
  EXPECT_FALSE(recorded[0].failed);
  EXPECT_EQ(recorded[0].class_index, 3U);
  EXPECT_EQ(recorded[0].confidence, 200);
  EXPECT_EQ(recorded[0].latency_us, 1'234U);
  EXPECT_EQ(recorded[0].uptime_ms, 77'000U);
  ASSERT_EQ(features.size(), size_t{APP_FEATURES});
  EXPECT_EQ(features[1], 1);
  EXPECT_EQ(features[2], COVEY_FEATURE_MISSING);
}

}  // namespace
}  // namespace covey::porting_test
