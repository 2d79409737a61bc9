// SPDX-License-Identifier: Apache-2.0
// covey-gate-study: how often the accuracy gate is right, beside rules that others judge with, on
// the same labels of simulated rollouts. Prints tables in Markdown; --json FILE writes the figures.
// Ends with 1 when the gate breaks a promise beyond what chance explains.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/statistics/simulated_gate.hpp"

namespace covey::study {
namespace {

using Json = nlohmann::json;

struct Settings {
  int runs = 400;
  uint64_t seed = 12;
  bool quick = false;
  std::string json;
};

// Above `promised` by more than three standard errors of so many runs.
bool breaks(double rate, double promised, int runs) {
  return rate > promised + 3 * std::sqrt(promised * (1 - promised) / runs) + 0.5 / runs;
}

class Study {
 public:
  explicit Study(const Settings& settings) : settings_(settings) {}

  bool run() {
    whole_grid();
    good_models();
    site_shock();
    goals();
    if (!settings_.json.empty()) std::ofstream(settings_.json) << figures_.dump(1) << '\n';
    return !broken_;
  }

 private:
  Rates rates(Setting setting, int margin, double difference) {
    setting.gate.non_inferior_by = Ratio::percent(margin);
    setting.gate.labels = setting.labels * setting.canaries;
    setting.difference = difference;
    const Rates found = simulate(setting, settings_.runs, ++seed_ + 1000 * settings_.seed);
    Json row{{"strata", setting.strata},       {"canaries", setting.canaries},
             {"labels", setting.labels},       {"accuracy", setting.accuracy},
             {"device_sd", setting.device_sd}, {"shock", setting.shock},
             {"margin", margin / 100.0},       {"difference", difference},
             {"runs", settings_.runs}};
    for (size_t r = 0; r < found.size(); ++r) {
      row[name_of(kRules[r])] = {
          {"pass", found[r].pass}, {"fail", found[r].fail}, {"labels", found[r].labels}};
    }
    figures_.push_back(std::move(row));
    const double boundary = -margin / 100.0;
    if (difference == 0) {
      worst_equal_fail_ = std::max(worst_equal_fail_, found[0].fail);
      broken_ = broken_ || breaks(found[0].fail, 0.01, settings_.runs);
    } else if (difference == boundary) {
      worst_boundary_pass_ = std::max(worst_boundary_pass_, found[0].pass);
      broken_ = broken_ || breaks(found[0].pass, 0.05, settings_.runs);
    }
    return found;
  }

  static std::string percent(double rate) { return fmt::format("{:.1f}", 100 * rate); }
  // "85.0 / 0.0 / 1.5 / 93.0": of equal releases passed and failed, of those worse by the margin
  // passed, of much worse ones failed.
  static std::string four(const RuleRates& equal, const RuleRates& boundary,
                          const RuleRates& worse) {
    return fmt::format("{} / {} / {} / {}", percent(equal.pass), percent(equal.fail),
                       percent(boundary.pass), percent(worse.fail));
  }

