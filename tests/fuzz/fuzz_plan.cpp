// SPDX-License-Identifier: Apache-2.0
// Plan documents of any texts: each line of the input fills the next field. A plan that is accepted
// keeps the promises that the engine relies on.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/assert.hpp"
#include "deploy/rollout/order.hpp"
#include "deploy/rollout/plan.hpp"

namespace {

class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  std::string next() {
    const size_t end = std::min(text_.find('\n'), text_.size());
    std::string line(text_.substr(0, end));
    text_.remove_prefix(std::min(end + 1, text_.size()));
    return line;
  }
  bool more() const { return !text_.empty(); }
  uint32_t number() { return static_cast<uint32_t>(next().size()); }

 private:
  std::string_view text_;
};

covey::GateDocument gate(Lines& in) {
  covey::GateDocument gate;
  const std::string kind = in.next();
  if (kind.find('f') != std::string::npos) gate.failures = {in.next(), in.next(), in.number()};
  if (kind.find('s') != std::string::npos) gate.silence = {in.next()};
  if (kind.find('a') != std::string::npos) gate.accuracy = {in.next(), in.next(), in.next(), {}};
  if (kind.find('d') != std::string::npos) gate.drift = {in.next()};
  if (kind.find('l') != std::string::npos) gate.latency = {in.next()};
  if (kind.find('g') != std::string::npos) gate.agreement = {in.next()};
  return gate;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Lines in({reinterpret_cast<const char*>(data), size});
  covey::PlanDocument document;
  document.name = in.next();
  document.release = in.next();
  document.target = in.next();
  document.strata = {in.next()};
  if (document.strata[0].empty()) document.strata.clear();
  document.holdback = in.next();
  document.on_fail = in.next();
  document.attempt = {in.next(), in.number(), in.next()};
  document.offline.skip_after = in.next();
  document.source = in.next();
  document.gates.push_back(gate(in));
  while (in.more() && document.stages.size() < 40) {
    covey::StageDocument stage;
    stage.name = in.next();
    stage.size = in.next();
    stage.soak = in.next();
    const std::string rest = in.next();
    if (rest.find('m') != std::string::npos) stage.mode = in.next();
    if (rest.find('w') != std::string::npos) stage.window = in.next();
    if (rest.find('p') != std::string::npos) stage.approval = in.next();
    if (rest.find('t') != std::string::npos) stage.timeout = in.next();
    if (rest.find('g') != std::string::npos) stage.gates.push_back(gate(in));
    document.stages.push_back(std::move(stage));
  }
  const covey::PlanReading reading = covey::read_plan(document);
  COVEY_ASSERT(reading.plan.has_value() == reading.problems.empty());
  COVEY_ASSERT(covey::parse_plan(document).ok() == reading.plan.has_value());
  if (!reading.plan) return 0;
  const covey::Plan& plan = *reading.plan;
  COVEY_ASSERT(!plan.stages.empty() && plan.holdback.ppm < 1'000'000);
  std::vector<covey::StageSize> sizes;
  for (const covey::Stage& stage : plan.stages) {
    COVEY_ASSERT(!stage.gates.empty() && (stage.size.count > 0) != (stage.size.share.ppm > 0));
    COVEY_ASSERT(stage.mode == covey::StageMode::kActive && stage.soak.count() >= 0);
    sizes.push_back(stage.size);
  }
  const covey::StageSets sets =
      covey::assign_stages({{covey::DeviceId("a"), "", false}, {covey::DeviceId("b"), "", false}},
                           plan.seed, sizes, plan.holdback);
  COVEY_ASSERT(sets.ends.front() >= 1 && sets.ends.back() + sets.holdback <= 2);
  return 0;
}
