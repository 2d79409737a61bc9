#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the demo as ./dev test --all does: ten seeds and both variants must come out as told; each
sabotage must fail exactly one act. Writes counts in the form of run_tests.py."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = ([("seed %d" % seed, ["--seed", str(seed)], 0) for seed in range(1, 11)]
        + [("variant " + name, ["--seed", "1", "--variant", name], 0)
           for name in ("equal", "no-drift")]
        + [("sabotage " + name, ["--seed", "1", "--sabotage", name], 1)
           for name in ("regression", "drift", "reports", "journal")])
LIMIT_S = 900


def judge(code, observed, acts_failing):
    """What is wrong with one run, or None."""
    failed = [act["name"] for act in observed.get("acts", []) if not act["ok"]]
    if not observed.get("acts"):
        return f"exit code {code}, no act observed"
    if len(failed) != acts_failing:
        return f"{len(failed)} acts failed ({', '.join(failed) or 'none'}), expected {acts_failing}"
    if (code == 0) != (acts_failing == 0):
        return f"exit code {code}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    outcome = {"passed": 0, "failed": [], "skipped": []}
    for number, (name, options, acts_failing) in enumerate(RUNS, 1):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="covey-demo-") as folder:
            report = pathlib.Path(folder) / "out.json"
            log = ROOT / "build" / "test-results" / f"demo {name}.log"
            try:
                with log.open("wb") as output:
                    code = subprocess.run(["tools/demo/demo", *options, "--json", report], cwd=ROOT,
                                          stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=subprocess.STDOUT, timeout=LIMIT_S).returncode
                observed = json.loads(report.read_text()) if report.exists() else {}
                problem = judge(code, observed, acts_failing)
            except subprocess.TimeoutExpired:
                problem = f"ran longer than {LIMIT_S} s"
        if problem is None:
            outcome["passed"] += 1
        else:
            outcome["failed"].append(f"demo {name}: {problem} (output: {log})")
        print(f"  [{number}/{len(RUNS)}] demo {name}: {problem or 'as told'}"
              f" ({time.monotonic() - start:.0f} s)", flush=True)
    pathlib.Path(arguments.result).write_text(json.dumps(outcome, indent=1))
    return 1 if outcome["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