  void whole_grid() {
    fmt::print(
        "## The grid\n\nOf equal releases passed / rolled back / of releases worse by just the "
        "margin passed / of those worse by 5 pp (margin 2pp) or 10 pp (5pp) rolled back, in %. "
        "{} rollouts each.\n\n"
        "| strata, canaries, sd, labels each | margin | gate | labels (equal) | z-test, peeked at "
        "| fixed threshold | against control |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        settings_.runs);
    const std::vector<size_t> canaries =
        settings_.quick ? std::vector<size_t>{50} : std::vector<size_t>{20, 50};
    const std::vector<uint64_t> labels =
        settings_.quick ? std::vector<uint64_t>{50} : std::vector<uint64_t>{10, 50};
    for (const size_t strata : {size_t{1}, size_t{3}}) {
      for (const size_t devices : canaries) {
        for (const double sd : {0.0, 0.03, 0.08}) {
          for (const uint64_t each : labels) {
            for (const int margin : {2, 5}) cell(strata, devices, sd, each, margin);
          }
        }
      }
    }
  }

  void cell(size_t strata, size_t devices, double sd, uint64_t each, int margin) {
    Setting setting{.strata = strata, .canaries = devices, .labels = each, .device_sd = sd};
    const Rates equal = rates(setting, margin, 0);
    const Rates boundary = rates(setting, margin, -margin / 100.0);
    const Rates worse = rates(setting, margin, margin == 2 ? -0.05 : -0.1);
    fmt::print("| {}, {}, {:.0f} pp, {} | {}pp | **{}** | {:.0f} | {} | {} | {} |\n", strata,
               devices, 100 * sd, each, margin, four(equal[0], boundary[0], worse[0]),
               equal[0].labels, four(equal[1], boundary[1], worse[1]),
               four(equal[2], boundary[2], worse[2]), four(equal[3], boundary[3], worse[3]));
    std::fflush(stdout);
    if (strata == 3 && devices == 50 && each == 50) {
      goal_.push_back(
          fmt::format("{:.0f} pp at {}pp: {} %", 100 * sd, margin, percent(equal[0].pass)));
      if (margin == 2)
        found_.push_back(fmt::format("{:.0f} pp: {} %", 100 * sd, percent(worse[0].fail)));
    }
  }

  void good_models() {
    fmt::print(
        "\n## Worse by just the margin, by the accuracy of control\n\n20 canaries, 200 labels "
        "each, one stratum: passed / failed, in % (the promise is 5 each).\n\n"
        "| accuracy | sd 0, 2pp | sd 0, 5pp | sd 3 pp, 2pp | sd 3 pp, 5pp |\n"
        "| --- | --- | --- | --- | --- |\n");
    for (const double accuracy : {0.8, 0.9, 0.95, 0.97, 0.99}) {
      std::string line = fmt::format("| {:.0f} %", 100 * accuracy);
      for (const double sd : {0.0, 0.03}) {
        for (const int margin : {2, 5}) {
          Setting setting{.canaries = 20,
                          .labels = settings_.quick ? uint64_t{50} : uint64_t{200},
                          .accuracy = accuracy,
                          .device_sd = sd};
          const Rates found = rates(setting, margin, -margin / 100.0);
          line += fmt::format(" | {} / {}", percent(found[0].pass), percent(found[0].fail));
        }
      }
      fmt::print("{} |\n", line);
      std::fflush(stdout);
    }
  }

  void site_shock() {
    fmt::print(
        "\n## The whole site loses 10 pp in 30 % of the time\n\nEqual releases, margin 2pp, 50 "
        "canaries, sd 3 pp, 50 labels each: passed / rolled back, in %.\n\n"
        "| strata | gate | z-test | fixed threshold | against control |\n"
        "| --- | --- | --- | --- | --- |\n");
    for (const size_t strata : {size_t{1}, size_t{3}}) {
      Setting setting{.strata = strata, .device_sd = 0.03, .shock = true};
      const Rates found = rates(setting, 2, 0);
      std::string line = fmt::format("| {}", strata);
      for (const RuleRates& rule : found) {
        line += fmt::format(" | {} / {}", percent(rule.pass), percent(rule.fail));
      }
      fmt::print("{} |\n", line);
    }
  }

  void goals() const {
    fmt::print(
        "\n## Promises\n\n| | worst cell |\n| --- | --- |\n"
        "| equal release rolled back (promise: about 1 %) | {} % |\n"
        "| worse by just the margin passes (promise: 5 %) | {} % |\n"
        "| equal release passes: three strata, 50 canaries, 50 labels each, by spread of devices "
        "| {} |\n| -5 pp found at 2pp, the same rollouts | {} |\n",
        percent(worst_equal_fail_), percent(worst_boundary_pass_), joined(goal_), joined(found_));
  }

  static std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& each : words) text += (text.empty() ? "" : ", ") + each;
    return text;
  }

  const Settings& settings_;
  Json figures_ = Json::array();
  uint64_t seed_ = 0;
  double worst_equal_fail_ = 0;
  double worst_boundary_pass_ = 0;
  bool broken_ = false;
  std::vector<std::string> goal_;
  std::vector<std::string> found_;
};

bool parse_number(std::string_view text, uint64_t most, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 && value <= most;
}

bool parse(int argc, char** argv, Settings& settings) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    uint64_t number = 0;
    if (word == "--quick") {
      settings.quick = true;
      settings.runs = 100;
    } else if (i + 1 == argc) {
      return false;
    } else if (word == "--json") {
      settings.json = argv[++i];
    } else if (word == "--runs" && parse_number(argv[++i], 100'000, number)) {
      settings.runs = static_cast<int>(number);
    } else if (word == "--seed" && parse_number(argv[++i], ~0U, number)) {
      settings.seed = number;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace covey::study

int main(int argc, char** argv) {
  covey::study::Settings settings;
  if (!covey::study::parse(argc, argv, settings)) {
    fmt::print(
        stderr,
        "usage: covey-gate-study [--quick] [--runs N] [--seed N] [--json FILE]\n"
        "Simulates rollouts under the accuracy gate; the same seed gives the same tables.\n");
    return 2;
  }
  return covey::study::Study(settings).run() ? 0 : 1;
}
