// SPDX-License-Identifier: Apache-2.0
// Limits of the gateway that keep its memory, its messages and its turns bounded whatever devices
// and clients do, in one place, with how they depend on each other. Sizes in bytes. Those of the
// wire are covey/limits.h, shared with the agent (gateway/codec/wire_limits.cpp sets both side by
// side); those of an artifact are deploy/artifact; what an operator may choose is in the
// configuration.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.hpp"

namespace covey {

// ---- The fleet.
inline constexpr size_t kDevicesMax = 200'000;
inline constexpr size_t kModelsPerDeviceMax = 8;
inline constexpr size_t kLabelsPerDeviceMax = 32;  // operator labels: key/value
inline constexpr size_t kBootsPerDeviceMax = 8;
inline constexpr size_t kStreamsPerBootMax = 128;  // four models of 32, the most that an agent has
inline constexpr size_t kForgottenBootsMax = 16;   // of a device: what they sent is known as theirs
inline constexpr size_t kUnknownTotalsMax = 4;     // of a device: releases that nobody pushed here
inline constexpr size_t kTotalsPerDeviceMax = 64;  // (release, cohort); more are added together
// Labels whose sample has not come: of the site, the newest.
inline constexpr size_t kLabelsWaitingMax = 262'144;
// Samples and labels that may not be in the store yet, or not when somebody looked there last.
inline constexpr size_t kInferencesRememberedMax = 262'144;
inline constexpr Millis kInferencesRemembered{600'000};
inline constexpr size_t kSiteSecretsMax = 16;        // the newest, and those that devices still use
inline constexpr size_t kTokensMax = 1'000;          // of people and pipelines
inline constexpr uint32_t kRootVersionsMax = 1'000;  // of the document that names authors
inline constexpr size_t kRequestsMax = 10'000;       // request ids that are remembered
// What is over, the newest, however long its retention.
inline constexpr size_t kRolloutsOverMax = 10'000;
inline constexpr uint64_t kAuditEntriesMax = 1'000'000;
inline constexpr size_t kAssignmentsMax = 1'000;  // what rollouts left for devices that come
inline constexpr size_t kAssignmentsPerTargetMax = 8;

// ---- What one device may cost (gateway/engine/fleet/budget.hpp): the defaults, far above what a
// device with four models and a backlog sends.
inline constexpr uint64_t kReportsPerMinute = 120;
inline constexpr uint64_t kReportBytesPerMinute = 65'536;
inline constexpr uint64_t kBudgetBurst = 8;  // this many minutes' worth after a silence
inline constexpr uint64_t kRawBytesPerHour = 16'384;
inline constexpr uint32_t kUnknownBytesMax = 1'024;  // of a report, in fields of later versions
// A connection is a hello, a step of work a status, a window of chunks a fetch: far above what
// firmware does, far below what would hold up others.
inline constexpr uint64_t kHellosPerMinute = 120;
inline constexpr uint64_t kStatusesPerMinute = 1'200;
inline constexpr uint64_t kFetchesPerMinute = 6'000;
inline constexpr uint64_t kNoticesPerHour = 6;
inline constexpr uint64_t kOverBudgetAlertFrom = 20;  // refusals between two looks
inline constexpr size_t kOverBudgetAlertsMax = 10;    // at a time: the worst
inline constexpr Millis kOverBudgetQuiet{600'000};    // then its alert is over

// A device's uptime is placed by when its hello came, and the wall clock is put right now and then:
// what lies later than this is of a time that has not been.
inline constexpr Millis kClockSlack{300'000};
// One core makes no more of them.
inline constexpr uint64_t kInferencesPerMsMax = 100;

// ---- Calls of the API.
inline constexpr size_t kMessageBytesMax = 1U << 20U;
inline constexpr size_t kTextBytesMax = 1024;   // reasons and comments of people
inline constexpr size_t kSourceBytesMax = 256;  // where a release or a plan was made
inline constexpr int32_t kPageSizeMax = 1000;
inline constexpr int32_t kPageSizeDefault = 100;
inline constexpr size_t kNamesMax = 10'000;              // of devices, in one request
inline constexpr size_t kLabelsPerRequestMax = 10'000;   // truths of inferences
inline constexpr int kArtifactsMax = 16;                 // of a release
inline constexpr size_t kPieceBytesMax = 64U << 10U;     // of an image, in one message
inline constexpr uint32_t kRefusalsNotedPerMinute = 20;  // in the audit log
inline constexpr int kUploadsMax = 4;                    // at a time, each an image in memory

// ---- The log: what waits for who reads it, and how often a kind of line comes.
inline constexpr size_t kLogQueueBytesMax = 1U << 20U;
inline constexpr size_t kLogKindsMax = 256;
inline constexpr double kLogLinesAtOnce = 200;  // of a kind, then per second:
inline constexpr double kLogLinesPerSecond = 5;
inline constexpr Millis kLogRepeatsSaidEvery{10'000};

// ---- A turn of the engine: what it does at most, so that it stays under 5 ms whatever the size of
// the fleet; the rest follows in the next ones.
inline constexpr size_t kGoalRepeatsPerTick = 100;
inline constexpr size_t kSettingsOrderedPerTick = 50;  // each device's goal: a message and a row
inline constexpr size_t kExpiriesPerTick = 1'000;      // sessions whose time may be over
inline constexpr size_t kRetoldPerTick = 300;          // to a broker that may have forgotten
inline constexpr uint32_t kChangesPerTick = 100;       // of deployments by rollouts
inline constexpr uint32_t kLooksPerTick = 1'000;       // at devices of rollouts that go on
inline constexpr uint32_t kLookedAroundPerTick = 20;   // devices of the fleet, again and again
inline constexpr size_t kFloorsLookedAtPerTick = 50;   // the same, for their security floors
inline constexpr size_t kDevicesJudgedPerTick = 500;   // by gates; one rollout at least
inline constexpr size_t kExpiredPerTick = 500;         // deployments whose time has come
inline constexpr size_t kRetriedPerTick = 200;
inline constexpr size_t kStrangersForgottenPerSweep = 500;
inline constexpr size_t kReconciledPerTick = 200;        // devices
inline constexpr size_t kAttemptsLookedAtPerTick = 500;  // whose rollouts can't be forgotten
inline constexpr Millis kRolloutForgottenEvery{1'000};   // with all its rows
inline constexpr size_t kArchivedPerTick = 500;          // deployments
inline constexpr size_t kSessionsAskedPerTick = 1'000;   // has the window of this device come?
inline constexpr size_t kDevicesCopiedPerTick = 500;     // for the statistics of a window
inline constexpr size_t kDevicesForgottenPerTick = 500;  // of windows that nobody revises any more

// What a device asks for is heard up to here.
inline constexpr Millis kRetryAfterMax{3'600'000};          // "not now"
inline constexpr uint32_t kAttemptStepMax = 1'000;          // attempts that it counts and we don't
inline constexpr uint64_t kGoalCounterStepMax = 1U << 20U;  // goals that a lost store had given
inline constexpr uint32_t kEpochStepMax = 1'000;            // restores that we know nothing of
inline constexpr uint32_t kRollbackAttemptsMax = 3;         // that a rollback waits for

// A goal that an online device has not shown yet is said again after this long, then after twice as
// long, and so on: it may be lost on its way (a full queue, a broker that was killed).
inline constexpr Millis kGoalRepeatFirst{15'000};
inline constexpr Millis kGoalRepeatMax{600'000};

// A report's own row makes it durable; the rows that sum it up follow (docs/adr/0024). A start
// replays what they lack: at most this many reports, and as many as come in this time or while all
// devices take their turn.
inline constexpr Millis kSettleAfter{10'000};
inline constexpr uint64_t kUnsettledMax = 200'000;
inline constexpr size_t kDevicesSettledPerTick = 200;

// An acknowledgement waits EngineConfig::ack_interval for company. When half of the credit is used
// it does not wait; then this long must lie between two, or a backlog would get one per report.
inline constexpr Millis kAckGap{50};
inline constexpr size_t kAcksPerTurn = 2'000;

// ---- How they depend on each other.
namespace limits {
inline constexpr size_t kDeviceIdBytesMax = 63;
inline constexpr size_t kNameBytes = sizeof "devices/" - 1 + kDeviceIdBytesMax + 2;  // with its tag
inline constexpr size_t kLabelBytes = 2 + (2 + kDeviceIdBytesMax) + (2 + 16) + 11 + 6;
}  // namespace limits

static_assert(kNamesMax * limits::kNameBytes < kMessageBytesMax);
static_assert(kLabelsPerRequestMax * limits::kLabelBytes < kMessageBytesMax);
static_assert(kPieceBytesMax + kTextBytesMax < kMessageBytesMax);
static_assert(kPageSizeDefault <= kPageSizeMax);
static_assert(kNamesMax <= kDevicesMax);
static_assert(kDevicesCopiedPerTick <= kDevicesMax && kSessionsAskedPerTick <= kDevicesMax);
static_assert(kChangesPerTick <= kLooksPerTick);  // each is a look, too
static_assert(kGoalRepeatFirst < kGoalRepeatMax);

// Claims of a site, revoked ones included; ids that one may list, and all that have not ended.
inline constexpr size_t kClaimsMax = 1'000;
inline constexpr size_t kClaimIdsMax = 10'000;
inline constexpr size_t kClaimIdsOfAllMax = 200'000;
inline constexpr uint32_t kClaimCountMax = 100'000;
// Devices that one command may register, and what is said about those that can't be.
inline constexpr size_t kRegisteredAtOnceMax = 10'000;
inline constexpr size_t kRegistrationErrorsShown = 20;
// Manufacturers whose certificates say who a device is; of one of these certificates, and of a
// device's.
inline constexpr size_t kAuthoritiesMax = 50;
inline constexpr size_t kAuthorityBytesMax = 4'096;
inline constexpr size_t kDeviceCertificateBytesMax = 1'024;

}  // namespace covey
