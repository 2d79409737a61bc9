"""Two emulated boards at a real site: firmware_test.py DIR-OF-PROGRAMS DIR-OF-IMAGES

They enrol and take a rollout; one loses power in the middle of the download and goes on where it was;
one gets a model that fails its self-test there, then one that makes its runtime fault, and comes back
by itself each time. What happened is read through the command line, as an operator would."""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools" / "demo"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from covey_demo.gateway import Gateway, confirmed_of, device_of, word  # noqa: E402
from covey_demo.processes import wait_until  # noqa: E402
from emulated_board import Board  # noqa: E402

MODEL = "bearing-vibration"
CLASS = "mps2-an386"
MODELS = ROOT / "examples" / "bearing_vibration" / "models"
SKIPPED = 77

CONFIG = """\
site: {{name: firmware}}
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt: {{embedded: {{port: {mqtt_port}, enroll_port: {enroll_port}}}}}
telemetry: {{window: 5s, report_interval: 1s}}
offline: {{silence_after: 10s}}
rollout: {{bandwidth_bytes_per_s: {bandwidth}}}
"""

PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {{name: firmware-{version}}}
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


class Failed(Exception):
    pass


class Site(Gateway):
    def configure(self, bandwidth):
        self.config_file.write_text(CONFIG.format(
            mqtt_port=self.ports[0], enroll_port=self.ports[1], bandwidth=bandwidth))

    def metric(self, name):
        url = f"http://{self.endpoints['http']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(float(line.split()[1]))
        raise Failed(f"/metrics has no {name}")


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

    def push(self, version, file, mark=b""):
        """`mark`: bytes behind the FlatBuffer, which no runtime looks at, for the defective image."""
        model = self.folder / f"{version}.tflite"
        model.write_bytes((MODELS / f"{file}.tflite").read_bytes() + mark)
        stats = json.loads((MODELS / f"{file}.stats.json").read_text())
        stats["version"] = version
        stats_file = self.folder / f"{version}.stats.json"
        stats_file.write_text(json.dumps(stats))
        self.site.call("model", "push", f"{MODEL}@{version}", "--artifact", f"{CLASS}={model}",
                       "--stats", stats_file, "--preprocessing", MODELS / "preprocessing.bin",
                       "--preprocessing-id", 1, "--key", self.key)
        self.say(f"{MODEL}@{version} is pushed, {model.stat().st_size} bytes")

    def roll_out(self, version, *boards):
        plan = self.folder / f"{version}.yaml"
        plan.write_text(PLAN.format(version=version, model=MODEL, board=boards[0].name,
                                    other=boards[-1].name))
        created = self.site.call("rollout", "create", "-f", plan)["rollout"]
        return device_of(created["name"])

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

    # ---- the story

    def enrol(self):
        self.site.configure(bandwidth=8_000)
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
        self.site.call("device", "accept", "--all")
        for board in self.boards:
            self.site.call("device", "label", board.name, f"board={board.name}")
        self.wait("both boards are online", lambda: sum(
            1 for d in self.site.devices() if d.get("online")) == 2, 30)

    def first_rollout(self):
        self.push("1.0.0", "bearing-1.0.0")
        start = time.monotonic()
        rollout = self.roll_out("1.0.0", *self.boards)

        def has(board, least):
            found = board.says(r"download: (\d+) of (\d+) chunks")
            return found[-1] if found and int(found[-1][1]) >= least else None
        self.wait("board-1 has a third of its chunks", lambda: has(self.good, 8), 40)
        self.good.cut_power()
        before = self.good.says(r"download: (\d+) of (\d+) chunks")[-1]
        had, total = int(before[1]), int(before[2])
        self.expect(had < total, f"power of board-1 is cut (kill -9) with {had} of {total} chunks")
        self.good.power_on(self.site.endpoints)
        self.wait("both boards have confirmed 1.0.0", lambda: all(
            self.confirmed(b) == "1.0.0" for b in self.boards), 60)
        seconds = time.monotonic() - start
        fetched = int(self.good.says(r"model: CONFIRMED.* (\d+) chunks fetched")[0][1])
        self.expect(fetched <= total - had,
                    f"board-1 found {total - fetched} chunks in its flash and fetched {fetched}")
        sent = self.site.metric("covey_chunks_total")
        # What was on its way at the cut, at most one window of 8, is sent again.
        self.expect(2 * total <= sent <= 2 * total + 8,
                    f"coveyd sent {sent} chunks for 2 x {total}; {seconds:.1f} s")
        self.wait("the rollout has succeeded",
                  lambda: word(self.site.rollout(rollout)["state"]) == "SUCCEEDED", 30)
        for board in self.boards:
            self.wait(f"{board.name} reports its inferences",
                      lambda b=board: self.inferences(b).get("1.0.0", 0) >= 25, 30)

    def failing_release(self, version, file, mark, reason, in_log, limit_s):
        self.push(version, file, mark)
        rollout = self.roll_out(version, self.defective)
        ended = self.wait(f"board-2 is back from {version} by itself", lambda: next(
            (d for d in [self.deployment(rollout, self.defective)]
             if word(d.get("state", "")) in ("REVERTED", "FAILED")), None), limit_s)
        self.expect(ended.get("reason", "").endswith(reason),
                    f"the gateway names the reason: {word(ended['state'])}, {ended.get('reason')}")
        self.expect(bool(self.defective.says(in_log)), f"board-2's log has '{in_log}'")
        self.wait("board-2 runs 1.0.0 again",
                  lambda: self.confirmed(self.defective) == "1.0.0", 20)
        before = self.inferences(self.defective).get("1.0.0", 0)
        self.wait("and its inferences count on",
                  lambda: self.inferences(self.defective).get("1.0.0", 0) > before, 20)
        state = self.wait("the rollout is paused", lambda: next((
            r for r in [self.site.rollout(rollout)] if word(r["state"]) == "PAUSED"), None), 20)
        self.say(f"covey rollout get: {state.get('explanation', '')}")
        self.site.call("rollout", "abort", rollout)

    def run(self):
        self.enrol()
        self.first_rollout()
        self.failing_release("1.1.0", "bearing-1.1.0", b"test-other-round",
                             "SELFTEST_MISMATCH", "reason SELFTEST_MISMATCH", 60)
        self.failing_release("1.2.0", "bearing-1.3.0", b"test-wild-point\n",
                             "BOOT_LOOP", r"faulted before at pc \w+, status 00008200, address 70000000",
                             90)

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
            test.run()
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
