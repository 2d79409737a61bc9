// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/accuracy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "monitoring/accuracy/boundary.hpp"
#include "monitoring/accuracy/comparison.hpp"
#include "monitoring/accuracy/levels.hpp"
#include "monitoring/accuracy/pool.hpp"
#include "monitoring/counts/counts.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

constexpr double kEffectiveLabelsMin = 10;
constexpr double kScaleMax = 1e4;  // beyond 10,000 times the labels, more devices it is
constexpr int kBisections = 32;    // to a billionth of what is halved
constexpr Ratio kGuardMin = Ratio::percent(10);
constexpr double kPower = 0.9;  // that an equal release passes, where labels are not limited
// One verdict's test of one pool: is the difference above a bound, or below it?
class Test {
 public:
  Test(const Pool& pool, double alpha, double of_boundary, double margin, uint64_t labels)
      : pool_(pool),
        z_(boundary_quantile(of_boundary * alpha)),
        log_capital_(-std::log((1 - of_boundary) * alpha)),
        inflation_(pool.inflation(alpha)),
        margin_(margin),
        labels_(labels) {}

  // `scale`, `alike`: of Pool::at.
  Progress progress(double bound, double scale = 1, bool alike = false) const {
    const Pool::At now = pool_.at(bound, scale, inflation_, alike);
    return {(now.difference - bound) * now.information, now.information, planned(bound, alike)};
  }
  bool above(Progress p) const {
    return above_boundary(p, z_) || log_capital(p.sum, p.information) >= log_capital_;
  }
  bool above(double bound) const { return above(progress(bound)); }
  bool below(double bound) const {
    Progress p = progress(bound);
    p.sum = -p.sum;
    return above(p);
  }
  // More labels after which a canary that is as good as control from now on is above -margin.
  std::optional<uint64_t> labels_for(double power, bool alike) const {
    const Progress now = progress(-margin_, 1, alike);
    const double sure = normal_quantile(power);
    const auto decided = [&](double scale) {
      Progress then = progress(-margin_, scale, alike);
      const double gained = std::max(0.0, then.information - now.information);
      then.sum = now.sum + margin_ * gained - sure * std::sqrt(gained);
      return above(then);
    };
    if (!decided(kScaleMax)) return std::nullopt;
    double low = 1;
    double high = kScaleMax;
    for (int step = 0; step < kBisections; ++step) {
      const double middle = std::sqrt(low * high);
      (decided(middle) ? high : low) = middle;
    }
    const double labels = std::ceil(static_cast<double>(pool_.canary_labels()) * (high - 1));
    return static_cast<uint64_t>(std::min(labels, 1e15));
  }

 private:
  double planned(double bound, bool alike) const {
    if (labels_ == 0) return information_for(margin_, z_, kPower);
    const double scale = static_cast<double>(labels_) /
                         static_cast<double>(std::max<uint64_t>(pool_.canary_labels(), 1));
    return pool_.at(bound, scale, inflation_, alike).information;
  }

  const Pool& pool_;
  double z_;
  double log_capital_;
  double inflation_;
  double margin_;
  uint64_t labels_;
};

// Both verdicts of one pool: worse than the margin, or not worse than `guard`.
class Question {
 public:
  Question(const Pool& pool, double margin, double guard, double fail_alpha,
           const AccuracyOptions& options)
      : margin_(margin),
        guard_(guard),
        pass_(pool, options.alpha.as_double(), kOfBoundaryToPass, guard, options.labels),
        fail_(pool, fail_alpha, kOfBoundaryToFail, margin, options.labels) {}

  bool passes() const { return pass_.above(-guard_); }
  bool fails() const { return fail_.below(-margin_); }

  // The differences that are not rejected: to display.
  Interval bounds(double difference) const {
    const auto edge = [&](double end, auto rejects) {
      double kept = difference;
      double rejected = end;
      for (int step = 0; step < kBisections; ++step) {
        const double middle = 0.5 * (kept + rejected);
        (rejects(middle) ? rejected : kept) = middle;
      }
      return kept;
    };
    return {edge(-1, [&](double bound) { return pass_.above(bound); }),
            edge(1, [&](double bound) { return fail_.below(bound); })};
  }

