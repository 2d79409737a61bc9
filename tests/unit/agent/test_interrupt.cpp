// SPDX-License-Identifier: Apache-2.0
// Recording without a lock: from an interrupt at any instruction of the agent, and from a thread
// that the agent interrupts at any instruction. On x86-64 the processor's single-step flag puts the
// interrupt after every single instruction; elsewhere a timer does, now and then.
#include <gtest/gtest.h>
#include <sys/time.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <map>

#include "device_agent/src/telemetry/telemetry.h"
#include "tests/unit/agent/bench.hpp"

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_THREAD__)
#define COVEY_TEST_SINGLE_STEP 1
#include <ucontext.h>
#include <x86intrin.h>
#endif

namespace covey::agent_test {
namespace {

// What was recorded, by its numbers: compared with what the gateway got.
struct Sums {
  uint64_t inferences = 0;
  uint64_t errors = 0;
  uint64_t latency_us = 0;
  uint64_t hits = 0;  // sampled; the bench's release samples all
  std::array<uint64_t, kOutputBytes> classes{};
  std::array<int64_t, 2> features{};
  std::array<uint64_t, 2> squares{};
  uint64_t missing = 0;

  bool operator==(const Sums&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Sums& s) {
  return out << s.inferences << " inferences, " << s.errors << " errors, " << s.latency_us
             << " us, " << s.hits << " hits, sums " << s.features[0] << " and " << s.features[1];
}

Sums received(const Gateway& gateway) {
  Sums sums;
  for (const auto& [key, stream] : gateway.streams) {
    for (const auto& [sequence, bytes] : stream.windows) {
      wire::Report r;
      if (!r.ParseFromString(bytes)) std::abort();
      sums.inferences += r.inferences();
      sums.errors += r.errors();
      sums.latency_us += r.latency_sum_us();
      sums.hits += static_cast<uint64_t>(r.samples_size()) + r.samples_dropped();
      uint64_t by_latency = 0;
      for (const uint32_t count : r.latency()) by_latency += count;
      uint64_t by_confidence = 0;
      for (const uint32_t count : r.confidence()) by_confidence += count;
      EXPECT_EQ(by_latency, r.inferences());
      EXPECT_EQ(by_confidence, r.inferences());
      for (int i = 0; i < r.classes_size(); ++i) {
        sums.classes[static_cast<size_t>(i)] += r.classes(i);
      }
      for (int i = 0; i < r.features_size(); ++i) {
        uint64_t values = r.features(i).missing();
        for (const uint32_t count : r.features(i).bins()) values += count;
        EXPECT_EQ(values, r.inferences());
        sums.features[static_cast<size_t>(i)] += r.features(i).sum();
        sums.squares[static_cast<size_t>(i)] += r.features(i).sum_squares();
        sums.missing += r.features(i).missing();
      }
    }
  }
  return sums;
}

class Interrupt : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.bring_up();
    ASSERT_TRUE(bench.deploy(release));
    drain();
    recorded = received(bench.gateway);
    telemetry = bench.device.telemetry[0].get();
  }
  void drain() {
    covey_agent_flush(&bench.device.agent, bench.device.now_ms);
    for (int i = 0; i < 1000 && !covey_agent_quiet(&bench.device.agent); ++i) bench.run(1000);
    ASSERT_TRUE(covey_agent_quiet(&bench.device.agent));
  }
  // Async-signal-safe: an interrupt handler.
  void record() {
    const uint32_t n = ++calls;
    const int16_t features[] = {
        static_cast<int16_t>(n % 20 == 0 ? COVEY_FEATURE_MISSING : static_cast<int>(n % 201) - 100),
        static_cast<int16_t>(n % 7)};
    covey_inference_t inference{};
    inference.features = features;
    inference.feature_count = 2;
    inference.class_index = n % kOutputBytes;
    inference.confidence = static_cast<uint8_t>(n);
    inference.latency_us = n % 5000;
    inference.failed = n % 31 == 0;
    const uint32_t drops = telemetry->drops;
    const uint32_t id = covey_agent_record_inference(&bench.device.agent, 0, &inference);
    if (telemetry->drops != drops) {
      ++refused;
      if (id != 0) ++jumps;
      return;
    }
    if (inference.failed) {
      ++recorded.errors;
      return;
    }
    if (id != last_id + 1 && last_id != 0) ++jumps;
    last_id = id;
    ++recorded.inferences;
    recorded.latency_us += inference.latency_us;
    ++recorded.hits;
    ++recorded.classes[inference.class_index];
    for (size_t i = 0; i < 2; ++i) {
      if (features[i] == COVEY_FEATURE_MISSING) {
        ++recorded.missing;
        continue;
      }
      recorded.features[i] += features[i];
      recorded.squares[i] += static_cast<uint64_t>(features[i] * features[i]);
    }
  }
  void flush() { covey_agent_flush(&bench.device.agent, bench.device.now_ms); }
  void expect_all_arrived() {
    drain();
    EXPECT_EQ(received(bench.gateway), recorded);
    EXPECT_EQ(bench.gateway.changed_windows, 0);
    EXPECT_EQ(bench.device.counters().bugs, 0U);
    EXPECT_EQ(jumps, 0U);
  }

