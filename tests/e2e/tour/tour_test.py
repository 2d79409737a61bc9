# SPDX-License-Identifier: Apache-2.0
"""Runs the tour of the README with its own commands, looks at what they did, and compares what the
README shows with what they printed: tour_test.py DIR

Only the ports are others. Where the text tells the reader to wait, the test asks until it is so.
Of what is shown, numbers that are measured may differ, and nothing else.
"""

import difflib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools" / "demo"))

from covey_demo.processes import free_ports, wait_until  # noqa: E402

SKIPPED = 77
BLOCK_LIMIT_S = 120
MOVED = {"dev-0003", "dev-0007", "dev-0011", "dev-0015", "dev-0019"}


def tour():
    return (ROOT / "README.md").read_text().split("## A first tour by hand")[1].split("\n## ")[0]


def fenced(language):
    """Texts of the tour between fences, in order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", tour(), re.S | re.M)
    return [text for own, text in found if own == language]


def blocks():
    return fenced("sh")


def shown():
    """The outputs that the text shows, in order."""
    return fenced("")


def measured(text):
    """The same but for what is measured: times, ages, statistics, bars."""
    text = re.sub(r"[█▉▊▋▌▍▎▏]+", "", text)
    text = re.sub(r"\d+(,\d{3})*(\.\d+)?(e[-+]?\d+)?", "N", text)
    text = re.sub(r"\bN[smhd]\b", "AGE", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


def about_rms(alerts):
    """Head and entries of the alert that the tour is about: chance may add one of another subject."""
    table, *entries = alerts.strip().split("\n\n")
    rows = [line for line in table.splitlines() if line.startswith("ALERT") or "DRIFT.rms." in line]
    return "\n\n".join(["\n".join(rows), *(entry for entry in entries if "DRIFT.rms." in entry)])


class Shown:
    """Compares to the end, so that one run tells all that is stale."""

    def __init__(self):
        self.stale = []

    def same(self, expected, printed, what):
        if expected == printed:
            print(f"ok: {what} is what README.md shows", flush=True)
            return
        self.stale.append("\n".join(difflib.unified_diff(
            expected, printed, f"README.md: {what}", "printed", lineterm="")))


class Reader:
    """Somebody with one shell open, who copies block after block."""

    def __init__(self, folder, binaries):
        self.folder = folder
        mqtt, enroll, grpc, http = free_ports(4)
        self.ports = {"18830": str(mqtt), "18831": str(enroll)}
        self.environment = {
            **os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "COVEY_DATA": "site",
            "COVEY_MQTT_EMBEDDED_PORT": str(mqtt), "COVEY_MQTT_EMBEDDED_ENROLL_PORT": str(enroll),
            "COVEY_GRPC_LISTEN": f"127.0.0.1:{grpc}", "COVEY_HTTP_LISTEN": f"127.0.0.1:{http}"}
        self.log = open(folder / "background.log", "wb")

    def run(self, script):
        """Output of a block. What it starts with & goes on, in the group of this test's children."""
        for told, ours in self.ports.items():
            script = script.replace(told, ours)
        script = re.sub(r"^export PATH=.*\n", "", script, flags=re.M)
        # Only the foreground's output comes back: a pipe that a background process holds never ends.
        script = re.sub(r" &$", " >>background.log 2>&1 & echo $! >>pids", script, flags=re.M)
        script = re.sub(r" & +#.*$", " >>background.log 2>&1 & echo $! >>pids", script, flags=re.M)
        done = subprocess.run(["bash", "-e", "-c", script], cwd=self.folder, env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=BLOCK_LIMIT_S,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(f"exit code {done.returncode} of\n{script}\n{done.stdout}")
        return done.stdout

    def ask(self, *command):
        done = subprocess.run(["covey", *command, "-o", "json"], cwd=self.folder,
                              env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=30, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def wait(self, what, probe, seconds):
        print(f"waiting: {what}", flush=True)
        if not wait_until(probe, seconds):
            raise AssertionError(f"not so after {seconds} s: {what}")

    def leave(self):
        """The tour's last words: end both by their pids. Returns what did not end by itself."""
        self.log.close()
        try:
            pids = [int(pid) for pid in (self.folder / "pids").read_text().split()]
        except OSError:
            return []
        for pid in pids:
            os.kill(pid, signal.SIGTERM) if alive(pid) else None
        wait_until(lambda: not any(alive(pid) for pid in pids), 15)
        late = [pid for pid in pids if alive(pid)]
        for pid in late:
            os.kill(pid, signal.SIGKILL)
        return late


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def must(condition, text, output):
    if not condition:
        raise AssertionError(f"{text}:\n{output}")
    print(f"ok: {text}", flush=True)


def for_programs(reader):
    """What the same site says to scripts and shells."""
    lines = reader.run("covey rollout watch rollouts/better -o json").splitlines()
    must(json.loads(lines[-1])["rollout"]["state"] == "ROLLOUT_STATE_SUCCEEDED",
         "a watch in JSON ends with the last state", lines)
    names = [r["name"] for r in reader.ask("rollout", "list")["rollouts"]]
    must(names == ["rollouts/better", "rollouts/first"], "the newest rollout is first", names)
    must(len(reader.ask("rollout", "explain", "better")["deployments"]) == 19,
         "explain has the deployments in JSON", "")
    for words, expected in (("rollout get f", "first"), ("device get dev-000", "dev-0001"),
                            ("model list b", "bearing-vibration"),
                            ("rollout plan --release bearing-vibration @ 1.1", "1.1.0")):
        typed = f"covey {words}".split()
        script = ('source <(covey completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _covey; '
                  'echo "${COMPREPLY[@]}"')
        output = reader.run(f"set -- {' '.join(typed)}; {script}")
        must(expected in output.split(), f"completion knows {expected}", output)


def time_is_over(reader):
    output = reader.run("""sed 's/name: fleet,/name: fleet, approval: required,/; s/25%/1/' first.yaml > third.yaml
sed -i 's/name: canary,/name: canary, approval: required,/' third.yaml
covey rollout create -f third.yaml --name third --watch --wait 1s && exit 1 || echo "exit $?"
covey rollout abort third""")
    must("exit 4" in output and "stage canary of third waits for approval" in output
         and "covey rollout approve third" in output, "a watch says what the rollout waits for", output)


def walk(reader):
    start, devices, accept, push, roll_out, drift = blocks()
    plan_shown, watch_shown, alert_shown, drift_shown = shown()
    looks = Shown()
    reader.run(start)
    reader.wait("covey status answers", lambda: reader.ask("status"), 20)
    reader.run(devices)

    def count(state):
        return sum(1 for d in reader.ask("device", "list").get("devices", []) if state(d))
    reader.wait("20 devices are PENDING", lambda: count(lambda d: "PENDING" in d["state"]) == 20, 30)
    must("Accepted 20 devices" in (output := reader.run(accept)), "20 devices accepted", output)
    reader.wait("20 devices are online", lambda: count(lambda d: d.get("online")) == 20, 30)

    output = reader.run(push)
    must(output.count("Pushed.") == 2, "two releases pushed", output)
    must("stage canary: 5 devices (5 new)" in output and "stage fleet: 19 devices (14 new)" in output,
         "the plan says how many devices each stage has", output)
    must(re.search(r"dev-0018 +SLOT_TOO_SMALL", output), "the plan says who cannot take it", output)
    plan = output[output.index("20 devices match"):]
    looks.same(plan_shown.strip().splitlines(), plan.strip().splitlines(), "the plan")

    output = reader.run(roll_out)
    must(output.count("SUCCEEDED  canary PASSED 5/5  fleet PASSED 14/14") == 2
         and output.rstrip().endswith("exit 0"), "both rollouts succeeded", output)
    # A state that lasts for a moment may pass between two looks; nothing else may be missing.
    expected = watch_shown.strip().splitlines()
    for watched in re.split(r"(?<=fleet PASSED 14/14)\n", output.strip())[:2]:
        lines = watched.splitlines()
        looks.same([line for line in expected if line in lines], lines, "a watch")
    must(all(line in output for line in watch_shown.strip().splitlines() if "ANALYZING" not in line),
         "README.md shows no line that is not printed", output)

    for_programs(reader)
    time_is_over(reader)
    reader.run(drift)

    def named():
        for alert in reader.ask("alert", "list").get("alerts", []):
            devices = {d.rsplit("/")[-1] for d in alert.get("devices", [])}
            if alert.get("feature") == "rms" and "FIRING" in alert["state"] and devices == MOVED:
                return True
        return False
    reader.wait("an alert on rms names the five devices of hall-2", named, 90)
    alerts = reader.run("covey alert list")
    looks.same(measured(alert_shown), measured(about_rms(alerts)), "the alert")
    looks.same(measured(drift_shown), measured(reader.run("covey monitor drift --feature rms")), "the plot")
    output = reader.run("covey alert list; covey monitor drift --feature rms; covey status")
    must("stands out: dev-0003, dev-0007, dev-0011, dev-0015, dev-0019" in output
         and "Health" in output, "the plot names them, too", output)
    if looks.stale:
        raise AssertionError("README.md shows what is not printed:\n" + "\n".join(looks.stale)
                             + f"\nthe alert and the plot in full:\n{alerts}\n{output}")


def main():
    binaries = pathlib.Path(sys.argv[1]).resolve()
    missing = [p for p in ("coveyd", "covey", "covey-sim") if not os.access(binaries / p, os.X_OK)]
    if missing:
        print(f"{binaries} has no {', '.join(missing)}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="tour-") as name:
        folder = pathlib.Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        reader = Reader(folder, binaries)
        started = time.monotonic()
        try:
            walk(reader)
            failed = False
        except AssertionError as error:
            print(f"FAILED: {error}")
            print((folder / "background.log").read_text(errors="replace")[-3000:])
            failed = True
        finally:
            late = reader.leave()
        if late:
            print(f"FAILED: {late} did not end within 15 s of SIGTERM")
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if failed or late else 0


if __name__ == "__main__":
    sys.exit(main())
