// How long the engine thread is busy with one turn, in processor time, while windows of a whole
// fleet close: the engine alone, over virtual time, without store and network.
//   covey_bench_slice [--devices N] [--windows N]   JSON on stdout
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/unit/engine/site.hpp"

namespace covey {
namespace {

struct Settings {
  int devices = 1000;
  int windows = 3;
};

double processor_ms() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) * 1e3 + static_cast<double>(spent.tv_nsec) / 1e6;
}

template <typename T>
T need(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "covey_bench_slice: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return *std::move(result);
}

class Clocked {
 public:
  explicit Clocked(engine::Engine engine, Now now) : engine_(std::move(engine)), now_(now) {}

  void pass(Millis duration) {
    for (Millis gone{0}; gone < duration; gone += kTick) {
      now_.mono += kTick;
      now_.wall += kTick;
      handle(engine::Tick{true}, ticks_ms_);
    }
  }
  void receive(engine::Event event) { handle(std::move(event), events_ms_); }
  Now now() const { return now_; }
  const engine::Engine& engine() const { return engine_; }

  nlohmann::json figures() const {
    return {{"tick_max_ms", largest(ticks_ms_)},
            {"tick_p99_ms", quantile(ticks_ms_, 0.99)},
            {"tick_p50_ms", quantile(ticks_ms_, 0.5)},
            {"ticks_over_5_ms",
             std::count_if(ticks_ms_.begin(), ticks_ms_.end(), [](double ms) { return ms > 5; })},
            {"ticks", ticks_ms_.size()},
            {"event_max_ms", largest(events_ms_)},
            {"statistics_elsewhere_max_ms", judge_max_ms_},
            {"writes", writes_}};
  }

 private:
  static constexpr Millis kTick = 100ms;

  static double largest(const std::vector<double>& values) {
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  }
  static double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0
                          : values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
  }
  void handle(engine::Event event, std::vector<double>& spent_ms) {
    const double before = processor_ms();
    const engine::Output output = engine_.handle(std::span(&event, 1), now_);
    spent_ms.push_back(processor_ms() - before);
    writes_ += output.writes.size();
    for (const engine::Effect& effect : output.after_commit) {
      // Another thread's time.
      if (const auto* asked = std::get_if<engine::JudgeWindow>(&effect)) {
        const double began = processor_ms();
        engine::WindowVerdict verdict = engine::judge(*asked->window);
        judge_max_ms_ = std::max(judge_max_ms_, processor_ms() - began);
        handle(engine::WindowJudged{std::move(verdict)}, events_ms_);
      }
    }
  }

  engine::Engine engine_;
  Now now_;
  std::vector<double> ticks_ms_;
  std::vector<double> events_ms_;
  double judge_max_ms_ = 0;
  size_t writes_ = 0;
};

int run(const Settings& settings) {
  engine::EngineConfig config = test::quick_config();
  config.offline_after = 10min;
  test::Site site(config);
  site.push({1, 0, 0});
  site.join_many("d", settings.devices);
  for (int i = 0; i < settings.devices; ++i) site.run("d" + std::to_string(i), {1, 0, 0});
  // The site's own clock stands still from here on.
  Clocked clocked(need(engine::Engine::load(need(site.store().load({})), config, site.now())),
                  site.now());
  clocked.receive(engine::BrokerConnected{});
  for (int i = 0; i < settings.devices; ++i) {
    const std::string id = "d" + std::to_string(i);
    clocked.receive(site.sealed(id, site.hello_of(id)));
  }
  for (int w = 0; w < settings.windows; ++w) {
    for (int i = 0; i < settings.devices; ++i) {
      const std::string id = "d" + std::to_string(i);
      engine::ReportMessage message = site.window(id, 60);
      message.t1_ms = static_cast<uint64_t>(clocked.now().mono.count());
      message.t0_ms = message.t1_ms - 1000;
      clocked.receive(site.sealed(id, std::move(message)));
    }
    clocked.pass(2 * config.window);
  }
  size_t closed = 0;
  for (const auto& [key, window] : clocked.engine().state().telemetry.windows)
    closed += window.closed;
  nlohmann::json figures = clocked.figures();
  figures["devices"] = settings.devices;
  figures["windows_closed"] = closed;
  std::printf("%s\n", nlohmann::json{{"slice", figures}}.dump(2).c_str());
  return closed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace covey

int main(int argc, char** argv) {
  covey::Settings settings;
  CLI::App app{"Processor time of one turn of the engine while windows close."};
  app.add_option("--devices", settings.devices, "Devices that report")->check(CLI::PositiveNumber);
  app.add_option("--windows", settings.windows, "Windows that close")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return covey::run(settings);
}
