// SPDX-License-Identifier: Apache-2.0
// A registered fleet, part of it online, and a past, as a snapshot and an engine that was loaded
// from it; with the processor time of what the engine does. The only place of these measurements
// that knows the engine's headers. One thread; ends the program where the fleet itself goes wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/engine/site.hpp"

namespace covey::bench {

struct FleetSize {
  uint32_t registered = 100;
  uint32_t online = 100;
  uint32_t past_rollouts = 10;
};

// Processor time of this thread, in microseconds, of each of many like things.
class Spent {
 public:
  void add(double us) { us_.push_back(us); }
  size_t count() const { return us_.size(); }
  double mean() const;
  double max() const;
  double quantile(double share) const;
  size_t over(double us) const;

 private:
  std::vector<double> us_;
};
double processor_us();

// An engine over time that only passes when told: what it writes is thrown away.
class ClockedEngine {
 public:
  ClockedEngine(const Snapshot& snapshot, const engine::EngineConfig& config, Now now,
                std::shared_ptr<engine::ReportReader> reader);

  Now now() const { return now_; }
  size_t windows_closed() const;
  size_t writes() const { return writes_; }
  // What comes is taken apart from statistics, which another thread would do.
  void receive(engine::Event event, Spent& spent);
  // A tick each 100 ms.
  void pass(Millis duration, Spent& ticks);

 private:
  engine::Engine engine_;
  Now now_;
  size_t writes_ = 0;
};

class PlayedFleet {
 public:
  explicit PlayedFleet(const FleetSize& size);

  // Everybody online has said hello, in a boot that has reported nothing yet.
  ClockedEngine start();
  // The ids of those who are online and have the model; and of those that are fetching another one.
  const std::vector<std::string>& online() const { return online_; }
  const std::vector<std::string>& fetching() const { return fetching_; }
  Millis window() const { return config_.window; }

  engine::Event hello(const std::string& id, Now now);
  engine::Event status(const std::string& id, Now now);
  engine::Event report(const std::string& id, Now now);
  engine::Event fetch(const std::string& id);
  engine::Event enrolment(uint32_t number);  // of a device that nobody knows

 private:
  void add_past(uint32_t rollouts);
  void add_registered(uint32_t devices);

  engine::EngineConfig config_;
  test::Site site_;
  Snapshot snapshot_;
  std::vector<std::string> online_;
  std::vector<std::string> fetching_;
};

}  // namespace covey::bench
