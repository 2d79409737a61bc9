#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that CTest knows, several at a time, and counts single GoogleTest cases.

Every test program gets its own temporary directory (TMPDIR) and a token in its environment; a
process that still carries the token after the program ended is killed and fails the test. A program
that writes GoogleTest's XML counts case by case, any other counts as one (exit code 77: skipped).

  run_tests.py --build build/dev --labels unit,scenario     run, summary, last line with the counts
  run_tests.py ... --result FILE                            run, counts into FILE, no summary
  run_tests.py --summary FILE...                            summary of earlier runs
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree

SKIP_CODE = 77
TOKEN_NAME = "COVEY_TEST_TOKEN"
LOG_TAIL_BYTES = 30_000


class Outcome:
    """Counts, and what to say at the end about failures and skips."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def as_json(self):
        return {"passed": self.passed, "failed": self.failed, "skipped": self.skipped}

    @staticmethod
    def from_json(value):
        outcome = Outcome()
        outcome.passed = value["passed"]
        outcome.failed = value["failed"]
        outcome.skipped = value["skipped"]
        return outcome


class Test:
    def __init__(self, entry):
        properties = {p["name"]: p["value"] for p in entry.get("properties", [])}
        self.name = entry["name"]
        self.command = entry.get("command")
        self.labels = set(properties.get("LABELS", []))
        self.timeout_s = float(properties.get("TIMEOUT", 300))
        self.folder = properties.get("WORKING_DIRECTORY")
        self.environment = dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", []))
        self.skip_code = int(properties.get("SKIP_RETURN_CODE", SKIP_CODE))
        self.alone = bool(properties.get("RUN_SERIAL", False))
        self.disabled = bool(properties.get("DISABLED", False))


def find_tests(build):
    text = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, check=True,
                          stdout=subprocess.PIPE).stdout
    return [Test(entry) for entry in json.loads(text)["tests"]]


def processes_with(token):
    """Live processes (no zombies) that were started with the token."""
    wanted = f"{TOKEN_NAME}={token}".encode()
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if wanted not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            if (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                continue
            name = (folder / "comm").read_text().strip()
        except OSError:
            continue
        found.append((int(folder.name), name))
    return found


def end_processes(token, grace_s):
    """Waits for the test's processes to end by themselves, then kills them; returns their names."""
    until = time.monotonic() + grace_s
    left = processes_with(token)
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = processes_with(token)
    for pid, _ in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return [name for _, name in left]


