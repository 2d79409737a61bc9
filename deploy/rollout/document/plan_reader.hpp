// Reads a PlanDocument and collects every problem with its path. Internal to deploy/rollout.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/rollout/plan.hpp"

namespace covey {

class PlanReader {
 public:
  PlanReading read(const PlanDocument& document);

 private:
  void read_spec(const PlanDocument& document, Plan& plan);
  void read_strata(const PlanDocument& document, Plan& plan);
  void read_attempt(const PlanDocument& document, Plan& plan);
  void read_stages(const PlanDocument& document, Plan& plan);
  Stage read_stage(const StageDocument& document, const std::string& path);
  StageSize read_size(const std::string& text, const std::string& path);
  void check_growth(const std::vector<Stage>& stages);

  std::vector<Gate> read_gates(const std::vector<GateDocument>& documents, const std::string& path);
  std::optional<Gate> read_gate(const GateDocument& document, const std::string& path);
  Gate read_failures(const GateDocument::Failures& document, const std::string& path);
  Gate read_silence(const GateDocument::Silence& document, const std::string& path);
  Gate read_accuracy(const GateDocument::Accuracy& document, const std::string& path);
  Gate read_drift(const GateDocument::Drift& document, const std::string& path);
  void refuse_latency(const GateDocument::Latency& document, const std::string& path);
  void refuse_agreement(const GateDocument::Agreement& document, const std::string& path);

  // Empty text: `fallback`, or a problem where there is none.
  Ratio ratio(const std::string& text, const std::string& path, std::optional<Ratio> fallback);
  Millis duration(const std::string& text, const std::string& path, Millis fallback);
  void problem(std::string path, std::string reason, std::string message);
  void bad(std::string path, std::string message) {
    problem(std::move(path), "BAD_PLAN", std::move(message));
  }

  std::vector<PlanProblem> problems_;
};

}  // namespace covey
