# SPDX-License-Identifier: Apache-2.0
"""What the acts share: the site, the fleet, the labellers, findings, and how to wait for things."""

import dataclasses
import random
import time

from . import plans
from .fleet import Fleet
from .gateway import MODEL, Gateway, confirmed_of, device_of, word
from .labels import Labeller
from .processes import DemoError, wait_until

SAMPLE_PROBABILITY = 0.25  # of inferences that are reported one by one, so that labels can meet them
PREPROCESSING_ID = 1       # the bearing features of examples/bearing_vibration
ENDED = ("SUCCEEDED", "ABORTED", "ROLLED_BACK")


@dataclasses.dataclass
class Options:
    seed: int
    json_file: str
    variant: str
    sabotage: str
    keep: bool


class Act:
    def __init__(self, name, console):
        self.name = name
        self.console = console
        self.evidence = {}
        self.checks = []

    def check(self, text, good):
        good = bool(good)
        self.checks.append({"check": text, "ok": good})
        self.console.check(text, good)
        return good

    def fail(self, text):
        self.evidence["error"] = text
        self.check(text, False)

    @property
    def ok(self):
        return bool(self.checks) and all(check["ok"] for check in self.checks)

    def as_json(self):
        return {"name": self.name, "ok": self.ok,
                "evidence": {**self.evidence, "checks": self.checks}}


