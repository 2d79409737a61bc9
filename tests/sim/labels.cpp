// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/labels.hpp"

#include "core/assert.hpp"

namespace covey::sim {
namespace {

constexpr uint32_t kClasses = 2;
constexpr size_t kBatchMax = 12;
constexpr Millis kPatience = 20s;

}  // namespace

void Labels::inferred(const DeviceId& device, uint64_t boot_id, uint64_t inference,
                      const Digest& manifest, uint32_t predicted) {
  const Key key{device, boot_id, inference};
  made_[key] = {manifest, predicted};
  lately_.push_back(key);
}

void Labels::say_some() {
  if (!answered() || lately_.empty()) return;
  const uint64_t count = 1 + random_.below(kBatchMax);
  for (uint64_t i = 0; i < count; ++i) {
    // The newest ones mostly: their samples are still on their way.
    const size_t span = random_.chance(0.5) ? std::min<size_t>(lately_.size(), 40) : lately_.size();
    const Key& key = lately_[lately_.size() - 1 - random_.below(span)];
    batch_.emplace_back(key, static_cast<uint32_t>(random_.below(kClasses)));
    if (random_.chance(0.1)) batch_.push_back(batch_.back());
  }
  if (!ledger_.empty() && random_.chance(0.3)) {  // said before, now perhaps with another truth
    const auto known =
        std::next(ledger_.begin(), static_cast<std::ptrdiff_t>(random_.below(ledger_.size())));
    batch_.emplace_back(known->first, static_cast<uint32_t>(random_.below(kClasses)));
  }
  ++number_;
  submit();
  if (random_.chance(0.2)) submit();
}

void Labels::repeat() {
  if (!answered() && schedule_.now() - said_ >= kPatience) submit();
}

void Labels::submit() {
  said_ = schedule_.now();
  if (!gateway_.running()) return;
  engine::SubmitLabels command{ModelName("sim-model"), {}};
  for (const auto& [key, truth] : batch_) {
    const auto& [device, boot_id, inference] = key;
    command.labels.push_back(
        {.device = device, .boot_id = boot_id, .inference = inference, .truth = truth});
  }
  Result<std::unique_ptr<Reader>> reader = gateway_.store().reader();
  COVEY_ASSERT(reader.ok() && engine::look_up(**reader, command).ok());
  gateway_.submit(std::move(command),
                  [this, number = number_](const Result<engine::CommandReply>& reply) {
                    if (!reply || number != number_ || answered()) return;
                    for (const auto& [key, truth] : batch_) ledger_[key] = truth;
                    batch_.clear();
                  });
}

std::optional<std::string> Labels::difference() const {
  using Place = std::pair<Digest, DeviceId>;
  std::map<Place, monitoring::DeviceLabels> should;
  std::optional<std::string> wrong;
  gateway_.store().look([&](const memory::Tables& tables) {
    for (const auto& [key, truth] : ledger_) {
      const std::optional<SampleRecord> sample = tables.samples.find(key);
      if (!sample) continue;
      const Inference& made = made_.at(key);
      if (sample->manifest != made.manifest || sample->predicted != made.predicted) {
        wrong = "a sample of " + std::get<0>(key).str() + " is not what it inferred";
      }
      monitoring::DeviceLabels& labels = should[{made.manifest, std::get<0>(key)}];
      ++labels.labelled;
      if (made.predicted == truth) ++labels.correct;
    }
  });
  std::map<Place, monitoring::DeviceLabels> counted;
  for (const auto& [place, spans] : gateway_.engine().state().telemetry.tally) {
    for (const auto& [start, labels] : spans) {
      counted[place].labelled += labels.labelled;
      counted[place].correct += labels.correct;
    }
  }
  for (const auto& [place, labels] : should) {
    const monitoring::DeviceLabels& has = counted[place];
    if (has.labelled == labels.labelled && has.correct == labels.correct) continue;
    wrong = place.second.str() + ": " + std::to_string(has.labelled) + " labels counted, " +
            std::to_string(has.correct) + " of them correct, where " +
            std::to_string(labels.labelled) + " and " + std::to_string(labels.correct) +
            " were said";
  }
  for (const auto& [place, labels] : counted) {
    if (labels.labelled != 0 && !should.contains(place)) {
      wrong = place.second.str() + ": labels counted that nobody said";
    }
  }
  return wrong;
}

}  // namespace covey::sim
