// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/assert.hpp"
#include "core/duration.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/queries/existence.hpp"
#include "gateway/engine/queries/questions.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"

namespace covey::engine {
namespace {

std::string release_text(const State& state, const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  return known == state.catalogue.artifacts.end() ? short_hex(manifest)
                                                  : to_string(known->second.release);
}

std::vector<std::string> bins_in_words(const std::vector<int32_t>& edges) {
  std::vector<std::string> names;
  for (size_t i = 0; i <= edges.size(); ++i) {
    names.push_back(i < edges.size() ? "<= " + std::to_string(edges[i])
                                     : "> " + std::to_string(edges.empty() ? 0 : edges.back()));
  }
  return names;
}

// Of all artifacts of the release, newest first.
std::vector<int64_t> newest_closed(const State& state, const ReleaseRecord& release, size_t most) {
  std::set<int64_t> closed;
  for (const ArtifactRecord& record : release.artifacts) {
    const Digest& digest = record.artifact->digest;
    auto window =
        state.telemetry.windows.lower_bound(WindowId{digest, std::numeric_limits<int64_t>::min()});
    for (; window != state.telemetry.windows.end() && window->first.first == digest; ++window) {
      if (window->second.closed) closed.insert(window->first.second);
    }
  }
  std::vector<int64_t> chosen(closed.rbegin(), closed.rend());
  chosen.resize(std::min(chosen.size(), most));
  return chosen;
}

// What was said when the window closed. nullptr: no verdict is about exactly these counts.
const std::vector<SubjectVerdict>* stored_verdict(const State& state, const ReleaseRecord& release,
                                                  const std::vector<int64_t>& indexes) {
  if (indexes.size() != 1) return nullptr;
  const std::vector<SubjectVerdict>* said = nullptr;
  for (const ArtifactRecord& record : release.artifacts) {
    const auto window = state.telemetry.windows.find({record.artifact->digest, indexes.front()});
    if (window == state.telemetry.windows.end()) continue;
    if (said != nullptr || window->second.verdict.empty()) return nullptr;
    said = &window->second.verdict;
  }
  return said;
}

HistogramView histogram_view(const monitoring::JudgedSubject& subject,
                             const monitoring::Baseline& baseline, SubjectVerdict verdict) {
  HistogramView view;
  view.name = subject.name;
  if (subject.kind == monitoring::SubjectKind::kFeature) {
    view.edges = baseline.features[subject.number].edges;
    view.bin_names = bins_in_words(view.edges);
  } else {
    view.bin_names = baseline.class_names;
  }
  view.baseline = subject.baseline;
  view.now.resize(view.baseline.size());
  for (const monitoring::Counts& device : subject.devices) monitoring::add(view.now, device);
  view.now.resize(view.baseline.size());
  view.verdict = std::move(verdict);
  return view;
}

}  // namespace

InferenceQuestion::InferenceQuestion(ModelName model, size_t rows,
                                     const std::optional<DeviceId>& behind)
    : model_(std::move(model)), rows_(rows), sums_(!behind) {
  if (!behind) return;
  Digest highest;
  highest.bytes.fill(0xff);
  cursor_ = Cursor<TotalKey>(TotalKey{*behind, highest, Cohort()});
}

void InferenceQuestion::add_row(const TotalRecord& record, const ReleaseId& release) {
  if (more_) return;
  if (last_ != record.device) {
    if (totals_.devices.size() >= rows_) {
      more_ = last_;
      return;
    }
    last_ = record.device;
  }
  TotalRecord& device = totals_.devices[{record.device, release}];
  device.device = record.device;
  device.manifest = record.manifest;
  add(device, record);
}

void InferenceQuestion::add_sums(const State& state, const TotalRecord& record) {
  TotalRecord& cohort =
      totals_.cohorts[{release_text(state, record.manifest), record.cohort.text()}];
  cohort.cohort = record.cohort;
  cohort.manifest = record.manifest;
  add(cohort, record);
  totals_.inferences += record.inferences;
  totals_.windows_lost += record.windows_lost;
  totals_.duplicates += record.duplicates;
  totals_.quarantined += record.quarantined;
}

bool InferenceQuestion::look(const State& state) {
  const auto see = [&](const TotalKey&, const TotalRecord& record) -> size_t {
    const auto known = state.catalogue.artifacts.find(record.manifest);
    if (known == state.catalogue.artifacts.end() || known->second.release.model != model_) return 1;
    add_row(record, known->second.release);
    if (sums_) add_sums(state, record);
    return 1;
  };
  const bool whole = cursor_.advance(state.telemetry.totals, kRecordsPerLook, see);
  return whole || (!sums_ && more_);
}

Totals count_inferences(const State& state, const ModelName& model) {
  InferenceQuestion question(model);
  while (!question.look(state)) {
  }
  return question.totals();
}

std::map<ReleaseId, TotalRecord> count_inferences(const State& state, const DeviceId& device) {
  std::map<ReleaseId, TotalRecord> releases;
  for (auto total = state.telemetry.totals.lower_bound({device, Digest{}, Cohort()});
       total != state.telemetry.totals.end() && std::get<0>(total->first) == device; ++total) {
    const auto known = state.catalogue.artifacts.find(total->second.manifest);
    if (known == state.catalogue.artifacts.end()) continue;
    TotalRecord& sums = releases[known->second.release];
    sums.device = device;
    sums.manifest = total->second.manifest;
    add(sums, total->second);
  }
  return releases;
}

bool DriftQuestion::count_devices(const State& state) {
  const auto see = [&](const DeviceId&, const Device& device) -> size_t {
    const auto found = device.models.find(model_);
    if (found == device.models.end() || !found->second.reported.active) return 1;
    const auto known = state.catalogue.artifacts.find(*found->second.reported.active);
    if (known != state.catalogue.artifacts.end()) ++used_[known->second.release];
    return 1;
  };
  return devices_.advance(state.fleet.devices, kRecordsPerLook, see);
}

Status DriftQuestion::choose(const State& state, const EngineConfig& config) {
  if (version_) {
    view_.release = {model_, *version_};
  } else if (used_.empty()) {
    return precondition("NO_DEVICE_RUNS_IT",
                        "no device runs a release of " + model_.str() + ": name a release");
  } else {
    view_.release = std::max_element(used_.begin(), used_.end(), [](const auto& a, const auto& b) {
                      return a.second < b.second;
                    })->first;
  }
  if (Status known = expect_release(state, view_.release); !known) return known;
  const ReleaseRecord& release = state.catalogue.releases.at(view_.release);
  const std::vector<int64_t> windows = newest_closed(state, release, most_);
  if (windows.empty()) {
    return precondition(
        "NO_WINDOW",
        fmt::format("no window of {} has closed in the last {}: they are {} s long, "
                    "and the newest {} are compared; `covey monitor windows` shows "
                    "older ones",
                    to_string(view_.release), covey::to_string(config.window * config.windows_kept),
                    config.window.count() / 1000, config.windows_kept));
  }
  view_.start = windows.back() * config.window;
  view_.end = (windows.front() + 1) * config.window;
  for (const ArtifactRecord& record : release.artifacts) {
    for (const int64_t index : windows) left_.emplace_back(record.artifact->digest, index);
  }
  if (filter_.matches_everything()) {
    if (const auto* said = stored_verdict(state, release, windows)) said_ = *said;
  }
  // The artifacts of one release share features; the first one's baseline speaks for all.
  baseline_ = state.catalogue.artifacts.at(release.artifacts.front().artifact->digest).baseline;
  drift_ = config.drift;
  localise_ = config.localise;
  return {};
}

bool DriftQuestion::copy(const State& state) {
  size_t budget = kDevicesPerLook;
  while (!left_.empty()) {
    const auto window = state.telemetry.windows.find(left_.back());
    if (window != state.telemetry.windows.end()) {
      const auto see = [&](const auto& key, const monitoring::WindowCounts& counts) -> size_t {
        budget -= std::min<size_t>(budget, 1);
        const auto device = state.fleet.devices.find(key.first);
        if (device == state.fleet.devices.end()) return 1;
        if (!filter_.matches(DeviceFields(state, device->second))) return 1;
        monitoring::merge(counts_[key.first], counts);
        return 1;
      };
      if (!cursor_.advance(window->second.devices, std::max<size_t>(1, budget), see)) return false;
    }
    left_.pop_back();
    cursor_ = {};
    if (budget == 0) return left_.empty();
    --budget;
  }
  return true;
}

Result<bool> DriftQuestion::look(const State& state, const EngineConfig& config) {
  if (!chosen_) {
    if (!version_ && !count_devices(state)) return false;
    if (Status known = choose(state, config); !known) return known.error();
    chosen_ = true;
    return false;
  }
  return copy(state);
}

DriftView DriftQuestion::judge() && {
  std::vector<DeviceId> ids;
  ids.reserve(counts_.size());
  for (const auto& [id, counts] : counts_) {
    ids.push_back(id);
    view_.inferences += counts.inferences;
  }
  view_.devices = static_cast<uint32_t>(ids.size());
  std::vector<monitoring::JudgedSubject> subjects = monitoring::subjects_of(baseline_);
  for (monitoring::JudgedSubject& subject : subjects) {
    subject.devices.reserve(ids.size());
    for (const auto& [id, counts] : counts_) {
      subject.devices.push_back(monitoring::histogram_of(counts, subject));
      subject.missing.push_back(monitoring::missing_of(counts, subject));
    }
  }
  std::vector<SubjectVerdict> verdicts =
      said_ ? *std::move(said_) : judge_subjects(subjects, ids, drift_, localise_);
  COVEY_ASSERT(verdicts.size() == subjects.size());
  for (size_t i = 0; i < subjects.size(); ++i) {
    view_.histograms.push_back(histogram_view(subjects[i], baseline_, std::move(verdicts[i])));
  }
  return std::move(view_);
}

Result<DriftView> view_drift(const State& state, const EngineConfig& config, const ModelName& model,
                             std::optional<Version> version, const std::string& filter,
                             uint32_t windows) {
  Result<Filter> devices = Filter::parse(filter);
  if (!devices) return invalid(devices.error().reason, "filter: " + devices.error().message);
  DriftQuestion question(model, version, *std::move(devices), windows);
  for (;;) {
    const Result<bool> whole = question.look(state, config);
    if (!whole) return whole.error();
    if (*whole) return std::move(question).judge();
  }
}

AccuracyRow* AccuracyQuestion::row(const State& state, const DeviceId& id, const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  const auto device = state.fleet.devices.find(id);
  if (known == state.catalogue.artifacts.end() || known->second.release.model != model_ ||
      device == state.fleet.devices.end()) {
    return nullptr;
  }
  std::string stratum;
  if (!per_.empty()) {
    stratum = DeviceFields(state, device->second).find(per_).value_or("(none)");
  }
  AccuracyRow& found = rows_[{known->second.release, stratum}];
  found.release = known->second.release;
  found.stratum = stratum;
  return &found;
}

Result<bool> AccuracyQuestion::look(const State& state) {
  if (!per_.empty() && !per_.starts_with("labels.")) {
    return invalid("BAD_PER", "per: write labels.KEY, e.g. labels.machine_type");
  }
  const auto see_tally = [&](const auto& key, const auto& windows) -> size_t {
    AccuracyRow* target = row(state, key.second, key.first);
    if (target == nullptr) return 1;
    for (const auto& [start, labels] : windows) {
      target->labelled += labels.labelled;
      target->correct += labels.correct;
    }
    return 1 + windows.size() / 10;
  };
  const auto see_total = [&](const TotalKey&, const TotalRecord& record) -> size_t {
    if (AccuracyRow* target = row(state, record.device, record.manifest)) {
      target->inferences += record.inferences;
    }
    return 1;
  };
  bool whole = false;
  if (!tallied_) {
    tallied_ = tallies_.advance(state.telemetry.tally, kRecordsPerLook, see_tally);
  } else {
    whole = totals_.advance(state.telemetry.totals, kRecordsPerLook, see_total);
  }
  if (rows_.size() > kAccuracyRowsMax) {
    return precondition("TOO_MANY_ROWS",
                        fmt::format("per: {} has so many values that there are more than {} rows: "
                                    "choose a label that devices share",
                                    per_, kAccuracyRowsMax));
  }
  return whole;
}

std::vector<AccuracyRow> AccuracyQuestion::rows() && {
  std::vector<AccuracyRow> list;
  list.reserve(rows_.size());
  for (auto& [key, value] : rows_) list.push_back(std::move(value));
  return list;
}

Result<std::vector<AccuracyRow>> count_accuracy(const State& state, const ModelName& model,
                                                const std::string& per) {
  AccuracyQuestion question(model, per);
  for (;;) {
    const Result<bool> whole = question.look(state);
    if (!whole) return whole.error();
    if (*whole) return std::move(question).rows();
  }
}

}  // namespace covey::engine
