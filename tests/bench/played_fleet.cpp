// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/played_fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>

namespace covey::bench {
namespace {

constexpr Millis kTick = 100ms;
constexpr uint32_t kFetching = 50;
constexpr uint32_t kOfPastRollout = 10;
// Each class of devices has a release of its own to go to.
constexpr const char* kFetchingClass = "m4-fetching";
constexpr const char* kPastClass = "m4-past";

template <typename T>
T need(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "covey_bench_slice: {}: {}\n", result.error().reason,
               result.error().message);
    std::exit(1);
  }
  return *std::move(result);
}

engine::EngineConfig config_of_fleet() {
  engine::EngineConfig config = test::quick_config();
  config.offline_after = 10min;
  config.bandwidth_bytes_per_s = 1U << 30U;  // fetches are answered
  config.auto_accept = true;
  return config;
}

PlanDocument plan_for(const std::string& name, const std::string& version,
                      const std::string& device_class) {
  PlanDocument plan = test::simple_plan(name, version);
  plan.target = fmt::format("class = {}", device_class);
  return plan;
}

}  // namespace

double processor_us() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) * 1e6 + static_cast<double>(spent.tv_nsec) / 1e3;
}

double Spent::mean() const {
  return us_.empty()
             ? 0
             : std::accumulate(us_.begin(), us_.end(), 0.0) / static_cast<double>(us_.size());
}
double Spent::max() const { return us_.empty() ? 0 : *std::max_element(us_.begin(), us_.end()); }
double Spent::quantile(double share) const {
  if (us_.empty()) return 0;
  std::vector<double> sorted = us_;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
  return sorted[static_cast<size_t>(at)];
}
size_t Spent::over(double us) const {
  return static_cast<size_t>(
      std::count_if(us_.begin(), us_.end(), [us](double one) { return one > us; }));
}

ClockedEngine::ClockedEngine(const Snapshot& snapshot, const engine::EngineConfig& config, Now now,
                             std::shared_ptr<engine::ReportReader> reader)
    : engine_(need(engine::Engine::load(snapshot, config, now, std::move(reader)))), now_(now) {}

size_t ClockedEngine::windows_closed() const {
  size_t closed = 0;
  for (const auto& [key, window] : engine_.state().telemetry.windows)
    closed += window.closed ? 1 : 0;
  return closed;
}

void ClockedEngine::receive(engine::Event event, Spent& spent) {
  const double before = processor_us();
  const engine::Output output = engine_.handle(std::span(&event, 1), now_);
  spent.add(processor_us() - before);
  writes_ += output.writes.size();
  for (const engine::Effect& effect : output.after_commit) {
    const auto* asked = std::get_if<engine::JudgeWindow>(&effect);
    if (asked != nullptr) receive(engine::WindowJudged{engine::judge(*asked->window)}, spent);
  }
}

void ClockedEngine::pass(Millis duration, Spent& ticks) {
  for (Millis gone{0}; gone < duration; gone += kTick) {
    now_.mono += kTick;
    now_.wall += kTick;
    receive(engine::Tick{1}, ticks);
  }
}

PlayedFleet::PlayedFleet(const FleetSize& size) : config_(config_of_fleet()), site_(config_) {
  site_.push({1, 0, 0}, {"m4", kFetchingClass, kPastClass});
  site_.push({1, 1, 0}, {kFetchingClass});
  site_.push({1, 2, 0}, {kPastClass});
  for (uint32_t i = 0; i < size.online; ++i) {
    const std::string& id = online_.emplace_back(fmt::format("d{}", i));
    site_.join(id);
    site_.run(id, {1, 0, 0});
  }
  for (uint32_t i = 0; i < kOfPastRollout; ++i) site_.join(fmt::format("p{}", i), kPastClass);
  need(site_.roll_out(plan_for("past", "1.2.0", kPastClass)));
  for (int i = 0; i < 100 && !has_ended(site_.rollout("past").progress.state); ++i) {
    site_.pass(500ms);
    site_.obey_all();
  }
  for (uint32_t i = 0; i < kFetching; ++i) {
    site_.join(fetching_.emplace_back(fmt::format("f{}", i)), kFetchingClass);
  }
  need(site_.roll_out(plan_for("fetching", "1.1.0", kFetchingClass)));
  site_.pass(1s);
  for (const std::string& id : fetching_) site_.say(id, "DOWNLOADING");
  snapshot_ = need(site_.store().load({}));
  add_past(size.past_rollouts);
  add_registered(size.registered);
}