  std::optional<LabelsNeeded> labels_needed() const {
    const auto likely = pass_.labels_for(0.5, true);
    if (!likely) return std::nullopt;
    auto surely = pass_.labels_for(kPower, false);
    if (surely) surely = std::max(*surely, *likely);
    return LabelsNeeded{*likely, surely};
  }

 private:
  double margin_;
  double guard_;
  Test pass_;
  Test fail_;
};

// "press: ", or nothing where there is one stratum without a name.
std::string name_of(const StratumVerdict& s) { return s.stratum.empty() ? "" : s.stratum + ": "; }

std::string compared(const StratumVerdict& s) {
  const std::string alone =
      s.labels_alone == 0
          ? ""
          : fmt::format(" ({} labels are of windows in which the other side has none)",
                        s.labels_alone);
  return fmt::format(
      "{}canary {:.1f} % ({} labels, {} devices), control {:.1f} % ({} labels, {} devices): "
      "{:+.1f} pp, bounds {:+.1f} to {:+.1f}{}",
      name_of(s), 100 * s.canary_accuracy, s.canary_labels, s.canary_devices,
      100 * s.control_accuracy, s.control_labels, s.control_devices, 100 * s.difference,
      100 * s.bounds.low, 100 * s.bounds.high, alone);
}

void conclude(StratumVerdict& s, Verdict verdict, std::string reason, std::string explanation) {
  s.verdict = verdict;
  s.reason = std::move(reason);
  s.explanation = std::move(explanation);
}

void describe(StratumVerdict& s, const Comparison& c) {
  s.canary_devices = c.canary.devices;
  s.control_devices = c.control.devices;
  s.canary_labels = c.canary.labelled;
  s.control_labels = c.control.labelled;
  s.canary_accuracy = c.canary.accuracy;
  s.control_accuracy = c.control.accuracy;
  s.labels_alone = add_saturating(c.canary.labelled_anywhere - c.canary.labelled,
                                  c.control.labelled_anywhere - c.control.labelled);
  s.difference = c.difference;
  s.device_sd = std::sqrt(c.between);
}

LabelsNeeded at_least(uint64_t labels) { return {labels, labels}; }

// What is missing before anything may be compared; true when something is.
bool lacks_evidence(StratumVerdict& s, const Comparison& c, const AccuracyOptions& options) {
  const auto inconclusive = [&](const char* reason, const std::string& text) {
    conclude(s, Verdict::kInconclusive, reason, name_of(s) + text);
    return true;
  };
  if (c.control.assigned == 0) {
    return inconclusive("NO_CONTROL", "no control device: hold some back in this stratum");
  }
  const uint64_t canary = c.canary.labelled_anywhere;
  const uint64_t control = c.control.labelled_anywhere;
  if (canary == 0 && control == 0) return inconclusive("NO_LABELS", "no labels yet");
  const uint64_t minimum = std::max<uint64_t>(options.labels_min, 1);
  if (canary < minimum || control < minimum) {
    s.labels_needed = at_least(minimum - std::min(minimum, canary));
    return inconclusive(canary == 0 || control == 0 ? "NO_LABELS" : "TOO_FEW_LABELS",
                        fmt::format("{} labels in the canary and {} in control, at least {} each "
                                    "are needed",
                                    canary, control, minimum));
  }
  if (s.canary_labels < minimum || s.control_labels < minimum) {
    s.labels_needed = at_least(minimum - std::min(minimum, s.canary_labels));
    return inconclusive(
        "NO_CONCURRENT_LABELS",
        fmt::format("only {} of {} labels in the canary and {} of {} in control are of windows in "
                    "which both have some, at least {} each are needed: label the same hours of "
                    "both",
                    s.canary_labels, canary, s.control_labels, control, minimum));
  }
  if (c.weight < kEffectiveLabelsMin) {
    return inconclusive("TOO_FEW_LABELS",
                        fmt::format("side by side the labels count as {:.1f}, at least {:.0f} are "
                                    "needed",
                                    c.weight, kEffectiveLabelsMin));
  }
  if (s.canary_devices + s.control_devices < 3) {
    return inconclusive("TOO_FEW_DEVICES",
                        "one device against one says nothing about the spread between devices");
  }
  return false;
}