class Story:
    def __init__(self, options, console, root, binaries, folder):
        self.options = options
        self.console = console
        self.models = root / "examples" / "bearing_vibration" / "models"
        self.folder = folder
        self.key = folder / "author.pem"
        self.random = random.Random(options.seed)
        self.gateway = Gateway(binaries, folder, options.seed, options.sabotage != "drift",
                               options.keep)
        self.fleet = Fleet(binaries, folder, options.seed, options.keep)
        self.labeller = Labeller(self.gateway, self.fleet)
        self.acts = []
        self.inferences = {"truth": None, "gateway": None}
        self.hall = f"hall-{1 + self.random.randrange(4)}"

    def stop(self):
        self.labeller.stop()
        self.fleet.stop()
        self.gateway.stop()

    def children(self):
        return [child for child in (self.gateway.child, self.fleet.child) if child is not None]

    def rollout_name(self, version):
        return f"bearing-vibration-{version}-s{self.options.seed}"

    # ---- waiting, with progress

    def wait(self, what, count, total, limit_s, every_s=0.4):
        """Until count() reaches total; draws a bar. The last count."""
        end = time.monotonic() + limit_s
        while True:
            for child in self.children():
                child.must_run()
            have = count()
            self.console.bar(have, total, f"{what}: {have} of {total}")
            if have >= total or time.monotonic() >= end:
                return have
            time.sleep(every_s)

    def sleep(self, what, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for child in self.children():
                child.must_run()
            self.console.bar(int(10 * (seconds - left)), int(10 * seconds), what)
            time.sleep(min(0.3, left))

    # ---- releases and rollouts

    def push(self, version, file):
        step = self.gateway.call(
            "model", "push", f"{MODEL}@{version}",
            "--artifact", f"m4f-256k,m0-64k={self.models / (file + '.tflite')}",
            "--stats", self.models / (file + ".stats.json"),
            "--preprocessing", self.models / "preprocessing.bin",
            "--preprocessing-id", PREPROCESSING_ID,
            "--sample-probability", SAMPLE_PROBABILITY, "--key", self.key)
        self.console.step(f"Release {version} built, signed and pushed: {file}.tflite")
        return step

    def write_plan(self, version, stages, name=None):
        name = name or self.rollout_name(version)
        path = self.folder / f"{name}.yaml"
        path.write_text(plans.plan(name, version, stages))
        return path

    def create(self, path):
        created = self.gateway.call("rollout", "create", "-f", path)["rollout"]
        name = device_of(created["name"])
        self.console.step(f"Rollout {name} started: covey rollout create -f {path.name}")
        return name

    def follow(self, name, limit_s, until=None):
        """Until the rollout has ended or paused, or until(rollout); draws what happens."""
        end = time.monotonic() + limit_s
        seen = {}
        while True:
            for child in self.children():
                child.must_run()
            rollout = self.gateway.rollout(name)
            self._tell_changes(rollout, seen)
            state = word(rollout["state"])
            if state in ENDED + ("PAUSED",) or (until is not None and until(rollout)):
                return rollout
            if time.monotonic() >= end:
                raise DemoError(f"rollout {name} is still {state} after {limit_s} s; see "
                                f"`covey rollout explain {name}`")
            self._draw(rollout)
            time.sleep(0.5)

    def _tell_changes(self, rollout, seen):
        for stage in rollout.get("stages", []):
            state = word(stage.get("state", ""))
            before = seen.get(stage["name"], "PENDING")
            if state != before and state in ("SOAKING", "PASSED", "FAILED", "INCONCLUSIVE"):
                why = "; ".join(g["explanation"] for g in stage.get("gates", [])
                                if g["gate"] == "accuracy") if state != "SOAKING" else ""
                self.console.step(f"Stage {stage['name']}: {state}" + (f" ({why})" if why else ""))
            seen[stage["name"]] = state
        state = word(rollout["state"])
        if state != seen.get("", "RUNNING"):
            self.console.step(f"Rollout {state}" + (f": {rollout['explanation']}"
                                                    if rollout.get("explanation") else ""))
        seen[""] = state

    def _draw(self, rollout):
        if word(rollout["state"]) == "ROLLING_BACK":
            back = rollout.get("rollback_deployments", {})
            self.console.bar(back.get("CONFIRMED", 0), sum(back.values()),
                             f"rolling back: {counts_in_words(back)}")
            return
        active = [s for s in rollout.get("stages", [])
                  if word(s.get("state", "")) in ("DEPLOYING", "SOAKING", "ANALYZING")]
        for stage in active[:1]:
            done = stage.get("deployments", {})
            self.console.bar(done.get("CONFIRMED", 0), stage.get("devices_new", 0) or
                             sum(done.values()),
                             f"{stage['name']} {word(stage['state'])}: {counts_in_words(done)}")

    # ---- facts

    def confirmed(self):
        """device -> version, as the gateway knows it"""
        return {device_of(d["name"]): confirmed_of(d) for d in self.gateway.devices()}

    def truly_confirmed(self):
        """device -> version, as the devices' own slots say"""
        versions = {digest: version for version, digests in self.gateway.releases().items()
                    for digest in digests}
        return {device: versions.get(slot.get("confirmed", ""), "")
                for device, slot in self.fleet.slots().items()}

    def all_run(self, devices, version):
        """Gateway and devices agree that every one of them has it confirmed."""
        said, true = self.confirmed(), self.truly_confirmed()
        return all(said.get(d) == version and true.get(d) == version for d in devices)

    def await_all_run(self, devices, version, limit_s=15):
        return bool(wait_until(lambda: self.all_run(devices, version), limit_s, 0.5,
                               self.children()))

    def labelled(self, version):
        """stratum -> labels"""
        return {row["stratum"]: row["labelled"] for row in self.gateway.accuracy()
                if row["release"] == version}

    def await_labels(self, version, per_stratum, limit_s=90):
        strata = ("fan", "press", "pump")

        def enough():
            have = self.labelled(version)
            return sum(min(have.get(s, 0), per_stratum) for s in strata)
        total = per_stratum * len(strata)
        return self.wait(f"labels of inferences by {version}", enough, total, limit_s) >= total

    def accuracy_of(self, version):
        """stratum -> share of correct answers, "all" included"""
        rows = [r for r in self.gateway.accuracy() if r["release"] == version and r["labelled"]]
        shares = {r["stratum"]: round(r["correct"] / r["labelled"], 4) for r in rows}
        if rows:
            shares["all"] = round(sum(r["correct"] for r in rows)
                                  / sum(r["labelled"] for r in rows), 4)
        return shares


def counts_in_words(counts):
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items()) if number)


def rollout_evidence(rollout):
    return {"name": device_of(rollout["name"]), "state": word(rollout["state"]),
            "reason": rollout.get("reason", ""), "explanation": rollout.get("explanation", ""),
            "deployments": rollout.get("deployments", {})}
