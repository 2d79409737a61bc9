// SPDX-License-Identifier: Apache-2.0
// Metrics by name. Owners of counters know no Prometheus: they are read in `collect`, which runs at
// each scrape and copies numbers into the sheet. Serialised by prometheus-cpp core.
//
// Thread safety: Metrics from any thread; a sheet only inside its collect call.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace covey::http {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// One scrape. Names: covey_..., lower case; units last (_bytes, _seconds), counters end in _total.
// A name that breaks Prometheus' grammar, or a second type for the same name, is dropped
// (COVEY_BUG).
class MetricSheet {
 public:
  virtual ~MetricSheet() = default;
  virtual void counter(std::string_view name, std::string_view help, double value,
                       const MetricLabels& labels = {}) = 0;
  virtual void gauge(std::string_view name, std::string_view help, double value,
                     const MetricLabels& labels = {}) = 0;
  // `counts` per bucket, one more than `bounds` (the last is +Inf); not cumulative.
  virtual void histogram(std::string_view name, std::string_view help,
                         const std::vector<double>& bounds, const std::vector<uint64_t>& counts,
                         double sum, const MetricLabels& labels = {}) = 0;
};

class Metrics {
 public:
  using Collect = std::function<void(MetricSheet&)>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Called at each scrape on the HTTP thread, in the order of adding; must not block.
  void add(Collect collect);
  // Text exposition format 0.0.4; includes covey_bugs_total and process figures.
  std::string text() const;

 private:
  class Registry;
  std::unique_ptr<Registry> registry_;
};

// A latency histogram that many threads add to without a lock; read in a collect callback.
class LatencyHistogram {
 public:
  LatencyHistogram();
  ~LatencyHistogram();
  LatencyHistogram(const LatencyHistogram&) = delete;
  LatencyHistogram& operator=(const LatencyHistogram&) = delete;

  void observe(double seconds);
  void write(MetricSheet& sheet, std::string_view name, std::string_view help,
             const MetricLabels& labels = {}) const;

 private:
  struct Cells;
  std::unique_ptr<Cells> cells_;
};

}  // namespace covey::http
