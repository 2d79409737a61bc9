// SPDX-License-Identifier: Apache-2.0
// The wire's limits (covey/limits.h) against the gateway's own: what an agent may send is taken,
// what the gateway makes is no longer than an agent takes. The agent asserts its side in
// covey/sizes.h.
#include "covey/limits.h"

#include "core/limits.hpp"
#include "deploy/artifact/manifest.hpp"
#include "deploy/root/root.hpp"
#include "gateway/codec/device_codec.hpp"
#include "monitoring/counts/window.hpp"

namespace covey::codec {

// Sent by devices.
static_assert(kModelsPerDeviceMax >= COVEY_DEVICE_MODELS_MAX);
static_assert(kStreamsPerBootMax >= COVEY_BOOT_STREAMS_MAX);
static_assert(kInferencesRememberedMax >= COVEY_REPORT_SAMPLES_MAX);
static_assert(monitoring::kClassesMax >= COVEY_REPORT_CLASSES_MAX);
static_assert(monitoring::kFeaturesMax >= COVEY_REPORT_FEATURES_MAX);
static_assert(monitoring::kBinsMax >= COVEY_REPORT_BINS_MAX);
static_assert(monitoring::kLatencyBucketsMax >= COVEY_REPORT_LATENCY_BUCKETS_MAX);
static_assert(monitoring::kEnergyBucketsMax >= COVEY_REPORT_ENERGY_BUCKETS_MAX);
static_assert(monitoring::kJointLeavesMax >= COVEY_REPORT_LEAVES_MAX);

// Sent to devices.
static_assert(kImageBytesMax <= COVEY_IMAGE_BYTES_MAX);
static_assert(kChunksMax <= COVEY_IMAGE_CHUNKS_MAX);
static_assert(kChunkBytesMin >= COVEY_CHUNK_BYTES_MIN);
static_assert(kChunkBytesMax <= COVEY_CHUNK_BYTES_MAX);
static_assert(kGoalBytesMax <= COVEY_GOAL_BYTES_MAX);
static_assert(kRootBytesMax <= COVEY_ROOT_BYTES_MAX);
static_assert(kRootKeysMax <= COVEY_ROOT_KEYS_MAX);
static_assert(kRootSignaturesMax <= COVEY_ROOT_SIGNATURES_MAX);
static_assert(kSignedRootBytesMax <= COVEY_SIGNED_ROOT_BYTES_MAX);
static_assert(kAuthorThresholdMax <= COVEY_SIGNATURES_MAX);

}  // namespace covey::codec
