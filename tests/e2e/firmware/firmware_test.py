# SPDX-License-Identifier: Apache-2.0
"""Two emulated boards at a real site: firmware_test.py DIR-OF-PROGRAMS DIR-OF-IMAGES [power-cuts]

They enrol and take a rollout; one loses power in the middle of the download and goes on where it was;
the site is killed and comes back, and what a board counted meanwhile survives the board's own power cut; one takes a model of which only the last layer is another; one board gets models that fail their self-test there, make its
runtime fault or loop for ever, and comes back by itself each time. What happened is read through the
command line, as an operator would.

With `power-cuts`, another story: one board loses power at every step of an update.

With COVEY_KEYWORD_MODEL=FILE.tflite the boards also run that model, in place, beside the other, and
what its updates cost is said too."""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools" / "demo"))
sys.path.insert(0, str(ROOT / "tests" / "hostile"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from covey_demo.gateway import confirmed_of, device_of, word  # noqa: E402
from covey_demo.processes import wait_until  # noqa: E402
from board_site import Failed, Site  # noqa: E402
from emulated_board import Board  # noqa: E402
from update_costs import Cost, fine_tune, rolled_out, selftest  # noqa: E402
import wire  # noqa: E402

MODEL = "bearing-vibration"
KEYWORDS = "keyword-spotting"
CLASS = "mps2-an386"
MODELS = ROOT / "examples" / "bearing_vibration" / "models"
PREPROCESSING = ("--preprocessing", MODELS / "preprocessing.bin", "--preprocessing-id", 1)
FOOTPRINT = ROOT / "device_agent" / "footprint.json"
SKIPPED = 77
REPORT_INFERENCES = 8  # its field in proto/covey/device/v1/device.proto

OUTBOX = r"outbox: \d+ changes; (\d+) inferences"
CHUNKS = MODEL + r": (\d+) of (\d+) chunks"
# The processor's own words: a precise bus fault, and the address that no bus answered to.
BUS_FAULT = r"faulted before at pc \w+, status 00008200, address 70000000"

PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {{name: {model}-{version}}}
spec:
  release: {model}@{version}
  target: 'labels.board = "{board}" OR labels.board = "{other}"'
  stages:
    - {{name: boards, size: 100%, soak: 1s}}
  gates:
    - failures: {{max: 0%}}
  on_fail: PAUSE
  attempt: {{deadline: 120s, retries: 0, backoff: 1s}}
"""


class Test:
    def __init__(self, binaries, images, folder):
        self.folder = folder
        self.key = folder / "author.pem"
        self.site = Site(binaries, folder, 1, True, False)
        self.good = Board("board-1", images / "covey-firmware.elf", folder)
        self.defective = Board("board-2", images / "covey-firmware-defects.elf", folder)
        self.boards = (self.good, self.defective)
        self.start = time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.1f}s] {text}", flush=True)

    def children(self):
        return [c.child for c in (self.site, *self.boards) if c.child is not None]

    def wait(self, what, probe, limit_s):
        answer = wait_until(probe, limit_s, 0.1, self.children())
        if not answer:
            raise Failed(f"not within {limit_s} s: {what}")
        self.say(what)
        return answer

    def expect(self, condition, text):
        if not condition:
            raise Failed(text)
        self.say(text)

    # ---- the site's side

    def push_marked(self, version, file, mark=b""):
        """`mark`: bytes behind the FlatBuffer, which no runtime looks at, for the defective image."""
        model = self.folder / f"{version}.tflite"
        model.write_bytes((MODELS / f"{file}.tflite").read_bytes() + mark)
        stats = json.loads((MODELS / f"{file}.stats.json").read_text())
        stats["version"] = version
        stats_file = self.folder / f"{version}.stats.json"
        stats_file.write_text(json.dumps(stats))
        self.push(MODEL, version, model, stats_file, *PREPROCESSING)
        return stats

    def push(self, model, version, file, stats_file, *options):
        self.site.call("model", "push", f"{model}@{version}", "--artifact", f"{CLASS}={file}",
                       "--stats", stats_file, "--key", self.key, *options)
        self.say(f"{model}@{version} is pushed, {file.stat().st_size} bytes")

    def roll_out(self, version, *boards, model=MODEL):
        plan = self.folder / f"{model}-{version}.yaml"
        plan.write_text(PLAN.format(version=version, model=model, board=boards[0].name,
                                    other=boards[-1].name))
        excluded = self.site.call("rollout", "plan", "-f", plan).get("excluded", [])
        if any(device_of(e["device"]) in [b.name for b in boards] for e in excluded):
            raise Failed(f"the plan leaves boards out: {excluded}")
        created = self.site.call("rollout", "create", "-f", plan)["rollout"]
        return device_of(created["name"])

    def succeeded(self, rollout):
        self.wait("the rollout has succeeded",
                  lambda: word(self.site.rollout(rollout)["state"]) == "SUCCEEDED", 60)

    def deployment(self, rollout, board):
        """The board's last attempt."""
        found = [d for d in self.site.deployments(rollout) if device_of(d["device"]) == board.name]
        return found[-1] if found else {}

    def confirmed(self, board):
        return next((confirmed_of(d) for d in self.site.devices()
                     if device_of(d["name"]) == board.name), "")

    def inferences(self, board):
        """version -> inferences that the gateway has counted"""
        return {d["release"].rsplit("@", 1)[-1]: int(d["inferences"])
                for d in self.site.totals().get("devices", [])
                if device_of(d["device"]) == board.name}

    def counted_by_boot(self, board):
        """boot id -> inferences in the gateway's log of reports; only the store tells boots apart."""
        store = f"file:{self.site.data / 'covey.db'}?mode=ro"
        counted = collections.Counter()
        with contextlib.closing(sqlite3.connect(store, timeout=5, uri=True)) as store:
            for boot, report in store.execute("SELECT boot_id, payload FROM reports "
                                              "WHERE device = ?", (board.name,)):
                counted[boot] += wire.decode(report).get(REPORT_INFERENCES, [0])[0]
        return counted

    # ---- the story

    def enrol(self):
        self.site.configure(bandwidth=8_000)  # so that a download has a middle
        self.site.start()
        self.say(f"coveyd is up: broker on {self.site.endpoints['mqtt']}")
        made = self.site.call("key", "generate", self.key)
        self.site.call("key", "trust", made["public_key"])
        for board in self.boards:
            board.provision(ROOT, "--device-class", CLASS, "--trusted-key", made["public_key"],
                            "--enroll-token-file", self.site.endpoints["enroll_token_file"],
                            "--report-interval-ms", "1000", "--inference-interval-ms", "200",
                            "--probation-inferences", "10")
            board.power_on(self.site.endpoints)
        self.wait("both boards ask to enrol", lambda: len(self.site.call(
            "device", "list", "--filter", "state = PENDING").get("devices", [])) == 2, 30)
        for board in self.boards:
            self.expect(board.says("the port passes its self-test"),
                        f"{board.name} has proven its port, at its first start")
        self.site.call("device", "accept", "--all")
        for board in self.boards:
            self.site.call("device", "label", board.name, f"board={board.name}")
        self.wait("both boards are online", lambda: sum(
            1 for d in self.site.devices() if d.get("online")) == 2, 30)

    def first_rollout(self):
        self.push_marked("1.0.0", "bearing-1.0.0")
        start = time.monotonic()
        rollout = self.roll_out("1.0.0", *self.boards)

        def has(board, least):
            found = board.says(CHUNKS)
            return found[-1] if found and int(found[-1][1]) >= least else None
        self.wait("board-1 has half of its chunks", lambda: has(self.good, 12), 40)
        self.good.cut_power()
        before = self.good.says(CHUNKS)[-1]
        had, total = int(before[1]), int(before[2])
        self.expect(had < total, f"power of board-1 is cut (kill -9) with {had} of {total} chunks")
        self.good.power_on(self.site.endpoints)
        self.wait("both boards have confirmed 1.0.0", lambda: all(
            self.confirmed(b) == "1.0.0" for b in self.boards), 60)
        seconds = time.monotonic() - start
        fetched = int(self.good.says(r"since boot, CONFIRMED: (\d+) chunks fetched")[0][1])
        # A chunk is one erase unit of this board, so that the unit of a missing one holds no other.
        self.expect(fetched <= total - had,
                    f"board-1 found {total - fetched} chunks in its flash and fetched {fetched}")
        sent = self.site.metric("covey_chunks_total")
        # What was on its way at the cut, at most one window of 8, is sent again; all would be `had`.
        self.expect(2 * total <= sent < 2 * total + had,
                    f"coveyd sent {sent} chunks for 2 x {total}; {seconds:.1f} s")
        self.succeeded(rollout)
        for board in self.boards:
            self.wait(f"{board.name} reports its inferences",
                      lambda b=board: self.inferences(b).get("1.0.0", 0) >= 25, 30)

    def failing_release(self, version, file, mark, reason, in_log, limit_s):
        self.push_marked(version, file, mark)
        rollout = self.roll_out(version, self.defective)
        ended = self.wait(f"board-2 is back from {version} by itself", lambda: next(
            (d for d in [self.deployment(rollout, self.defective)]
             if word(d.get("state", "")) in ("REVERTED", "FAILED")), None), limit_s)
        self.expect(re.fullmatch(reason, ended.get("reason", "")),
                    f"the gateway names the reason: {word(ended['state'])}, {ended.get('reason')}")
        said = self.defective.says(in_log)
        self.expect(said, f"board-2's log: {said[0][0] if said else in_log}")
        self.wait("board-2 runs 1.0.0 again",
                  lambda: self.confirmed(self.defective) == "1.0.0", 20)
        before = self.inferences(self.defective).get("1.0.0", 0)
        self.wait("and its inferences count on",
                  lambda: self.inferences(self.defective).get("1.0.0", 0) > before, 20)
        state = self.wait("the rollout is paused", lambda: next((
            r for r in [self.site.rollout(rollout)] if word(r["state"]) == "PAUSED"), None), 20)
        self.say(f"covey rollout get: {state.get('explanation', '')}")
        self.site.call("rollout", "abort", rollout)

    def without_provisioning(self):
        board = Board("board-0", self.good.image, self.folder)
        board.flash.touch()
        self.boards += (board,)
        board.power_on({"mqtt": "127.0.0.1:9", "enroll": "127.0.0.1:9"})
        self.wait("a board with empty flash says what it lacks",
                  lambda: board.says("cannot start: no provisioning page"), 20)
        board.cut_power()
        self.boards = self.boards[:2]

    def site_is_killed(self):
        before = {b: self.inferences(b).get("1.0.0", 0) for b in self.boards}
        before_kill = len(self.good.says(OUTBOX))
        self.site.child.process.kill()
        self.site.child.process.wait()
        self.site.child = None  # nobody misses it
        self.say("coveyd is killed (-9)")
        # The serial stream tells nothing: a ping without answer does.
        for board in self.boards:
            self.wait(f"{board.name} has noticed",
                      lambda b=board: b.says(r"link: lost: TIMEOUT"), 60)
        kept = self.wait("board-1 keeps what waits in its outbox",
                         lambda: self.good.says(OUTBOX)[before_kill:], 75)[-1]
        self.good.cut_power()
        self.expect(int(kept[1]) > 0, f"its power is cut (kill -9): {kept[0]}")
        self.site.configure(bandwidth=1 << 20)
        self.site.start()
        counted = self.counted_by_boot(self.good)
        self.good.power_on(self.site.endpoints)
        # The boots that it knows are over: whatever is counted for one of them was in flash.
        late = self.wait("board-1's next boot has sent it", lambda: sum(
            self.counted_by_boot(self.good)[b] - counted[b] for b in counted), 30)
        self.expect(0 < late <= int(kept[1]),
                    f"{late} inferences of the boot before, of the {kept[1]} that waited")
        for board in self.boards:
            self.wait(f"{board.name} is back and its inferences count on",
                      lambda b=board: self.inferences(b).get("1.0.0", 0) > before[b], 30)

    def keywords(self, file):
        """A network that somebody else trained, beside the first; self-test vectors are what the
        reference runtime answers on this machine."""
        vectors = selftest(self, file)
        classes = min(len(vectors[0]["output"]), 12)
        stats = {"model": KEYWORDS, "version": "1.0.0", "features": [],
                 "classes": [f"word-{i}" for i in range(classes)], "class_counts": [10] * classes,
                 "confidence_counts": [], "calibration": [],
                 "confusion": [[0] * classes for _ in range(classes)],
                 "selftest": vectors}
        stats_file = self.folder / "keywords.json"
        stats_file.write_text(json.dumps(stats))
        self.push(KEYWORDS, "1.0.0", file, stats_file)
        cost = Cost(self.good)
        rollout = self.roll_out("1.0.0", *self.boards, model=KEYWORDS)
        self.wait("both boards have confirmed the keyword model", lambda: all(
            b.says(KEYWORDS + ": CONFIRMED") for b in self.boards) and cost.over(), 120)
        self.say(f"{self.good.name}: {cost.take()}")
        self.succeeded(rollout)
        for board in self.boards:
            self.wait(f"{board.name} reports what it hears", lambda b=board: sum(
                int(d["inferences"]) for d in self.site.call("monitor", "totals", KEYWORDS)
                .get("devices", []) if device_of(d["device"]) == b.name) >= 5, 30)
            self.expect(board.says(r"inference: number \d+ of this boot, model 1"),
                        f"{board.name}: {board.says(r'since boot.*')[-1][0]}")
        fine_tune(self, self.good, KEYWORDS, "1.0.1", file, stats, cost)

    def updates(self):
        """A model that was trained anew, then one of which only the last layer was."""
        stats = self.push_marked("1.0.1", "bearing-1.1.0")
        cost = rolled_out(self, self.good, MODEL, "1.0.1")
        fine_tune(self, self.good, MODEL, "1.0.2", self.folder / "1.0.1.tflite", stats, cost,
                  *PREPROCESSING)

    def stack_within_budget(self):
        """board-2, which measures it, has enrolled and taken a whole update since its start."""
        used = self.defective.says(r"stack: agent (\d+), crypto (\d+), runtime (\d+)")[-1]
        for part, budget in json.loads(FOOTPRINT.read_text())["stack"].items():
            most = int(re.search(rf"{part} (\d+)", used[0])[1])
            self.expect(0 < most <= budget["budget"],
                        f"stack in use while {part} runs: {most} bytes, budget {budget['budget']}")

    def run(self):
        self.without_provisioning()
        self.enrol()
        self.first_rollout()
        self.stack_within_budget()
        self.site_is_killed()
        self.updates()
        keyword_model = os.environ.get("COVEY_KEYWORD_MODEL", "")
        if keyword_model:
            self.keywords(pathlib.Path(keyword_model))
        self.failing_release("1.1.0", "bearing-1.1.0", b"test-other-round",
                             "SELFTEST_MISMATCH", "reason SELFTEST_MISMATCH", 60)
        self.failing_release("1.2.0", "bearing-1.3.0", b"test-wild-point\n",
                             "MODEL_FAULTING", BUS_FAULT, 90)
        self.failing_release("1.3.0", "bearing-1.3.0", b"test-never-ends\n",
                             "WATCHDOG", "start cause 5", 120)

    def power_cuts(self):
        """One board loses power at every step of two updates, some of them twice: as soon as its log
        says the words."""
        steps = ["boot", *(f"{n} of 22 chunks" for n in (1, 4, 8, 8, 11, 14, 18, 21)), "VERIFYING",
                 "VERIFYING", "STAGED", "PROBATION,", "is active", "PROBATION_OK", "CONFIRMED", "boot"]
        self.enrol()
        self.push_marked("1.0.0", "bearing-1.0.0")
        first = self.roll_out("1.0.0", self.good)
        self.succeeded(first)
        for version, file in (("1.1.0", "bearing-1.1.0"), ("1.2.0", "bearing-1.3.0")):
            self.push_marked(version, file)
            rollout = self.roll_out(version, self.good)
            cuts = []
            for step in steps:
                # The words of a step that is over already never come; the power goes all the same.
                came = wait_until(lambda s=step: self.good.says(s), 8, 0.002, self.children())
                self.good.cut_power()
                cuts += [step] if came else []
                self.good.power_on(self.site.endpoints)
            self.say(f"power was cut {len(steps)} times: {' / '.join(cuts)}")
            self.expect(len(cuts) >= 8, f"{len(cuts)} of them at the words waited for")
            self.wait("the rollout is over", lambda r=rollout: word(self.site.rollout(r)["state"]) in
                      ("SUCCEEDED", "PAUSED"), 150)
            if word(self.site.rollout(rollout)["state"]) == "PAUSED":
                self.site.call("rollout", "abort", rollout)
            self.runs_what_the_gateway_says()

    def runs_what_the_gateway_says(self):
        version = self.confirmed(self.good)
        self.expect(version, f"the board has {version} confirmed")
        active = self.wait("a model is active", lambda: self.good.says(
            MODEL + r": (?!00000000)(\w{8}) is active"), 10)[-1][1]
        self.expect(any(d.startswith(active) for d in self.site.releases()[version]),
                    f"it is the one that runs: {active}")
        before = self.inferences(self.good).get(version, 0)
        self.wait("inferences count on",
                  lambda: self.inferences(self.good).get(version, 0) > before, 30)

    def flash_was_used_well(self):
        for board in self.boards:
            if "programmed twice" in board.log():
                raise Failed(f"{board.name} programmed a flash word twice")
        self.say("no flash word was programmed twice")

    def stop(self):
        for board in self.boards:
            board.stop()
        self.site.stop()


def main():
    binaries, images = (pathlib.Path(argument) for argument in sys.argv[1:3])
    if shutil.which("qemu-system-arm") is None:
        print("qemu-system-arm is not installed (./dev firmware installs it)")
        return SKIPPED
    for file in ("covey-firmware.elf", "covey-firmware-defects.elf"):
        if not (images / file).exists():
            why = images / "skipped.txt"
            print(why.read_text().strip() if why.exists() else
                  f"{images.name} has no {file}: ./dev firmware makes it")
            return SKIPPED
    missing = [p for p in ("coveyd", "covey") if not os.access(binaries / p, os.X_OK)]
    if missing:
        print(f"{binaries} has no {', '.join(missing)}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="firmware-") as folder:
        test = Test(binaries, images, pathlib.Path(folder))
        try:
            if sys.argv[3:] == ["power-cuts"]:
                test.power_cuts()
            else:
                test.run()
            test.flash_was_used_well()
        except Exception as error:  # whatever it was: the logs tell more
            print(f"FAILED: {type(error).__name__}: {error}", flush=True)
            for board in test.boards:
                print(f"---- {board.name}\n{board.log()}")
            print("---- coveyd\n" + (pathlib.Path(folder) / "coveyd.log").read_text()[-4000:])
            return 1
        finally:
            test.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
