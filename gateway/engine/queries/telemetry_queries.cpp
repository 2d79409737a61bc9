#include <algorithm>

#include "gateway/engine/fleet/device_fields.hpp"
#include "gateway/engine/queries/queries.hpp"

namespace covey::engine {
namespace {

std::string release_text(const State& state, const Digest& manifest) {
  const auto known = state.catalogue.artifacts.find(manifest);
  return known == state.catalogue.artifacts.end() ? short_hex(manifest)
                                                  : to_string(known->second.release);
}

void add(TotalRecord& to, const TotalRecord& from) {
  to.inferences += from.inferences;
  to.windows += from.windows;
  to.windows_lost += from.windows_lost;
  to.errors += from.errors;
  to.duplicates += from.duplicates;
  to.quarantined += from.quarantined;
  to.energy_inferences += from.energy_inferences;
  to.energy_sum_uj = monitoring::add_saturating(to.energy_sum_uj, from.energy_sum_uj);
  monitoring::merge(to.health, from.health);
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
    TotalRecord& cohort = totals.cohorts[{release_text(state, record.manifest), record.cohort}];
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
  for (auto total = state.telemetry.totals.lower_bound({device, Digest{}, ""});
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
  const auto release = state.catalogue.releases.find(view.release);
  if (release == state.catalogue.releases.end())
    return not_found("no release " + to_string(view.release));
  const Result<Filter> devices_filter = Filter::parse(filter);
  if (!devices_filter) return devices_filter.error();

  // The artifacts of one release share features; the first one's baseline speaks for all.
  const KnownArtifact& known =
      state.catalogue.artifacts.at(release->second.artifacts.front().artifact->digest);
  std::set<int64_t> closed;
  for (const ArtifactRecord& record : release->second.artifacts) {
    for (const auto& [key, window] : state.telemetry.windows) {
      if (key.first == record.artifact->digest && window.closed) closed.insert(key.second);
    }
  }
  if (closed.empty()) {
    return precondition("NO_WINDOW", "no window of " + to_string(view.release) +
                                         " has closed yet: they are " +
                                         std::to_string(config.window.count() / 1000) + " s long");
  }
  std::vector<int64_t> chosen(closed.rbegin(), closed.rend());
  chosen.resize(std::min<size_t>(chosen.size(), std::max(1U, windows)));
  view.start = chosen.back() * config.window;
  view.end = (chosen.front() + 1) * config.window;

  std::map<DeviceId, monitoring::WindowCounts> per_device;
  for (const ArtifactRecord& record : release->second.artifacts) {
    for (const int64_t index : chosen) {
      const auto window = state.telemetry.windows.find({record.artifact->digest, index});
      if (window == state.telemetry.windows.end()) continue;
      for (const auto& [key, counts] : window->second.devices) {
        const auto device = state.fleet.devices.find(key.first);
        if (device == state.fleet.devices.end()) continue;
        if (!devices_filter->matches(DeviceFields(state, device->second))) continue;
        monitoring::merge(per_device[key.first], counts);
      }
    }
  }
  std::vector<DeviceId> ids;
  ids.reserve(per_device.size());
  for (const auto& [id, counts] : per_device) {
    ids.push_back(id);
    view.inferences += counts.inferences;
  }
  view.devices = static_cast<uint32_t>(ids.size());
  const auto add_histogram = [&](HistogramView histogram, const auto& select) {
    std::vector<monitoring::Counts> counts;
    counts.reserve(ids.size());
    for (const DeviceId& id : ids) counts.push_back(select(per_device.at(id)));
    for (const monitoring::Counts& c : counts) monitoring::add(histogram.now, c);
    histogram.now.resize(histogram.baseline.size());
    histogram.judgement =
        monitoring::judge_feature(histogram.baseline, counts, config.drift, config.localise);
    for (const size_t index : histogram.judgement.where.devices) {
      histogram.devices.push_back(ids[index]);
    }
    view.histograms.push_back(std::move(histogram));
  };
  for (size_t f = 0; f < known.baseline.features.size(); ++f) {
    const monitoring::FeatureBaseline& feature = known.baseline.features[f];
    add_histogram({.name = feature.name,
                   .edges = feature.edges,
                   .bin_names = bins_in_words(feature.edges),
                   .baseline = feature.counts,
                   .now = {},
                   .judgement = {},
                   .devices = {}},
                  [f](const monitoring::WindowCounts& c) { return c.features[f].bins; });
  }
  if (!known.baseline.classes.empty()) {
    add_histogram({.name = "classes",
                   .edges = {},
                   .bin_names = known.baseline.class_names,
                   .baseline = known.baseline.classes,
                   .now = {},
                   .judgement = {},
                   .devices = {}},
                  [](const monitoring::WindowCounts& c) { return c.classes; });
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
