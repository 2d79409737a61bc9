#include "deploy/rollout/plan.hpp"

namespace covey {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;  // clang 14 does not deduce it itself

// Parts per million as a plain number: 100000 -> "0.1".
std::string as_number(Ratio ratio) {
  std::string digits = std::to_string(1'000'000 + ratio.ppm % 1'000'000).substr(1);
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  return std::to_string(ratio.ppm / 1'000'000) + (digits.empty() ? "" : "." + digits);
}

}  // namespace

std::string_view to_string(Denominator of) {
  switch (of) {
    case Denominator::kTargeted:
      return "targeted";
    case Denominator::kAttempted:
      return "attempted";
    case Denominator::kReported:
      return "reported";
  }
  return "unknown";
}

std::string_view to_string(StageMode mode) {
  switch (mode) {
    case StageMode::kActive:
      return "ACTIVE";
    case StageMode::kShadow:
      return "SHADOW";
  }
  return "UNKNOWN";
}

std::string_view to_string(OnFail action) {
  switch (action) {
    case OnFail::kRollback:
      return "ROLLBACK";
    case OnFail::kPause:
      return "PAUSE";
  }
  return "UNKNOWN";
}

std::string_view name_of(const Gate& gate) {
  return std::visit(Overloaded{[](const FailuresGate&) { return std::string_view("failures"); },
                               [](const SilenceGate&) { return std::string_view("silence"); },
                               [](const AccuracyGate&) { return std::string_view("accuracy"); },
                               [](const DriftGate&) { return std::string_view("drift"); }},
                    gate);
}

std::string to_string(const Gate& gate) {
  return std::visit(
      Overloaded{
          [](const FailuresGate& g) {
            return "failures {max: " + to_string(g.max) + ", of: " + std::string(to_string(g.of)) +
                   ", min_sample: " + std::to_string(g.min_sample) + "}";
          },
          [](const SilenceGate& g) { return "silence {max: " + to_string(g.max) + "}"; },
          [](const AccuracyGate& g) {
            std::string text = "accuracy {non_inferior_by: " + to_string(g.non_inferior_by) +
                               ", alpha: " + to_string(g.alpha);
            if (!g.per.empty()) text += ", per: labels." + g.per;
            if (g.min_sample > 0) text += ", min_sample: " + std::to_string(g.min_sample);
            return text + "}";
          },
          [](const DriftGate& g) { return "drift {max_psi: " + as_number(g.max_psi) + "}"; }},
      gate);
}

std::string to_string(const StageSize& size) {
  return size.count > 0 ? std::to_string(size.count) : to_string(size.share);
}

Result<Plan> parse_plan(const PlanDocument& document) {
  PlanReading reading = read_plan(document);
  if (reading.plan) return *std::move(reading.plan);
  Error error = invalid(reading.problems.front().reason, "");
  for (const PlanProblem& problem : reading.problems) {
    if (problem.reason != error.reason) error.reason = "BAD_PLAN";
    if (!error.message.empty()) error.message += '\n';
    error.message += problem.path + ": " + problem.message;
  }
  return error;
}

}  // namespace covey