  const Release release = make_release({.sample_probability = 65536});
  Bench bench;
  covey_telemetry_t* telemetry = nullptr;
  Sums recorded;
  uint32_t calls = 0;
  uint32_t last_id = 0;
  uint32_t jumps = 0;
  uint32_t refused = 0;
};

TEST_F(Interrupt, FullWindowsRefuseUntilTheNextPoll) {
  while (refused == 0) record();
  EXPECT_GE(recorded.inferences, 2U * 65'535);
  EXPECT_EQ(telemetry->drops, 1U);
  covey_agent_poll(&bench.device.agent, bench.device.now_ms);  // merges; closes nothing yet
  record();
  EXPECT_EQ(refused, 1U);
  expect_all_arrived();
}

TEST_F(Interrupt, AModelThatIsExchangedWhileSomebodyRecordsWaitsForHim) {
  // As the recorder would look from a poll that interrupts it.
  record();
  telemetry->recording = telemetry->recording + 1;
  covey_stream_switch(&bench.device.agent, &bench.device.agent.models[0]);
  EXPECT_TRUE(telemetry->exchange);
  EXPECT_LE(covey_agent_poll(&bench.device.agent, bench.device.now_ms), 100U);
  EXPECT_TRUE(telemetry->exchange);
  telemetry->recording = telemetry->recording + 1;
  record();
  EXPECT_EQ(refused, 1U);  // between two models
  covey_agent_poll(&bench.device.agent, bench.device.now_ms);
  EXPECT_FALSE(telemetry->exchange);
  record();
  EXPECT_EQ(refused, 1U);
  EXPECT_EQ(telemetry->drops, 1U);
  expect_all_arrived();
}

TEST_F(Interrupt, SamplesOfTheLastPollsTimeGetItWhole) {
  bench.device.now_ms = (uint64_t{3} << 32) - 5;
  covey_agent_poll(&bench.device.agent, bench.device.now_ms);
  record();
  bench.device.now_ms += 10;  // over a boundary of 32 bits
  drain();
  uint64_t latest = 0;
  for (const auto& [key, stream] : bench.gateway.streams) {
    wire::Report report;
    report.ParseFromString(stream.windows.rbegin()->second);
    for (const wire::Sample& sample : report.samples()) latest = sample.uptime_ms();
  }
  EXPECT_GE(latest, (uint64_t{3} << 32) - 5);
  EXPECT_LT(latest, uint64_t{3} << 32);
}

std::function<void()>* on_signal = nullptr;

TEST_F(Interrupt, ATimerRecordsWhileTheAgentPolls) {
  // On any processor: wherever the timer happens to fire.
  static volatile std::sig_atomic_t fired;
  fired = 0;
  std::function<void()> handler = [this] {
    record();
    fired = fired + 1;
  };
  on_signal = &handler;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { (*on_signal)(); };
  ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
  const itimerval often{{0, 50}, {0, 50}};
  const itimerval never{};
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  while (fired < 3000) flush();
  ASSERT_EQ(setitimer(ITIMER_REAL, &never, nullptr), 0);
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_EQ(refused, 0U);
  expect_all_arrived();
}

#ifdef COVEY_TEST_SINGLE_STEP

constexpr uint64_t kTrapFlag = 1U << 8U;

// Runs `code`; after each instruction `interrupt(n)`, n = 1, 2, ..., until it returns false.
// Returns how many instructions were stepped through.
uint64_t step(const std::function<void()>& code, const std::function<bool(uint64_t)>& interrupt) {
  static const std::function<bool(uint64_t)>* current;
  static uint64_t steps;
  current = &interrupt;
  steps = 0;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    auto& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
    if (!(*current)(++steps)) flags &= ~static_cast<greg_t>(kTrapFlag);
  };
  if (sigaction(SIGTRAP, &action, &before) != 0) std::abort();
  __writeeflags(__readeflags() | kTrapFlag);
  code();
  __writeeflags(__readeflags() & ~kTrapFlag);
  sigaction(SIGTRAP, &before, nullptr);
  return steps;
}

TEST_F(Interrupt, RecordsAfterEveryInstructionOfAClose) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) record();
    const uint64_t steps = step([&] { flush(); },
                                [&](uint64_t) {
                                  record();
                                  return true;
                                });
    EXPECT_GT(steps, 1000U);  // a close is more than that: it was really interrupted
  }
  EXPECT_EQ(refused, 0U);
  expect_all_arrived();
}

