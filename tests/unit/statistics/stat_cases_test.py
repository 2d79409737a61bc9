#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""covey-stat-cases: the published cases agree, cases of other numbers too, and what makes no sense
is refused. stat_cases_test.py PROGRAM VECTORS_DIR"""
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest
from fractions import Fraction
from statistics import NormalDist

PROGRAM, VECTORS = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
CASE = {"id": "a", "method": "pava", "tol": 1e-9,
        "inputs": {"bin_mid": [1], "correct": [1], "n": [2]}, "expected": {"map": [0.5]}}


def run(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "cases.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return subprocess.run([PROGRAM, str(path)], capture_output=True, timeout=60, check=False)


def document(*cases):
    return json.dumps({"cases": cases})


def fisher(a, b, c, d):
    """Exactly, from all tables with the same margins."""
    row, column, everything = a + b, a + c, a + b + c + d
    ways = {x: math.comb(row, x) * math.comb(everything - row, column - x)
            for x in range(max(0, row + column - everything), min(row, column) + 1)}
    return float(Fraction(sum(w for w in ways.values() if w <= ways[a]), sum(ways.values())))


def binomial_upper(k, n, p):
    return math.fsum(math.comb(n, i) * p**i * (1 - p)**(n - i) for i in range(k, n + 1))


def root(function, low, high):
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return low


def chi_squared_upper(x, df):
    """For an even number of degrees of freedom."""
    return math.exp(-x / 2) * math.fsum((x / 2)**i / math.factorial(i) for i in range(df // 2))


def isotonic(correct, n):
    """The greatest convex minorant's slopes, by the max-min formula."""
    return [max(min(sum(correct[i:j + 1]) / sum(n[i:j + 1]) for j in range(b, len(n)))
                for i in range(b + 1)) for b in range(len(n))]


