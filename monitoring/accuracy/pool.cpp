// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/pool.hpp"

#include <algorithm>
#include <utility>

#include "monitoring/counts/counts.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {

Pool::Pool(std::vector<const Comparison*> comparisons) : comparisons_(std::move(comparisons)) {
  for (const Comparison* c : comparisons_) {
    canary_labels_ = add_saturating(canary_labels_, c->canary.labelled);
    degrees_ += c->canary.devices + c->control.devices - 2.0;
  }
}

Pool::At Pool::at(double assumed, double scale, double inflation, bool alike) const {
  At result;
  for (const Comparison* c : comparisons_) {
    const double between = alike ? c->between_at_least() : c->between;
    const double variance = c->variance_by_labels(assumed) / scale + between * c->concentration;
    const double information = 1 / (variance * inflation);
    result.information += information;
    result.difference += information * c->difference;
  }
  if (result.information > 0) result.difference /= result.information;
  return result;
}

double Pool::inflation(double alpha) const {
  const double ratio =
      student_quantile_upper(alpha, std::max(1.0, degrees_)) / normal_quantile(1 - alpha);
  return ratio * ratio;
}

double Pool::mean(double assumed, double (*number)(const Comparison&)) const {
  double sum = 0;
  double weight = 0;
  for (const Comparison* c : comparisons_) {
    const double information = 1 / (c->variance_by_labels(assumed) + c->variance_by_devices());
    sum += information * number(*c);
    weight += information;
  }
  return weight > 0 ? sum / weight : 0;
}

}  // namespace covey::monitoring