void decide(StratumVerdict& s, const Question& question, Ratio margin) {
  s.bounds = question.bounds(s.difference);
  if (question.fails()) {
    return conclude(
        s, Verdict::kFail, "CANARY_WORSE",
        fmt::format("{}: worse by more than the {} margin", compared(s), to_string(margin)));
  }
  const std::string allowed =
      s.may_be_worse_by == margin
          ? fmt::format("the {} margin", to_string(margin))
          : fmt::format("the {} that one stratum may lose", to_string(s.may_be_worse_by));
  if (question.passes()) {
    return conclude(s, Verdict::kPass, "NON_INFERIOR",
                    fmt::format("{}: within {}", compared(s), allowed));
  }
  s.labels_needed = question.labels_needed();
  std::string missing = "; no number of labels decides, more devices might";
  if (s.labels_needed) {
    missing = fmt::format("; an equal release passes with {} more canary labels (one of two), {}",
                          s.labels_needed->likely,
                          s.labels_needed->surely
                              ? fmt::format("{} (nine of ten)", *s.labels_needed->surely)
                              : "perhaps with more devices only (nine of ten)");
  }
  conclude(s, Verdict::kInconclusive, "UNDECIDED",
           fmt::format("{}: not decided against {}{}", compared(s), allowed, missing));
}

// A stratum with what it is compared by; `usable`: it has enough to be judged.
struct Judged {
  Comparison comparison;
  StratumVerdict verdict;
  bool usable = false;
};

Judged look_at(const StratumLabels& labels, const AccuracyOptions& options) {
  Judged judged{compare(labels), {}, false};
  StratumVerdict& s = judged.verdict;
  const Comparison& c = judged.comparison;
  s.stratum = labels.stratum;
  describe(s, c);
  if (!c.valid) {
    conclude(s, Verdict::kError, "BAD_COUNTS",
             name_of(s) + "a device has more correct labels than labels");
    return judged;
  }
  if (lacks_evidence(s, c, options)) return judged;
  const double by_labels = c.variance_by_labels(-options.non_inferior_by.as_double());
  if (by_labels * c.weight < kEffectiveLabelsMin * (by_labels + c.variance_by_devices())) {
    conclude(s, Verdict::kInconclusive, "TOO_FEW_DEVICES",
             name_of(s) + "devices differ so much that the labels count as fewer than ten");
    return judged;
  }
  judged.usable = true;
  return judged;
}

StratumVerdict sum_of(const std::vector<Judged>& strata, const Pool& pool, double margin) {
  StratumVerdict all;
  all.stratum = "all strata";
  for (const Judged& s : strata) {
    if (!s.usable) continue;
    all.canary_devices += s.verdict.canary_devices;
    all.control_devices += s.verdict.control_devices;
    all.canary_labels = add_saturating(all.canary_labels, s.verdict.canary_labels);
    all.control_labels = add_saturating(all.control_labels, s.verdict.control_labels);
    all.labels_alone = add_saturating(all.labels_alone, s.verdict.labels_alone);
  }
  const auto mean = [&](double (*number)(const Comparison&)) { return pool.mean(-margin, number); };
  all.canary_accuracy = mean([](const Comparison& c) { return c.canary.accuracy; });
  all.control_accuracy = mean([](const Comparison& c) { return c.control.accuracy; });
  all.device_sd = std::sqrt(mean([](const Comparison& c) { return c.between; }));
  all.difference = pool.at(-margin).difference;
  return all;
}

// One stratum alone is asked about the margin, both ways.
void judge_alone(AccuracyVerdict& verdict, Judged& only, const AccuracyOptions& options) {
  only.verdict.may_be_worse_by = options.non_inferior_by;
  if (only.usable) {
    const double margin = options.non_inferior_by.as_double();
    const Pool pool({&only.comparison});
    decide(only.verdict, Question(pool, margin, margin, options.alpha.as_double(), options),
           options.non_inferior_by);
  }
  verdict.verdict = only.verdict.verdict;
  verdict.reason = only.verdict.reason;
  verdict.explanation = only.verdict.explanation;
}