def others(rng):
    """Cases of other numbers than the published ones, by other means than the program's."""
    yield "fisher_exact", (t := {"ref": [rng.randint(0, 60), rng.randint(0, 60)],
                                 "cur": [rng.randint(0, 60), rng.randint(1, 60)]}), \
        {"p": fisher(*t["ref"], *t["cur"])}
    n = rng.randint(5, 200)
    k = rng.randint(1, n - 1)
    z = NormalDist().inv_cdf(0.975)
    half = z * math.sqrt(k * (n - k) / n + z * z / 4)
    yield "wilson_clopper_pearson", {"k": k, "n": n}, {
        "wilson": [(k + z * z / 2 - half) / (n + z * z), (k + z * z / 2 + half) / (n + z * z)],
        "clopper_pearson": [root(lambda p: binomial_upper(k, n, p) - 0.025, 0, 1),
                            root(lambda p: binomial_upper(k + 1, n, p) - 0.975, 0, 1)]}
    bins = rng.choice([3, 5, 7, 9])
    ref = [rng.randint(1, 90) for _ in range(bins)]
    cur = [rng.randint(0, 90) for _ in range(bins)]
    x2 = 0
    for side in (ref, cur):
        for b in range(bins):
            expected = sum(side) * (ref[b] + cur[b]) / (sum(ref) + sum(cur))
            x2 += (side[b] - expected)**2 / expected
    yield "chi2_two_sample", {"ref": ref, "cur": cur}, \
        {"x2": x2, "df": bins - 1, "p": chi_squared_upper(x2, bins - 1)}
    g = 2 * sum(c * math.log(c / sum(cur) * bins) for c in cur if c)
    yield "g_test_uniform", {"cur": cur, "expected": "uniform"}, \
        {"G": g, "p": chi_squared_upper(g, bins - 1)}
    n = [rng.randint(1, 50) for _ in range(rng.randint(1, 16))]
    correct = [rng.randint(0, each) for each in n]
    yield "pava", {"bin_mid": n, "correct": correct, "n": n}, {"map": isotonic(correct, n)}
    u = [rng.uniform(-5, 5) for _ in range(rng.randint(1, 20))]
    v = [x + 2.5 for x in u]
    yield "wasserstein1", {"u": u, "v": v, "uw": None, "vw": None}, {"w1": 2.5}
    x = [rng.random() for _ in range(30)]
    capital, m = 0.0, []
    for each in x:
        capital = (capital + 1) * (1 + 0.7 * (0.6 - each))
        m.append(capital)
    yield "e_sr_detector", {"x": x, "m0": 0.6, "lambdas": [0.7]}, {"M": m}
    s, time, rho = rng.uniform(0, 30), rng.uniform(1, 300), 50 / (math.log(400) + math.log(
        1 + math.log(400)))
    yield "normal_mixture", \
        {"v_opt": 50, "alpha_opt": 0.05, "s": s, "v": time, "log_threshold": 4.0}, \
        {"best_rho": rho, "log_superMG": math.log(rho / (time + rho)) / 2 + s * s / 2 / (time + rho),
         "bound": math.sqrt((time + rho) * (8 + math.log((time + rho) / rho)))}
    shift, sub = rng.randint(0, 8), rng.randint(0, 4)
    us = [rng.randint(0, 2**rng.randint(1, 32) - 1) for _ in range(20)]
    edges = [i << shift for i in range(1 << sub)]
    while edges[-1] < 2**33:
        edges += [(2**sub + i) << shift << (len(edges) // 2**sub - 1) for i in range(1 << sub)]
    buckets = [max(i for i, edge in enumerate(edges) if edge <= each) for each in us]
    yield "log_linear_bucket", {"us": us, "shift": shift, "sub_bits": sub}, \
        {"bucket": buckets, "lower_edge_us": [edges[i] for i in buckets]}
    p = sorted(rng.random()**3 for _ in range(12))
    adjusted = [min(p[j] * 12 / (j + 1) for j in range(i, 12)) for i in range(12)]
    harmonic = sum(1 / i for i in range(1, 13))
    yield "multiple_testing", {"p": p, "q": 0.1}, {
        "bh_rejections": sum(a <= 0.1 for a in adjusted), "bh_adjusted": adjusted,
        "by_rejections": sum(a * harmonic <= 0.1 for a in adjusted),
        "bonferroni_rejections": sum(each * 12 <= 0.1 for each in p)}


# name -> bytes or text of a file
HOSTILE = {
    "nothing": "", "no JSON": "{", "not UTF-8": b'{"cases": "\xff\xfe"}', "a list": "[]",
    "a number": "7", "no cases": "{}", "no case": '{"cases": []}', "cases no list": '{"cases": {}}',
    "a case no object": '{"cases": [3]}', "deep": "[" * 100_000,
    "deep within": '{"cases": [' + '{"inputs":' * 5_000, "zeros": b"\0" * 4096,
    "no finite number": document(CASE).replace("0.5", "1e999"),
    "not a number": document(CASE).replace("0.5", "NaN"),
    **{f"without {name}": document({k: v for k, v in CASE.items() if k != name}) for name in CASE},
    **{f"{name} null": document({**CASE, name: None}) for name in CASE},
    "negative tolerance": document({**CASE, "tol": -1}),
    "expected nothing": document({**CASE, "expected": {}}),
    "negative count": document({**CASE, "inputs": {**CASE["inputs"], "n": [-2]}}),
    "half a count": document({**CASE, "inputs": {**CASE["inputs"], "n": [2.5]}}),
    "huge counts": document({**CASE, "inputs": {**CASE["inputs"], "n": [1e300]}}),
    "other lengths": document({**CASE, "inputs": {**CASE["inputs"], "n": [2, 2]}}),
    "text for a list": document({**CASE, "inputs": {**CASE["inputs"], "n": "2"}}),
    **{f"{method} of nothing": document({**CASE, "method": method, "inputs": {}})
       for method in ["adwin", "bbse", "cbpe_histogram", "cusum", "detector_scores", "drift_block",
                      "ece", "fisher_exact", "g_partition", "mean_sd", "page_hinkley", "ppi_cbpe",
                      "quanttree_threshold", "rao_scott", "wasserstein1"]},
    "a ring of references": document({**CASE, "method": "page_hinkley",
                                      "inputs": {"digits_ref": "a"}}),
    "an unknown reference": document({**CASE, "method": "page_hinkley",
                                      "inputs": {"digits_ref": "b"}}),
    "a singular size": document({**CASE, "method": "bbse", "inputs": {
        "P(pred=i|true=j)": [[1, 0]], "train_prior": [1], "pred_share": [1]}}),
    "more right than there are": document({**CASE, "method": "newcombe_difference", "inputs": {
        "k1": 3, "n1": 2, "k2": 0, "n2": 1}}),
    "equal shares": document({**CASE, "method": "power_proportions", "inputs": {
        "p_control": 0.5, "p_canary": [0.5]}}),
}


class StatCases(unittest.TestCase):
    def test_published_cases_agree(self):
        ran = subprocess.run([PROGRAM, str(VECTORS / "monitoring_cases.json")],
                             capture_output=True, text=True, timeout=100, check=False)
        lines = ran.stdout.splitlines()
        self.assertEqual(lines[-1], "56 agree, 0 differ, 0 unknown", ran.stdout)
        self.assertEqual((ran.returncode, len(lines), ran.stderr), (0, 57, ""))

    def test_cases_of_other_numbers_agree(self):
        rng = random.Random(12)
        cases = [{"id": f"{method} {turn}", "method": method, "inputs": inputs,
                  "expected": expected, "tol": 1e-9}
                 for turn in range(50) for method, inputs, expected in others(rng)]
        ran = run(document(*cases))
        wrong = [line for line in ran.stdout.decode().splitlines() if "  AGREE" not in line]
        self.assertEqual(wrong, [f"{len(cases)} agree, 0 differ, 0 unknown"], ran.stderr)
        self.assertEqual(ran.returncode, 0)

    def test_what_differs_and_what_is_unknown_is_said(self):
        ran = run(document(CASE, {**CASE, "id": "b\n", "expected": {"map": [0.6]}},
                           {**CASE, "id": "c", "expected": {"map": [0.5, 0.5]}},
                           {**CASE, "id": "d", "expected": {"other": 1}},
                           {**CASE, "id": "e", "method": "magic"}))
        lines = ran.stdout.decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["a", "b\\n", "c", "d", "e", "1"])
        self.assertEqual(lines[-1], "1 agree, 3 differ, 1 unknown")
        self.assertEqual(ran.returncode, 1)

    def test_what_makes_no_sense_is_refused(self):
        for name, text in HOSTILE.items():
            with self.subTest(name):
                ran = run(text)
                self.assertEqual(ran.returncode, 2, ran.stdout + ran.stderr)
                error = ran.stderr.decode()
                self.assertTrue(error.startswith("covey-stat-cases: "), error)
                self.assertEqual(error.count("\n"), 1, error)

    def test_no_file_and_no_argument(self):
        for arguments in ([], ["/no/such/file"], ["a", "b"], ["--wrong"]):
            ran = subprocess.run([PROGRAM, *arguments], capture_output=True, check=False)
            self.assertEqual(ran.returncode, 2, arguments)


unittest.main()
