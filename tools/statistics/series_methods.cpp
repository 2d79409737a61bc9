// SPDX-License-Identifier: Apache-2.0
// What is followed over time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "monitoring/detectors/cusum.hpp"
#include "monitoring/detectors/shiryaev_roberts.hpp"
#include "monitoring/statistics/moments.hpp"
#include "tools/statistics/methods.hpp"
#include "tools/statistics/rivals.hpp"
#include "tools/statistics/rows.hpp"

namespace covey::cases {
namespace {

using namespace covey::monitoring;

// A mean or another point, and multiples of the standard deviation around it; a multiple of null
// is no limit.
Found reference_threshold(const Case& c) {
  std::vector<double> data = c.inputs.at("data").numbers();
  if (data.empty()) c.inputs.at("data").bad("is empty");
  RunningMoments moments;
  for (const double x : data) moments.add(x);
  std::sort(data.begin(), data.end());
  const std::string from = c.inputs.has("offset_from") ? c.inputs.at("offset_from").text() : "mean";
  double offset = moments.mean;
  if (from == "max") {
    offset = data.back();
  } else if (from == "min") {
    offset = data.front();
  } else if (from == "median") {
    offset = 0.5 * (data[(data.size() - 1) / 2] + data[data.size() / 2]);
  } else if (from != "mean") {
    c.inputs.at("offset_from").bad("is none of mean, median, min, max");
  }
  const auto limit = [&](const char* name, double sign) {
    return c.inputs.at(name).is_null()
               ? Json()
               : Json(offset + sign * c.inputs.at(name).number() * moments.population_sd());
  };
  return {{{"thresholds", {limit("lower_mult", -1), limit("upper_mult", 1)}}}, {}};
}

// first, then two values in turn: n in all.
Found mean_sd(const Case& c) {
  const Value turns = c.inputs.at("then_alternating");
  const std::vector<double> values = turns.numbers();
  if (values.empty()) turns.bad("is empty");
  RunningMoments moments;
  moments.add(c.inputs.at("first").number());
  const uint64_t n = c.inputs.at("n").count(2, 100'000'000);
  for (uint64_t i = 1; i < n; ++i) moments.add(values[(i - 1) % values.size()]);
  return {{{"mean", moments.mean}, {"sd", std::sqrt(moments.variance())}}, {}};
}

Found merge(const Case& c) {
  const auto side = [&](const char* name) {
    const Value value = c.inputs.at(name);
    return RunningMoments{static_cast<double>(value.at("n").count()), value.at("mean").number(),
                          value.at("M2").number(0, 1e300)};
  };
  RunningMoments moments = side("a");
  moments.merge(side("b"));
  return {{{"n", moments.n}, {"mean", moments.mean}, {"M2", moments.m2}}, {}};
}

std::vector<double> digits_of(const Value& inputs) {
  std::vector<double> stream;
  for (const char digit : inputs.at("digits").text()) {
    if (digit < '0' || digit > '9') inputs.at("digits").bad("has something that is no digit");
    stream.push_back(digit - '0');
  }
  return stream;
}
// Its own digits, or those of the case that it names.
std::vector<double> stream_of(const Case& c) {
  if (c.inputs.has("x")) return c.inputs.at("x").numbers();
  if (!c.inputs.has("digits_ref")) return digits_of(c.inputs);
  const std::string wanted = c.inputs.at("digits_ref").text();
  for (const Json& other : c.all) {
    if (other.is_object() && other.value("id", Json()) == Json(wanted)) {
      return digits_of(Value(other, wanted).at("inputs"));
    }
  }
  c.inputs.at("digits_ref").bad(fmt::format("there is no case \"{}\"", wanted));
}

Json alarms_of(auto detector, const std::vector<double>& stream) {
  Json alarms = Json::array();
  for (size_t i = 0; i < stream.size(); ++i) {
    if (detector.add(stream[i])) alarms.push_back(i);
  }
  return alarms;
}

Found adwin(const Case& c) {
  const std::vector<double> stream = stream_of(c);
  AdwinOptions fixed;
  AdwinOptions skipping = fixed;
  skipping.skip_newest = true;
  AdwinOptions going_on = skipping;
  going_on.begin_anew = false;
  return {{{"fixed_reset", alarms_of(Adwin(fixed), stream)},
           {"river<=0.21_reset", alarms_of(Adwin(skipping), stream)},
           {"river_0.7_noreset", alarms_of(Adwin(going_on), stream)}},
          {}};
}

Found page_hinkley(const Case& c) {
  return {{{"index", alarms_of(PageHinkley({}), stream_of(c))}}, {}};
}

Found cusum(const Case& c) {
  const Json alarms = alarms_of(TabularCusum({}), stream_of(c));
  return {{{"index", alarms}, {"our_port", alarms}}, {}};
}

// one_sided_h3, two_sided_h4: run lengths by mu. h_for_one_sided_ARL0_k0.5: h by run length.
Found run_lengths(const Case& c) {
  constexpr std::string_view kOne = "one_sided_h";
  constexpr std::string_view kTwo = "two_sided_h";
  constexpr std::string_view kThreshold = "h_for_one_sided_ARL0_k";
  const double slack = c.inputs.at("k").number(0, 3);
  Found found;
  for (const auto& [name, unused] : c.expected.json().items()) {
    if (name.starts_with(kThreshold)) {
      const double k = number_in(c.expected, name, kThreshold);
      if (k < 0 || k > 3) c.expected.bad("a slack is 0 to 3");
      found.got[name] = Json::object();
      for (const auto& [length, value] : c.expected.at(name).json().items()) {
        const double wanted = number_in(c.expected.at(name), length, "");
        if (wanted < 2 || wanted > 1e10) c.expected.at(name).bad("a run length is 2 to 1e10");
        found.got[name][length] = cusum_threshold(k, wanted);
      }
      continue;
    }
    const bool one = name.starts_with(kOne);
    if (!one && !name.starts_with(kTwo)) continue;
    const double h = number_in(c.expected, name, one ? kOne : kTwo);
    if (h <= 0 || h > 100) c.expected.bad("h is above 0 and at most 100");
    const Value means = c.expected.at(name).at("mu");
    Json lengths = Json::array();
    for (size_t i = 0; i < means.size(); ++i) {
      const double mu = means.at(i).number(-100, 100);
      lengths.push_back(one ? cusum_run_length(slack, h, mu)
                            : cusum_run_length_two_sided(slack, h, mu));
    }
    found.got[name] = {{"mu", means.json()}, {"arl", lengths}};
  }
  return found;
}

Found shiryaev_roberts(const Case& c) {
  const double m0 = c.inputs.at("m0").inside(0, 1);
  const Value bets = c.inputs.at("lambdas");
  std::vector<double> lambdas;
  for (size_t i = 0; i < bets.size(); ++i)
    lambdas.push_back(bets.at(i).inside(0, 1 / (1 - m0) + 1e-9));
  if (lambdas.empty()) bets.bad("is empty");
  ShiryaevRoberts detector(m0, lambdas);
  Json capital = Json::array();
  const Value x = c.inputs.at("x");
  for (size_t i = 0; i < x.size(); ++i) capital.push_back(detector.add(x.at(i).number(0, 1)));
  return {{{"M", capital}}, {}};
}

// precision of the first case, both recalls of the second, and so on; of the last where there are
// fewer.
Found detector_scores(const Case& c) {
  const Value cases = c.inputs.at("cases");
  const auto score = [&](size_t i) {
    const Value one = cases.at(std::min(i, cases.size() - 1));
    return score_detector(one.at("alarms").counts(), one.at("drifts").counts(),
                          one.at("delta_max").count());
  };
  if (cases.size() == 0) cases.bad("is empty");
  const auto json = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json();
  };
  return {{{"precision", json(score(0).precision)},
           {"recall", json(score(1).recall)},
           {"episode_recall", json(score(1).episode_recall)},
           {"detection_delay", json(score(2).detection_delay)},
           {"mean_time_ratio", json(score(3).mean_time_ratio)}},
          {}};
}

}  // namespace

Methods series_methods() {
  return {{"reference_threshold", reference_threshold},
          {"mean_sd", mean_sd},
          {"variance_merge", merge},
          {"adwin", adwin},
          {"page_hinkley", page_hinkley},
          {"cusum", cusum},
          {"cusum_arl", run_lengths},
          {"e_sr_detector", shiryaev_roberts},
          {"detector_scores", detector_scores}};
}

}  // namespace covey::cases
