// The gates of a plan document.
#include <algorithm>

#include "deploy/rollout/document/plan_reader.hpp"

namespace covey {

std::vector<Gate> PlanReader::read_gates(const std::vector<GateDocument>& documents,
                                         const std::string& path) {
  std::vector<Gate> gates;
  if (documents.size() > kGatesMax) {
    bad(path, "has more than " + std::to_string(kGatesMax) + " entries");
    return gates;
  }
  for (size_t i = 0; i < documents.size(); ++i) {
    const std::string where = path + "[" + std::to_string(i) + "]";
    std::optional<Gate> gate = read_gate(documents[i], where);
    if (!gate) continue;
    const bool repeated = std::any_of(gates.begin(), gates.end(), [&](const Gate& other) {
      return other.index() == gate->index();
    });
    if (repeated) {
      bad(where, "a second " + std::string(name_of(*gate)) + " gate: each kind at most once");
      continue;
    }
    gates.push_back(*std::move(gate));
  }
  return gates;
}

std::optional<Gate> PlanReader::read_gate(const GateDocument& document, const std::string& path) {
  const int kinds = document.failures.has_value() + document.silence.has_value() +
                    document.accuracy.has_value() + document.drift.has_value() +
                    document.latency.has_value() + document.agreement.has_value();
  if (kinds != 1) {
    bad(path, "expected exactly one of failures, silence, accuracy, drift");
    return std::nullopt;
  }
  if (document.failures) return read_failures(*document.failures, path + ".failures");
  if (document.silence) return read_silence(*document.silence, path + ".silence");
  if (document.accuracy) return read_accuracy(*document.accuracy, path + ".accuracy");
  if (document.drift) return read_drift(*document.drift, path + ".drift");
  if (document.latency) refuse_latency(*document.latency, path + ".latency");
  if (document.agreement) refuse_agreement(*document.agreement, path + ".agreement");
  return std::nullopt;
}

Gate PlanReader::read_failures(const GateDocument::Failures& document, const std::string& path) {
  FailuresGate gate;
  gate.max = ratio(document.max, path + ".max", std::nullopt);
  if (document.of == "targeted") {
    gate.of = Denominator::kTargeted;
  } else if (document.of == "reported") {
    gate.of = Denominator::kReported;
  } else if (!document.of.empty() && document.of != "attempted") {
    bad(path + ".of",
        "'" + document.of.substr(0, 64) + "' is none of targeted, attempted, reported");
  }
  gate.min_sample = std::max<uint32_t>(1, document.min_sample.value_or(gate.min_sample));
  return gate;
}

Gate PlanReader::read_silence(const GateDocument::Silence& document, const std::string& path) {
  return SilenceGate{ratio(document.max, path + ".max", std::nullopt)};
}

Gate PlanReader::read_accuracy(const GateDocument::Accuracy& document, const std::string& path) {
  AccuracyGate gate;
  gate.non_inferior_by = ratio(document.non_inferior_by, path + ".non_inferior_by", std::nullopt);
  if (gate.non_inferior_by.ppm == 0 && parse_ratio(document.non_inferior_by)) {
    bad(path + ".non_inferior_by", "no amount of evidence shows a margin of 0: write e.g. 2pp");
  }
  gate.alpha = ratio(document.alpha, path + ".alpha", gate.alpha);
  if (gate.alpha.ppm == 0 || gate.alpha > Ratio::percent(50)) {
    bad(path + ".alpha", "the accepted rate of false alarms is above 0 and at most 50%");
  }
  if (!document.per.empty()) {
    const Result<Filter> probe = Filter::parse(document.per + ":*");
    if (!document.per.starts_with("labels.") || !probe ||
        probe->fields() != std::vector<std::string>{document.per}) {
      bad(path + ".per", "'" + document.per.substr(0, 64) + "' is not a label: write labels.KEY");
    } else {
      gate.per = document.per.substr(std::string_view("labels.").size());
    }
  }
  gate.min_sample = document.min_sample.value_or(gate.min_sample);
  return gate;
}

Gate PlanReader::read_drift(const GateDocument::Drift& document, const std::string& path) {
  DriftGate gate;
  const Result<Ratio> psi = parse_ratio(document.max_psi);
  if (!psi || psi->ppm == 0 || document.max_psi.ends_with("%") ||
      document.max_psi.ends_with("pp")) {
    bad(path + ".max_psi", "'" + document.max_psi.substr(0, 64) +
                               "' is not a PSI: write a number above 0 and up to 1, such as 0.1");
    return gate;
  }
  gate.max_psi = *psi;
  return gate;
}

// Still read, so that a plan with two mistakes shows both.
void PlanReader::refuse_latency(const GateDocument::Latency& document, const std::string& path) {
  if (document.p95_max.empty()) bad(path + ".p95_max", "is missing: write for example 40ms");
  duration(document.p95_max, path + ".p95_max", Millis{0});
  problem(path, "UNSUPPORTED_GATE",
          "latency gates come with a later version: use failures, silence or accuracy");
}

void PlanReader::refuse_agreement(const GateDocument::Agreement& document,
                                  const std::string& path) {
  ratio(document.min, path + ".min", std::nullopt);
  problem(path, "UNSUPPORTED_GATE",
          "agreement gates come with shadow stages in a later version: use accuracy");
}

}  // namespace covey