TEST_F(Interrupt, RecordsOnceAfterEachInstructionOfAClose) {
  // Each at first, where the windows change places; then every 397th of those that add counts.
  uint64_t steps = 1000;
  for (uint64_t at = 1; at <= steps; at += at < 500 ? 1 : 397) {
    record();
    step([&] { flush(); },
         [&](uint64_t n) {
           if (n == at) record();
           return n < at;
         });
    if (at == 1) {
      record();
      steps = step([&] { flush(); }, [](uint64_t) { return true; });
    }
  }
  EXPECT_EQ(refused, 0U);
  expect_all_arrived();
}

TEST_F(Interrupt, RecordsAfterEveryInstructionOfAnExchange) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) record();
    step([&] { covey_stream_switch(&bench.device.agent, &bench.device.agent.models[0]); },
         [&](uint64_t) {
           record();
           return true;
         });
  }
  EXPECT_GT(refused, 0U);  // while neither model counts; and nobody took them for counted
  EXPECT_EQ(telemetry->drops, refused);
  expect_all_arrived();
}

TEST_F(Interrupt, PollInterruptsTheRecorderAfterEverySecondInstruction) {
  bool more = true;
  for (uint64_t at = 1; more; at += 2) {
    more = false;
    step([&] { record(); },
         [&](uint64_t n) {
           if (n < at) return true;
           more = true;
           flush();
           return false;
         });
    record();
    flush();
  }
  EXPECT_EQ(refused, 0U);
  expect_all_arrived();
}

TEST_F(Interrupt, PollsInterruptTheRecorderAfterEveryInstruction) {
  for (int round = 0; round < 10; ++round) {
    step([&] { record(); },
         [&](uint64_t) {
           flush();
           return true;
         });
  }
  EXPECT_EQ(refused, 0U);
  expect_all_arrived();
}

TEST_F(Interrupt, AnExchangeInterruptsTheRecorderAfterEverySecondInstruction) {
  bool more = true;
  for (uint64_t at = 1; more; at += 2) {
    more = false;
    if (at % 4 == 1) flush();  // also with nothing in the window yet
    step([&] { record(); },
         [&](uint64_t n) {
           if (n < at) return true;
           more = true;
           covey_stream_switch(&bench.device.agent, &bench.device.agent.models[0]);
           if (telemetry->exchange != (telemetry->recording % 2 == 1)) ++jumps;
           return false;
         });
    covey_agent_poll(&bench.device.agent, bench.device.now_ms);
    EXPECT_FALSE(telemetry->exchange);
    record();
  }
  expect_all_arrived();
}

#endif

}  // namespace
}  // namespace covey::agent_test
