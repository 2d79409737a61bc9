// SPDX-License-Identifier: Apache-2.0
// Shares, calibration and labels.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "monitoring/accuracy/accuracy.hpp"
#include "monitoring/accuracy/calibration.hpp"
#include "monitoring/accuracy/few_labels.hpp"
#include "monitoring/drift/drift.hpp"
#include "monitoring/statistics/proportions.hpp"
#include "tools/statistics/methods.hpp"
#include "tools/statistics/rows.hpp"

namespace covey::cases {
namespace {

using namespace covey::monitoring;

double alpha_of(const Case& c) {
  return c.inputs.has("alpha") ? c.inputs.at("alpha").inside(0, 1) : 0.05;
}
Json pair(const Interval& interval) { return {interval.low, interval.high}; }

Found fisher(const Case& c) {
  const Counts ref = c.inputs.at("ref").counts();
  const Counts cur = c.inputs.at("cur").counts();
  if (ref.size() != 2 || cur.size() != 2) c.inputs.bad("a table of two by two is needed");
  return {{{"p", fisher_exact({{{ref[0], ref[1]}, {cur[0], cur[1]}}})}}, {}};
}

struct Share {
  uint64_t k;
  uint64_t n;
};
Share share_at(const Case& c, const char* k, const char* n) {
  const uint64_t of = c.inputs.at(n).count(1, uint64_t{1} << 53);
  return {c.inputs.at(k).count(0, of), of};
}

Found one_share(const Case& c) {
  const Share s = share_at(c, "k", "n");
  return {{{"wilson", pair(wilson(s.k, s.n, alpha_of(c)))},
           {"clopper_pearson", pair(clopper_pearson(s.k, s.n, alpha_of(c)))}},
          {}};
}

Found difference(const Case& c) {
  const Share a = share_at(c, "k1", "n1");
  const Share b = share_at(c, "k2", "n2");
  return {{{"ci95", pair(newcombe(a.k, a.n, b.k, b.n, alpha_of(c)))}}, {}};
}

Found power(const Case& c) {
  const double p = c.inputs.at("p_control").number(0, 1);
  const double alpha = alpha_of(c);
  const double target = c.inputs.has("power") ? c.inputs.at("power").inside(0, 1) : 0.8;
  Json n = Json::array();
  const Value others = c.inputs.at("p_canary");
  for (size_t i = 0; i < others.size(); ++i) {
    const double other = others.at(i).number(0, 1);
    if (other == p) others.at(i).bad("is the share of control: no number tells them apart");
    n.push_back(power_proportions(p, other, alpha, target));
  }
  return {{{"n", n}}, {}};
}

Found multiple_testing(const Case& c) {
  const Value list = c.inputs.at("p");
  std::vector<double> p;
  for (size_t i = 0; i < list.size(); ++i) p.push_back(list.at(i).number(0, 1));
  const double q = c.inputs.at("q").inside(0, 1);
  const auto m = static_cast<double>(p.size());
  double harmonic = 0;
  for (size_t i = 1; i <= p.size(); ++i) harmonic += 1 / static_cast<double>(i);
  const std::vector<double> adjusted = benjamini_hochberg(p);
  int bh = 0;
  int by = 0;  // Benjamini and Yekutieli 2001: under any dependence
  int bonferroni = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (adjusted[i] <= q) ++bh;
    if (adjusted[i] * harmonic <= q) ++by;
    if (p[i] * m <= q) ++bonferroni;
  }
  return {{{"bh_rejections", bh},
           {"by_rejections", by},
           {"bonferroni_rejections", bonferroni},
           {"bh_adjusted", adjusted}},
          {}};
}

Found cbpe(const Case& c) {
  const Columns columns(c.inputs.at("columns"));
  const Counts n = c.inputs.at("ref_hist").counts();
  const Counts correct = c.inputs.at("ref_correct").counts();
  if (n.size() != correct.size()) c.inputs.bad("ref_hist and ref_correct have other lengths");
  for (size_t b = 0; b < n.size(); ++b) {
    if (correct[b] > n[b]) c.inputs.bad("a bin has more right than there are");
  }
  const std::vector<double> map = isotonic_map(correct, n);
  double apart = 0;
  Found found = found_rows(c, [&](const Value& row, Json& got) {
    const Counts histogram = columns.of(row, "hist").counts();
    if (histogram.size() != n.size()) row.bad("has a histogram of another length");
    const ExpectedAccuracy e = expected_accuracy(histogram, map, n);
    got[columns.index("cbpe_hist")] = e.accuracy;
    got[columns.index("se_outcome")] = e.se_outcome;
    got[columns.index("se_calibration")] = e.se_calibration;
    const double raw = columns.of(row, "cbpe_isotonic_raw_scores").number(0, 1);
    apart = std::max(apart, std::abs(e.accuracy - raw));
  });
  found.got["max_abs_hist_minus_isotonic"] = apart;
  return found;
}

// Estimates of months whose labels are known. The case holds when the labels contradict some of
// them, as they must where a model has left its training: then the answer is UNKNOWN.
Found cbpe_refusal(const Case& c) {
  const Columns columns(c.inputs.at("columns"));
  bool contradicted = false;
  Found found = found_rows(c, [&](const Value& row, Json&) {
    const uint64_t n = columns.of(row, "n").count(1, uint64_t{1} << 53);
    const double realised = columns.of(row, "realised").number(0, 1);
    const auto right = static_cast<uint64_t>(std::llround(realised * static_cast<double>(n)));
    const double estimate = columns.of(row, "hist_pooled").number(0, 1);
    contradicted = contradicted || labels_contradict(estimate, right, n, 0.05);
  });
  if (!contradicted) found.got["rows"] = "labels contradict none of the estimates";
  return found;
}

Found ece(const Case& c) {
  constexpr std::string_view kEqual = "ece_equal_count_";
  const std::vector<double> p = c.inputs.at("p").numbers();
  const Counts y = c.inputs.at("y").counts();
  if (p.size() != y.size() || p.empty()) c.inputs.bad("p and y have different lengths");
  std::vector<Answer> answers;
  for (size_t i = 0; i < p.size(); ++i) {
    answers.push_back(
        {c.inputs.at("p").at(i).number(0, 1), c.inputs.at("y").at(i).count(0, 1) == 1});
  }
  const std::vector<double> edges = c.inputs.at("edges").numbers();
  if (edges.size() < 2 || !std::is_sorted(edges.begin(), edges.end())) {
    c.inputs.at("edges").bad("should be two or more, ascending");
  }
  Found found{{{"ece_edges", calibration_error(answers, edges)}}, {}};
  for (const auto& [name, unused] : c.expected.json().items()) {
    if (!name.starts_with(kEqual)) continue;
    const double bins = number_in(c.expected, name, kEqual);
    if (bins < 1 || bins > 1e6) c.expected.bad("one bin or more, up to a million");
    found.got[name] = calibration_error(answers, static_cast<size_t>(bins));
  }
  return found;
}

Found pava(const Case& c) {
  const Counts correct = c.inputs.at("correct").counts();
  const Counts n = c.inputs.at("n").counts();
  if (n.size() != correct.size()) c.inputs.bad("correct and n have different lengths");
  return {{{"map", isotonic_map(correct, n)}}, {}};
}

Found bbse(const Case& c) {
  const Value rows = c.inputs.at("P(pred=i|true=j)");
  const size_t classes = rows.size();
  const auto list = [&](const Value& value) {
    const std::vector<double> numbers = value.shares();
    if (numbers.size() != classes) value.bad("has not one entry per class");
    return numbers;
  };
  if (classes == 0 || classes > 500) rows.bad("should have 1 to 500 classes");
  std::vector<std::vector<double>> confusion;
  for (size_t i = 0; i < classes; ++i) {
    confusion.push_back(rows.at(i).numbers());
    if (confusion.back().size() != classes) rows.at(i).bad("is not as long as the matrix is high");
  }
  const auto shift =
      label_shift(confusion, list(c.inputs.at("train_prior")), list(c.inputs.at("pred_share")));
  if (!shift) return {{{"refused", "the confusion matrix tells classes apart too badly"}}, {}};
  return {{{"weights", shift->weights},
           {"new_prior", shift->prior},
           {"reweighted_accuracy", shift->accuracy},
           {"train_accuracy", shift->accuracy_before}},
          {}};
}

// lam_opt, and others by their name: what the case says the lambda is of lam0, classical, lam1.
Found powered(const Case& c, const std::vector<PredictedGroup>& groups, double less) {
  double labels = 0;
  for (const PredictedGroup& g : groups) labels += g.right + g.wrong;
  if (labels < 2) c.inputs.bad("has fewer than two labels");
  const double alpha = alpha_of(c);
  Found found;
  for (const auto& [name, expected] : c.expected.json().items()) {
    if (!expected.is_object()) continue;
    const double lambda =
        name == "lam_opt" ? best_lambda(groups, less) : c.expected.at(name).at("lam").number(0, 1);
    const PoweredMean m = powered_mean(groups, lambda, alpha);
    found.got[name] = {{"lam", m.lambda}, {"est", m.mean}, {"se", m.se}, {"ci", pair(m.interval)}};
  }
  return found;
}

Found ppi_binary(const Case& c) {
  const auto table = c.inputs.at("labelled_table_Y_by_Yhat").tables(2);
  const Counts unlabelled = c.inputs.at("unlabelled_Yhat").counts();
  if (table.size() != 2 || unlabelled.size() != 2) c.inputs.bad("a table of two by two is needed");
  std::vector<PredictedGroup> groups;
  for (size_t predicted = 0; predicted < 2; ++predicted) {
    groups.push_back({static_cast<double>(predicted), static_cast<double>(unlabelled[predicted]),
                      static_cast<double>(table[0][predicted]),
                      static_cast<double>(table[1][predicted])});
  }
  return powered(c, groups, 1);
}

Found ppi_cbpe(const Case& c) {
  const Value map = c.inputs.at("calibration_map");
  const auto labelled = c.inputs.at("labelled_per_bin_[wrong,right]").tables(2);
  const Counts unlabelled = c.inputs.at("unlabelled_hist").counts();
  if (map.size() != labelled.size() || map.size() != unlabelled.size()) {
    c.inputs.bad("the map, the labels and the histogram have different lengths");
  }
  std::vector<PredictedGroup> groups;
  std::vector<double> shares;
  for (size_t b = 0; b < map.size(); ++b) {
    shares.push_back(map.at(b).number(0, 1));
    groups.push_back({shares.back(), static_cast<double>(unlabelled[b]),
                      static_cast<double>(labelled[b][0]), static_cast<double>(labelled[b][1])});
  }
  Found found = powered(c, groups, 0);
  found.got["cbpe_only"] =
      expected_accuracy(unlabelled, shares, Counts(unlabelled.size(), 1)).accuracy;
  found.given = {"truth_chunk"};
  return found;
}

}  // namespace

Methods share_methods() {
  return {{"fisher_exact", fisher},
          {"wilson_clopper_pearson", one_share},
          {"newcombe_difference", difference},
          {"power_proportions", power},
          {"multiple_testing", multiple_testing},
          {"cbpe_histogram", cbpe},
          {"cbpe_refusal", cbpe_refusal},
          {"ece", ece},
          {"pava", pava},
          {"bbse", bbse},
          {"ppi_mean_binary", ppi_binary},
          {"ppi_cbpe", ppi_cbpe}};
}

}  // namespace covey::cases
