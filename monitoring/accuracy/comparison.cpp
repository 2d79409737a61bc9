// SPDX-License-Identifier: Apache-2.0
#include "monitoring/accuracy/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "monitoring/counts/counts.hpp"
#include "monitoring/statistics/distributions.hpp"

namespace covey::monitoring {
namespace {

// Labels of all devices in one window.
struct Cell {
  double labelled = 0;
  double correct = 0;
};
struct Window {
  int64_t number = 0;
  Cell canary;
  Cell control;

  double labelled() const { return canary.labelled + control.labelled; }
  double share() const { return (canary.correct + control.correct) / labelled(); }
  bool compared() const { return canary.labelled > 0 && control.labelled > 0; }
  double weight() const { return canary.labelled * control.labelled / labelled(); }
};
using Windows = std::vector<Window>;  // ascending, each with labels

Windows windows_of(const StratumLabels& stratum, bool* valid) {
  std::map<int64_t, Window> windows;
  const auto add = [&](const std::vector<LabelsByWindow>& devices, Cell Window::*side) {
    for (const LabelsByWindow& device : devices) {
      for (const auto& [number, labels] : device) {
        if (labels.correct > labels.labelled) *valid = false;
        if (labels.labelled == 0) continue;
        Cell& cell = windows[number].*side;
        cell.labelled += static_cast<double>(labels.labelled);
        cell.correct += static_cast<double>(labels.correct);
      }
    }
  };
  add(stratum.canary, &Window::canary);
  add(stratum.control, &Window::control);
  Windows list;
  list.reserve(windows.size());
  for (auto& [number, window] : windows) {
    window.number = number;
    list.push_back(window);
  }
  return list;
}

// What one device adds, in sums over its windows: n_i its labels of N_i in all, of which the other
// side has m_i.
struct DevicePart {
  double labelled = 0;  // n = sum n_i
  double correct = 0;
  double expected = 0;  // sum n_i (share of the window)
  double hat = 0;       // sum n_i^2 / N_i
  double opposite = 0;  // s = sum n_i m_i / N_i: its weight in d is s / W
  uint64_t compared = 0;
};

DevicePart part_of(const LabelsByWindow& device, const Windows& windows, Cell Window::*other) {
  DevicePart part;
  auto at = windows.begin();
  for (const auto& [number, labels] : device) {
    if (labels.labelled == 0) continue;
    at = std::lower_bound(at, windows.end(), number,
                          [](const Window& w, int64_t wanted) { return w.number < wanted; });
    const double n = static_cast<double>(labels.labelled);
    part.labelled += n;
    part.correct += static_cast<double>(labels.correct);
    part.expected += n * at->share();
    part.hat += n * n / at->labelled();
    part.opposite += n * ((*at).*other).labelled / at->labelled();
    if (at->compared()) part.compared = add_saturating(part.compared, labels.labelled);
  }
  return part;
}

std::vector<DevicePart> parts_of(const std::vector<LabelsByWindow>& devices, const Windows& windows,
                                 Cell Window::*other) {
  std::vector<DevicePart> parts;
  parts.reserve(devices.size());
  for (const LabelsByWindow& device : devices) parts.push_back(part_of(device, windows, other));
  return parts;
}

void count(ComparedArm& arm, const std::vector<DevicePart>& parts) {
  for (const DevicePart& part : parts) {
    ++arm.assigned;
    if (part.compared > 0) ++arm.devices;
    arm.labelled = add_saturating(arm.labelled, part.compared);
    arm.labelled_anywhere =
        add_saturating(arm.labelled_anywhere, static_cast<uint64_t>(part.labelled));
  }
}

void take_difference(Comparison& c, const Windows& windows) {
  double canary = 0;  // sum w_i^2 / n_ci
  double control = 0;
  for (const Window& window : windows) {
    if (!window.compared()) continue;
    const double w = window.weight();
    c.weight += w;
    c.canary.accuracy += w * window.canary.correct / window.canary.labelled;
    c.control.accuracy += w * window.control.correct / window.control.labelled;
    canary += w * w / window.canary.labelled;
    control += w * w / window.control.labelled;
  }
  if (c.weight == 0) return;
  c.canary.accuracy /= c.weight;
  c.control.accuracy /= c.weight;
  c.canary.effective = c.weight * c.weight / canary;
  c.control.effective = c.weight * c.weight / control;
  c.difference = c.canary.accuracy - c.control.accuracy;
}

// Sums of the method of moments: q is the spread that is there, noise what labels alone would make
// of it, weight what each tau^2 adds.
struct Moments {
  double q = 0;
  double noise = 0;
  double weight = 0;
};

// A device's residual is e = sum of (right - fitted) over its labels. With H the projection on
// windows and arm, and 1 the device's labels: Var(e) = p(1-p) L + tau^2 (L^2 + the squares of the
// other devices' shares in it), L = 1'(I - H)1 = n - hat - s^2/W. The others of its arm sum to -L,
// so that their squares are at least L^2 / (D - 1), and just that where devices are alike.
Moments moments_of(const std::vector<DevicePart>& parts, const ComparedArm& arm, double sign,
                   const Comparison& c) {
  const double p = (arm.accuracy * arm.effective + 0.5) / (arm.effective + 1);
  const auto labelled = static_cast<double>(std::count_if(
      parts.begin(), parts.end(), [](const DevicePart& part) { return part.labelled > 0; }));
  Moments moments;
  if (labelled < 2) return moments;
  for (const DevicePart& part : parts) {
    if (part.labelled == 0) continue;
    const double projected = part.opposite * part.opposite / c.weight;
    const double left = std::max(0.0, part.labelled - part.hat - projected);
    const double residual = part.correct - part.expected - sign * c.difference * part.opposite;
    moments.q += residual * residual / part.labelled;
    moments.noise += p * (1 - p) * left / part.labelled;
    moments.weight += left * left * labelled / (labelled - 1) / part.labelled;
  }
  return moments;
}

}  // namespace

double Comparison::variance_by_labels(double assumed) const {
  const double total = canary.effective + control.effective;
  const double sum =
      canary.effective * (canary.accuracy - assumed) + control.effective * control.accuracy;
  // + 1/2 and + 1: sides without any mistake are not without noise.
  const double lowest = std::max(0.0, -assumed);
  const double highest = std::min(1.0, 1 - assumed);
  const double p = std::clamp((sum + 0.5) / (total + 1), lowest, highest);
  const double q = std::clamp(p + assumed, 0.0, 1.0);
  return q * (1 - q) / canary.effective + p * (1 - p) / control.effective;
}

// As if the squared residuals of the devices were chi-squared.
double Comparison::between_at_least() const {
  const double degrees = std::max(1.0, canary.devices + control.devices - 2.0);
  const double high = noncentral_chi_squared_quantile(0.975, degrees, 0);
  return std::max(0.0, (noise + between) * degrees / high - noise);
}

Comparison compare(const StratumLabels& stratum) {
  Comparison c;
  const Windows windows = windows_of(stratum, &c.valid);
  const auto canary = parts_of(stratum.canary, windows, &Window::control);
  const auto control = parts_of(stratum.control, windows, &Window::canary);
  count(c.canary, canary);
  count(c.control, control);
  take_difference(c, windows);
  if (c.weight == 0) return c;
  for (const auto* parts : {&canary, &control}) {
    for (const DevicePart& part : *parts) {
      c.concentration += part.opposite * part.opposite / (c.weight * c.weight);
    }
  }
  // Cochran 1954; DerSimonian and Laird 1986: from both sides together, since a canary of
  // three devices knows too little about its spread.
  const Moments a = moments_of(canary, c.canary, 1, c);
  const Moments b = moments_of(control, c.control, -1, c);
  const double weight = a.weight + b.weight;
  if (weight == 0) return c;
  c.noise = (a.noise + b.noise) / weight;
  c.between = std::max(0.0, (a.q + b.q) / weight - c.noise);
  return c;
}

}  // namespace covey::monitoring