def read_gtest_xml(path, test_name, suite):
    outcome = Outcome()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{suite}{test_name}: {case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None:
            outcome.failed.append(name)
        elif skipped is not None:
            lines = (skipped.get("message") or "").strip().splitlines()
            reason = " ".join(line.strip() for line in lines if not re.match(r"^\S+:\d+$", line))
            outcome.skipped.append([name, reason or "no reason given"])
        elif case.get("status") == "notrun":
            outcome.skipped.append([name, "disabled in the source"])
        else:
            outcome.passed += 1
    return outcome


class Runner:
    def __init__(self, arguments):
        self.arguments = arguments
        self.suite = arguments.suite + "/" if arguments.suite else ""
        self.build = pathlib.Path(arguments.build).resolve()
        self.logs = self.build / "test-logs"
        self.logs.mkdir(exist_ok=True)
        self.times_file = self.build / "test-times.json"
        self.times = {}
        if self.times_file.exists():
            self.times = json.loads(self.times_file.read_text())
        self.lock = threading.Lock()
        self.total = Outcome()
        self.children = {}
        self.done = 0
        self.stopped = False

    def select(self):
        labels = set(self.arguments.labels.split(",")) if self.arguments.labels else None
        tests = []
        for test in find_tests(self.build):
            if labels and not labels & test.labels:
                continue
            if self.arguments.regex and not re.search(self.arguments.regex, test.name):
                continue
            if self.arguments.exclude and re.search(self.arguments.exclude, test.name):
                continue
            tests.append(test)
        # The longest first keeps both cores busy to the end.
        return sorted(tests, key=lambda test: -self.times.get(test.name, test.timeout_s))

    def run(self):
        tests = self.select()
        shared = [test for test in tests if not test.alone]
        alone = [test for test in tests if test.alone]
        self.count = len(tests)
        queue = iter(shared)
        threads = [threading.Thread(target=self.work, args=(queue,))
                   for _ in range(self.arguments.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.work(iter(alone))
        self.times_file.write_text(json.dumps(self.times, indent=1, sort_keys=True))
        return self.total

    def work(self, queue):
        while not self.stopped:
            with self.lock:
                test = next(queue, None)
            if test is None:
                return
            outcome, text, seconds = self.run_test(test)
            with self.lock:
                self.done += 1
                self.times[test.name] = round(seconds, 2)
                self.total.add(outcome)
                counts = f"{outcome.passed} passed"
                if outcome.failed:
                    counts += f", {len(outcome.failed)} FAILED"
                if outcome.skipped:
                    counts += f", {len(outcome.skipped)} skipped"
                print(f"  [{self.done}/{self.count}] {self.suite}{test.name}: {counts}"
                      f" ({seconds:.1f} s)", flush=True)
                if outcome.failed:
                    print(text, flush=True)

    def run_test(self, test):
        outcome = Outcome()
        name = self.suite + test.name
        if test.disabled:
            outcome.skipped.append([name, "disabled in CMakeLists.txt"])
            return outcome, "", 0.0
        if not test.command:
            outcome.failed.append(f"{name}: its program was not built")
            return outcome, outcome.failed[-1], 0.0
        token = f"{os.getpid()}-{time.monotonic_ns()}"
        folder = tempfile.mkdtemp(prefix="covey-test-")
        report = pathlib.Path(folder) / "gtest.xml"
        work = pathlib.Path(folder) / "tmp"
        work.mkdir()
        log = self.logs / (test.name + ".log")
        environment = {**os.environ, **test.environment, TOKEN_NAME: token, "TMPDIR": str(work),
                       "GTEST_OUTPUT": f"xml:{report}", "GTEST_COLOR": "no"}
        start = time.monotonic()
        problems = []
        code = None
        try:
            with log.open("wb") as output:
                child = subprocess.Popen(
                    self.arguments.wrap.split() + test.command, cwd=test.folder or self.build,
                    env=environment, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True)
                self.children[token] = child
                limit_s = test.timeout_s * self.arguments.timeout_factor
                try:
                    code = child.wait(limit_s)
                except subprocess.TimeoutExpired:
                    problems.append(f"ran longer than {limit_s:.0f} s")
                    os.killpg(child.pid, signal.SIGABRT)
                    try:
                        child.wait(5)
                    except subprocess.TimeoutExpired:
                        os.killpg(child.pid, signal.SIGKILL)
                        child.wait()
                left = end_processes(token, 0 if problems else 3)
                if left and not problems:
                    problems.append("left processes behind: " + ", ".join(left))
        finally:
            self.children.pop(token, None)
        seconds = time.monotonic() - start
        if report.exists():
            try:
                outcome = read_gtest_xml(report, test.name, self.suite)
            except ElementTree.ParseError:
                problems.append("wrote a broken report")
            if not problems and code == 0 and outcome.passed == 0 and not outcome.skipped:
                problems.append("contains no test")
        elif code == 0:
            outcome.passed = 0 if problems else 1
        elif code == test.skip_code:
            lines = log.read_text(errors="replace").strip().splitlines()
            outcome.skipped.append([name, lines[-1] if lines else "no reason given"])
            code = 0
        if code != 0 and not outcome.failed and not problems:
            problems.append(f"ended with exit code {code}" if code >= 0 else
                            f"ended by signal {signal.Signals(-code).name}")
        outcome.failed += [f"{name}: {problem}" for problem in problems]
        shutil.rmtree(folder, ignore_errors=True)
        text = ""
        if outcome.failed:
            raw = log.read_bytes()
            cut = "[...]\n" if len(raw) > LOG_TAIL_BYTES else ""
            text = (f"---- output of {name} (whole: {log})\n{cut}"
                    + raw[-LOG_TAIL_BYTES:].decode(errors="replace")
                    + f"\n---- end of {name}; " + "; ".join(problems))
        return outcome, text, seconds

    def stop(self, *_):
        """Ctrl-C or a termination: ends what runs, then ourselves."""
        self.stopped = True
        for token, child in list(self.children.items()):
            try:
                os.killpg(child.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            end_processes(token, 2)
        os._exit(130)


def print_summary(total):
    if total.skipped:
        print(f"\nSkipped ({len(total.skipped)}):")
        for name, reason in total.skipped:
            print(f"  {name}: {reason}")
    if total.failed:
        print(f"\nFailed ({len(total.failed)}):")
        for name in total.failed:
            print(f"  {name}")
    ran = total.passed + len(total.failed)
    if ran == 0:
        print("\nNo test ran.")
    print(f"\n{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped",
          flush=True)
    return 0 if ran > 0 and not total.failed else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="a configured and built directory")
    parser.add_argument("--labels", default="", help="comma separated; default: all tests")
    parser.add_argument("-R", "--regex", default="", help="only programs whose name matches")
    parser.add_argument("-E", "--exclude", default="", help="not the programs whose name matches")
    parser.add_argument("-j", "--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--suite", default="", help="prefix of the names, e.g. tsan")
    parser.add_argument("--wrap", default="", help="command that starts each program")
    parser.add_argument("--timeout-factor", type=float, default=1.0)
    parser.add_argument("--result", help="write the counts to this file instead of a summary")
    parser.add_argument("--summary", nargs="*", metavar="FILE", help="add up and print results")
    arguments = parser.parse_args()
    if arguments.summary is not None:
        total = Outcome()
        for path in arguments.summary:
            total.add(Outcome.from_json(json.loads(pathlib.Path(path).read_text())))
        return print_summary(total)
    if not arguments.build:
        parser.error("--build is missing")
    runner = Runner(arguments)
    signal.signal(signal.SIGINT, runner.stop)
    signal.signal(signal.SIGTERM, runner.stop)
    total = runner.run()
    if not arguments.result:
        return print_summary(total)
    pathlib.Path(arguments.result).write_text(json.dumps(total.as_json(), indent=1))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
