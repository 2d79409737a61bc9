# SPDX-License-Identifier: Apache-2.0
"""Plays the demo once and checks what it wrote with other eyes: demo_test.py DIR [SEED]"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
LIMIT_S = 570
SKIPPED = 77
DEVICES_ABLE = 53  # 60 less three too small and four offline

problems = []


def expect(condition, text):
    if not condition:
        problems.append(text)


def check_rollouts(rollouts):
    states = {r["release"].rsplit("@")[-1]: r["state"] for r in rollouts}
    expect(states == {"1.0.0": "SUCCEEDED", "1.1.0": "SUCCEEDED", "1.2.0": "ROLLED_BACK",
                      "1.3.0": "SUCCEEDED"}, f"rollouts ended as {states}")
    for rollout in rollouts:
        stages = rollout["stages"]
        expect(stages and all(s["state"] in ("PASSED", "FAILED", "PENDING") for s in stages),
               f"{rollout['name']}: stages {[s['state'] for s in stages]}")
        confirmed = sum(s["deployments"].get("CONFIRMED", 0) for s in stages)
        if rollout["state"] == "SUCCEEDED":
            expect(confirmed == DEVICES_ABLE, f"{rollout['name']}: {confirmed} confirmed")
            expect(rollout["verdicts"] and all(v["verdict"] == "PASS"
                                               for v in rollout["verdicts"]),
                   f"{rollout['name']}: a verdict is not PASS")
            continue
        expect([s["state"] for s in stages] == ["FAILED", "PENDING"],
               f"{rollout['name']}: stages {stages}")
        expect(not stages[1]["deployments"], f"{rollout['name']}: went beyond the canary")
        failed = [v for v in rollout["verdicts"] if v["verdict"] == "FAIL"]
        expect(len(failed) == 1 and failed[0]["gate"] == "accuracy"
               and "press" in failed[0]["explanation"], f"{rollout['name']}: failed by {failed}")
        back = rollout["rollback_deployments"]
        expect(set(back) == {"CONFIRMED"} and back["CONFIRMED"] > 0,
               f"{rollout['name']}: rolled back {back}")


def check_alerts(observed, acts):
    moved = set(acts["a drift"]["devices_moved"])
    features = [a for a in observed["alerts"] if a["kind"] == "FEATURE_DRIFT"
                and a["state"] != "PENDING" and a["devices"]]
    expect([a["feature"] for a in features] == ["rms"], f"feature alerts: {features}")
    for alert in features:
        expect(set(alert["devices"]) == moved and len(moved) >= 10,
               f"{alert['feature']} names {alert['devices']}, moved were {sorted(moved)}")


def check_counts(observed, acts):
    inferences = observed["inferences"]
    expect(inferences["truth"] == inferences["gateway"] > 10_000, f"inferences: {inferences}")
    counts = acts["a crash"]["counts"]
    expect(counts["differences"] == [] and counts["windows_lost"] == 0,
           f"counts differ: {counts['differences']}, {counts['windows_lost']} windows lost")
    expect(sum(r["truth"] for r in counts["releases"].values()) == inferences["truth"],
           "the releases' counts don't add up")
    expect("SIGKILL" in acts["a crash"]["kill"]["end"], "coveyd was not killed")


def main():
    binaries = pathlib.Path(sys.argv[1])
    seed = sys.argv[2] if len(sys.argv) > 2 else "3"
    missing = [p for p in ("coveyd", "covey", "covey-sim") if not os.access(binaries / p, os.X_OK)]
    if missing:
        print(f"{binaries} has no {', '.join(missing)}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        report = pathlib.Path(folder) / "out.json"
        done = subprocess.run([sys.executable, "-B", ROOT / "tools" / "demo" / "demo", "--bin",
                               binaries, "--seed", seed, "--json", report], timeout=LIMIT_S,
                              check=False)
        observed = json.loads(report.read_text() or "{}")
    expect(done.returncode == 0, f"exit code {done.returncode}")
    expect(observed.get("seed") == int(seed), "the seed is another one")
    acts = {act["name"]: act["evidence"] for act in observed.get("acts", [])}
    expect(len(acts) == 5 and all(act["ok"] for act in observed["acts"]), "an act is not as told")
    if not problems:
        check_rollouts(observed["rollouts"])
        check_alerts(observed, acts)
        check_counts(observed, acts)
    for problem in problems:
        print("PROBLEM:", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
