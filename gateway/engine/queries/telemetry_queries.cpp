// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/assert.hpp"
#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/queries/queries.hpp"
#include "gateway/engine/telemetry/telemetry.hpp"

namespace covey::engine {
namespace {

std::string release_text(const State& state, const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  return known == state.catalogue.artifacts.end() ? short_hex(manifest)
                                                  : to_string(known->second.release);
}

std::optional<ReleaseId> most_used(const State& state, const ModelName& model) {
  std::map<ReleaseId, size_t> devices;
  for (const auto& [id, device] : state.fleet.devices) {
    const auto found = device.models.find(model);
    if (found == device.models.end() || !found->second.reported.active) continue;
    const auto known = state.catalogue.artifacts.find(*found->second.reported.active);
    if (known != state.catalogue.artifacts.end()) ++devices[known->second.release];
  }
  if (devices.empty()) return std::nullopt;
  return std::max_element(devices.begin(), devices.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::vector<std::string> bins_in_words(const std::vector<int32_t>& edges) {
  std::vector<std::string> names;
  for (size_t i = 0; i <= edges.size(); ++i) {
    names.push_back(i < edges.size() ? "<= " + std::to_string(edges[i])
                                     : "> " + std::to_string(edges.empty() ? 0 : edges.back()));
  }
  return names;
}

using DeviceWindows = std::map<DeviceId, monitoring::WindowCounts>;

// Of all artifacts of the release, newest first.
std::vector<int64_t> newest_closed(const State& state, const ReleaseRecord& release, size_t most) {
  std::set<int64_t> closed;
  for (const ArtifactRecord& record : release.artifacts) {
    for (const auto& [key, window] : state.telemetry.windows) {
      if (key.first == record.artifact->digest && window.closed) closed.insert(key.second);
    }
  }
  std::vector<int64_t> chosen(closed.rbegin(), closed.rend());
  chosen.resize(std::min(chosen.size(), most));
  return chosen;
}

DeviceWindows windows_of(const State& state, const ReleaseRecord& release,
                         const std::vector<int64_t>& indexes, const Filter& filter) {
  DeviceWindows per_device;
  for (const ArtifactRecord& record : release.artifacts) {
    for (const int64_t index : indexes) {
      const auto window = state.telemetry.windows.find({record.artifact->digest, index});
      if (window == state.telemetry.windows.end()) continue;
      for (const auto& [key, counts] : window->second.devices) {
        const auto device = state.fleet.devices.find(key.first);
        if (device == state.fleet.devices.end()) continue;
        if (!filter.matches(DeviceFields(state, device->second))) continue;
        monitoring::merge(per_device[key.first], counts);
      }
    }
  }
  return per_device;
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

Totals count_inferences(const State& state, const ModelName& model) {
  Totals totals;
  for (const auto& [key, record] : state.telemetry.totals) {
    const auto known = state.catalogue.artifacts.find(record.manifest);
    if (known == state.catalogue.artifacts.end() || known->second.release.model != model) continue;
    TotalRecord& device = totals.devices[{record.device, known->second.release}];
    device.device = record.device;
    device.manifest = record.manifest;
    add(device, record);
    TotalRecord& cohort =
        totals.cohorts[{release_text(state, record.manifest), record.cohort.text()}];
    cohort.cohort = record.cohort;
    cohort.manifest = record.manifest;
    add(cohort, record);
    totals.inferences += record.inferences;
    totals.windows_lost += record.windows_lost;
    totals.duplicates += record.duplicates;
    totals.quarantined += record.quarantined;
  }
  return totals;
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

Result<DriftView> view_drift(const State& state, const EngineConfig& config, const ModelName& model,
                             std::optional<Version> version, const std::string& filter,
                             uint32_t windows) {
  DriftView view;
  if (version) {
    view.release = {model, *version};
  } else {
    const std::optional<ReleaseId> used = most_used(state, model);
    if (!used) return not_found("no device runs a release of " + model.str());
    view.release = *used;
  }
  const auto found = state.catalogue.releases.find(view.release);
  if (found == state.catalogue.releases.end()) {
    return not_found("no release " + to_string(view.release));
  }
  const ReleaseRecord& release = found->second;
  const Result<Filter> devices_filter = Filter::parse(filter);
  if (!devices_filter) {
    return invalid(devices_filter.error().reason, "filter: " + devices_filter.error().message);
  }
  const std::vector<int64_t> chosen = newest_closed(state, release, std::max(1U, windows));
  if (chosen.empty()) {
    return precondition("NO_WINDOW",
                        fmt::format("no window of {} has closed yet: they are {} s long",
                                    to_string(view.release), config.window.count() / 1000));
  }
  view.start = chosen.back() * config.window;
  view.end = (chosen.front() + 1) * config.window;

  const DeviceWindows per_device = windows_of(state, release, chosen, *devices_filter);
  std::vector<DeviceId> ids;
  ids.reserve(per_device.size());
  for (const auto& [id, counts] : per_device) {
    ids.push_back(id);
    view.inferences += counts.inferences;
  }
  view.devices = static_cast<uint32_t>(ids.size());

  // The artifacts of one release share features; the first one's baseline speaks for all.
  const monitoring::Baseline& baseline =
      state.catalogue.artifacts.at(release.artifacts.front().artifact->digest).baseline;
  std::vector<monitoring::JudgedSubject> subjects = monitoring::subjects_of(baseline);
  for (monitoring::JudgedSubject& subject : subjects) {
    subject.devices.reserve(ids.size());
    for (const auto& [id, counts] : per_device) {
      subject.devices.push_back(monitoring::histogram_of(counts, subject));
      subject.missing.push_back(monitoring::missing_of(counts, subject));
    }
  }
  const std::vector<SubjectVerdict>* said =
      devices_filter->matches_everything() ? stored_verdict(state, release, chosen) : nullptr;
  std::vector<SubjectVerdict> verdicts =
      said != nullptr ? *said : judge_subjects(subjects, ids, config.drift, config.localise);
  COVEY_ASSERT(verdicts.size() == subjects.size());
  for (size_t i = 0; i < subjects.size(); ++i) {
    view.histograms.push_back(histogram_view(subjects[i], baseline, std::move(verdicts[i])));
  }
  return view;
}

Result<std::vector<AccuracyRow>> count_accuracy(const State& state, const ModelName& model,
                                                const std::string& per) {
  if (!per.empty() && !per.starts_with("labels.")) {
    return invalid("BAD_PER", "per: write labels.KEY, e.g. labels.machine_type");
  }
  std::map<std::pair<ReleaseId, std::string>, AccuracyRow> rows;
  const auto row = [&](const DeviceId& id, const Digest& manifest) -> AccuracyRow* {
    const auto known = state.catalogue.artifacts.find(manifest);
    const auto device = state.fleet.devices.find(id);
    if (known == state.catalogue.artifacts.end() || known->second.release.model != model ||
        device == state.fleet.devices.end()) {
      return nullptr;
    }
    std::string stratum;
    if (!per.empty()) {
      stratum = DeviceFields(state, device->second).find(per).value_or("(none)");
    }
    AccuracyRow& found = rows[{known->second.release, stratum}];
    found.release = known->second.release;
    found.stratum = stratum;
    return &found;
  };
  for (const auto& [key, windows] : state.telemetry.tally) {
    AccuracyRow* target = row(key.second, key.first);
    if (target == nullptr) continue;
    for (const auto& [index, labels] : windows) {
      target->labelled += labels.labelled;
      target->correct += labels.correct;
    }
  }
  for (const auto& [key, record] : state.telemetry.totals) {
    if (AccuracyRow* target = row(record.device, record.manifest)) {
      target->inferences += record.inferences;
    }
  }
  std::vector<AccuracyRow> list;
  list.reserve(rows.size());
  for (auto& [key, value] : rows) list.push_back(std::move(value));
  return list;
}

}  // namespace covey::engine
