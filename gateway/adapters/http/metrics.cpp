// SPDX-License-Identifier: Apache-2.0
#include "gateway/adapters/http/metrics.hpp"

#include <prometheus/check_names.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <sstream>

#include "core/assert.hpp"

namespace covey::http {
namespace {

class Families : public MetricSheet {
 public:
  void counter(std::string_view name, std::string_view help, double value,
               const MetricLabels& labels) override {
    if (auto* metric = add(name, help, prometheus::MetricType::Counter, labels)) {
      metric->counter.value = value;
    }
  }
  void gauge(std::string_view name, std::string_view help, double value,
             const MetricLabels& labels) override {
    if (auto* metric = add(name, help, prometheus::MetricType::Gauge, labels)) {
      metric->gauge.value = value;
    }
  }
  void histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                 const std::vector<uint64_t>& counts, double sum,
                 const MetricLabels& labels) override {
    if (counts.size() != bounds.size() + 1 || !std::is_sorted(bounds.begin(), bounds.end())) {
      COVEY_BUG("a histogram needs ascending bounds and one count more");
      return;
    }
    auto* metric = add(name, help, prometheus::MetricType::Histogram, labels);
    if (metric == nullptr) return;
    auto& histogram = metric->histogram;
    for (size_t i = 0; i < counts.size(); ++i) {
      histogram.sample_count += counts[i];
      histogram.bucket.push_back(
          {histogram.sample_count,
           i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity()});
    }
    histogram.sample_sum = sum;
  }

  const std::vector<prometheus::MetricFamily>& families() const { return families_; }

 private:
  // Valid until the next call.
  prometheus::ClientMetric* add(std::string_view name, std::string_view help,
                                prometheus::MetricType type, const MetricLabels& labels) {
    std::vector<prometheus::ClientMetric::Label> checked;
    for (const auto& [label, value] : labels) {
      if (!prometheus::CheckLabelName(label)) {
        COVEY_BUG("a metric's label has a bad name");
        return nullptr;
      }
      checked.push_back({label, value});
    }
    auto family = std::find_if(families_.begin(), families_.end(),
                               [&](const auto& known) { return known.name == name; });
    if (family == families_.end()) {
      if (!prometheus::CheckMetricName(std::string(name))) {
        COVEY_BUG("a metric has a bad name");
        return nullptr;
      }
      families_.push_back({std::string(name), std::string(help), type, {}});
      family = families_.end() - 1;
    } else if (family->type != type) {
      COVEY_BUG("a metric has two types");
      return nullptr;
    }
    family->metric.emplace_back();
    family->metric.back().label = std::move(checked);
    return &family->metric.back();
  }

  std::vector<prometheus::MetricFamily> families_;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// The names that every Prometheus client library uses.
void collect_process(MetricSheet& sheet) {
  sheet.counter("covey_bugs_total", "Bugs that were noticed and lived with",
                static_cast<double>(bug_count()));
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    sheet.counter("process_cpu_seconds_total", "User and system CPU time",
                  seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  std::ifstream memory("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  if (memory >> pages >> resident) {
    sheet.gauge("process_resident_memory_bytes", "Resident memory",
                static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  std::error_code failure;
  double open = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failure), end;
       !failure && entry != end; entry.increment(failure)) {
    ++open;
  }
  if (!failure) sheet.gauge("process_open_fds", "Open file descriptors", open);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    sheet.gauge("process_max_fds", "Limit of open file descriptors",
                static_cast<double>(files.rlim_cur));
  }
}

}  // namespace

class Metrics::Registry {
 public:
  void add(Collect collect) {
    const std::lock_guard lock(mutex_);
    collects_.push_back(std::move(collect));
  }
  std::string text() const {
    Families families;
    collect_process(families);
    const std::lock_guard lock(mutex_);
    for (const Collect& collect : collects_) collect(families);
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families.families());
    return out.str();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Collect> collects_;  // guarded by mutex_
};

Metrics::Metrics() : registry_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;
void Metrics::add(Collect collect) { registry_->add(std::move(collect)); }
std::string Metrics::text() const { return registry_->text(); }

namespace {

constexpr std::array kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

}  // namespace

struct LatencyHistogram::Cells {
  std::array<std::atomic<uint64_t>, kBounds.size() + 1> counts{};
  std::atomic<uint64_t> sum_ns{0};
};

LatencyHistogram::LatencyHistogram() : cells_(std::make_unique<Cells>()) {}
LatencyHistogram::~LatencyHistogram() = default;

void LatencyHistogram::observe(double seconds) {
  if (!(seconds >= 0)) seconds = 0;
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  const auto index = static_cast<size_t>(bound - kBounds.begin());
  cells_->counts[index].fetch_add(1, std::memory_order_relaxed);
  cells_->sum_ns.fetch_add(static_cast<uint64_t>(std::min(seconds, 1e6) * 1e9),
                           std::memory_order_relaxed);
}

void LatencyHistogram::write(MetricSheet& sheet, std::string_view name, std::string_view help,
                             const MetricLabels& labels) const {
  std::vector<uint64_t> counts;
  for (const auto& cell : cells_->counts) counts.push_back(cell.load(std::memory_order_relaxed));
  sheet.histogram(name, help, {kBounds.begin(), kBounds.end()}, counts,
                  static_cast<double>(cells_->sum_ns.load(std::memory_order_relaxed)) / 1e9,
                  labels);
}

}  // namespace covey::http