// Rollouts that ended as this one did, so long ago that nothing of them can be taken back.
void PlayedFleet::add_past(uint32_t rollouts) {
  Rollout ended = site_.rollout("past");
  ended.progress.settled = true;
  RolloutPlan plan = *without_devices(*ended.plan);
  for (uint32_t i = 1; i < rollouts; ++i) {
    plan.name = RolloutName(fmt::format("past-{}", i));
    plan.document.name = plan.name.str();
    ended.plan = std::make_shared<const RolloutPlan>(plan);
    snapshot_.rollouts.push_back(ended);
    for (const CountRecord& count : std::vector<CountRecord>(snapshot_.counts)) {
      if (count.rollout != RolloutName("past")) continue;
      snapshot_.counts.push_back(count);
      snapshot_.counts.back().rollout = plan.name;
    }
  }
}

// Devices that were here once and are not now.
void PlayedFleet::add_registered(uint32_t devices) {
  const auto known = std::find_if(snapshot_.devices.begin(), snapshot_.devices.end(),
                                  [](const Device& d) { return d.id == DeviceId("d0"); });
  if (known == snapshot_.devices.end()) return;
  Device device = *known;
  for (auto i = static_cast<uint32_t>(online_.size()); i < devices; ++i) {
    device.id = DeviceId(fmt::format("r{}", i));
    snapshot_.devices.push_back(device);
  }
}

ClockedEngine PlayedFleet::start() {
  ClockedEngine started(snapshot_, config_, site_.now(), site_.reports());
  Spent ignored;
  started.receive(engine::Tick{1}, ignored);
  for (const auto* ids : {&online_, &fetching_}) {
    for (const std::string& id : *ids) {
      site_.device(id).window = 0;
      site_.device(id).inferences = 0;
      started.receive(site_.sealed(id, site_.hello_of(id)), ignored);
    }
  }
  // Acknowledgements, goals and blobs of the start are out.
  started.pass(2s, ignored);
  return started;
}

engine::Event PlayedFleet::hello(const std::string& id, Now now) {
  ++site_.device(id).connection;
  engine::HelloMessage message = site_.hello_of(id);
  message.uptime_ms = static_cast<uint64_t>(now.mono.count());
  return site_.sealed(id, std::move(message));
}

engine::Event PlayedFleet::status(const std::string& id, Now now) {
  ++site_.device(id).status_number;
  engine::StatusMessage message = site_.status_of(id);
  message.uptime_ms = static_cast<uint64_t>(now.mono.count());
  return site_.sealed(id, std::move(message));
}

engine::Event PlayedFleet::report(const std::string& id, Now now) {
  engine::ReportMessage message = site_.window(id, 60);
  message.t1_ms = static_cast<uint64_t>(now.mono.count());
  message.t0_ms = message.t1_ms - 1000;
  return site_.sealed(id, std::move(message));
}

engine::Event PlayedFleet::fetch(const std::string& id) {
  const test::Played& device = site_.device(id);
  return site_.sealed(id,
                      engine::FetchMessage{*device.model.candidate, 0, 0xff, device.model.attempt});
}

engine::Event PlayedFleet::enrolment(uint32_t number) {
  engine::EnrollMessage message;
  message.device = DeviceId(fmt::format("n{}", number));
  message.nonce = number + 1;
  message.facts = site_.device("d0").facts;
  message.models = {ModelName("bearing")};
  return engine::EnrollReceived{message.device, message};
}

}  // namespace covey::bench