// A stratum's part of the labels that the canary may take; 0 stays "as many as it takes".
uint64_t part_of(uint64_t labels, uint64_t own, uint64_t of_all) {
  if (labels == 0) return 0;
  const double part = static_cast<double>(labels) * static_cast<double>(own) /
                      static_cast<double>(std::max<uint64_t>(of_all, 1));
  return std::max<uint64_t>(1, static_cast<uint64_t>(part));
}

void judge_together(AccuracyVerdict& verdict, std::vector<Judged>& strata,
                    const AccuracyOptions& options) {
  const double margin = options.non_inferior_by.as_double();
  const Ratio guard = guard_of(options);
  const double half = options.alpha.as_double() / 2;
  std::vector<const Comparison*> comparisons;
  for (Judged& s : strata) {
    s.verdict.may_be_worse_by = guard;
    if (s.usable) comparisons.push_back(&s.comparison);
  }
  const Pool whole(comparisons);
  for (Judged& s : strata) {
    if (!s.usable) continue;
    const Pool pool({&s.comparison});
    AccuracyOptions of_stratum = options;
    of_stratum.labels = part_of(options.labels, pool.canary_labels(), whole.canary_labels());
    decide(s.verdict,
           Question(pool, margin, guard.as_double(), half / static_cast<double>(strata.size()),
                    of_stratum),
           options.non_inferior_by);
  }
  if (!comparisons.empty()) {
    verdict.together = sum_of(strata, whole, margin);
    verdict.together->may_be_worse_by = options.non_inferior_by;
    decide(*verdict.together, Question(whole, margin, margin, half, options),
           options.non_inferior_by);
  }
  // All that must hold; what is worse first, and of equals the whole before its parts.
  std::vector<const StratumVerdict*> parts;
  if (verdict.together) parts.push_back(&*verdict.together);
  for (const Judged& s : strata) parts.push_back(&s.verdict);
  std::vector<Verdict> verdicts;
  verdicts.reserve(parts.size());
  for (const StratumVerdict* part : parts) verdicts.push_back(part->verdict);
  verdict.verdict = combine(verdicts);
  const auto decides = [&](const StratumVerdict* part) { return part->verdict == verdict.verdict; };
  // Undecided: a stratum that lacks evidence is what to look at.
  const auto lacking = std::find_if(parts.begin(), parts.end(), [&](const StratumVerdict* part) {
    return decides(part) && verdict.verdict == Verdict::kInconclusive &&
           part->reason != "UNDECIDED";
  });
  // Worse: a stratum that is, rather than all of them.
  const StratumVerdict& first = lacking != parts.end() ? **lacking
                                : verdict.verdict == Verdict::kFail
                                    ? **std::find_if(parts.rbegin(), parts.rend(), decides)
                                    : **std::find_if(parts.begin(), parts.end(), decides);
  verdict.reason = first.reason;
  verdict.explanation = first.explanation;
}

}  // namespace

Ratio guard_of(const AccuracyOptions& options) {
  if (options.per_stratum.ppm > 0) return options.per_stratum;
  return std::max(kGuardMin, Ratio{std::min(2 * options.non_inferior_by.ppm, 1'000'000)});
}

AccuracyVerdict judge_accuracy(std::span<const StratumLabels> strata,
                               const AccuracyOptions& options) {
  AccuracyVerdict verdict;
  verdict.margin = options.non_inferior_by;
  const double alpha = options.alpha.as_double();
  if (!(alpha > 0 && alpha <= 0.5 && options.non_inferior_by.ppm > 0)) {
    verdict.verdict = Verdict::kError;
    verdict.reason = "BAD_ALPHA";
    verdict.explanation = "alpha must be above 0 and at most 50 %, the margin above 0";
    return verdict;
  }
  std::vector<Judged> judged;
  for (const StratumLabels& stratum : strata) {
    if (!stratum.canary.empty()) judged.push_back(look_at(stratum, options));
  }
  if (judged.empty()) {
    verdict.reason = "NO_DATA";
    verdict.explanation = "no canary device in any stratum";
    return verdict;
  }
  if (judged.size() == 1) {
    judge_alone(verdict, judged.front(), options);
  } else {
    judge_together(verdict, judged, options);
  }
  for (Judged& s : judged) verdict.strata.push_back(std::move(s.verdict));
  return verdict;
}

}  // namespace covey::monitoring
