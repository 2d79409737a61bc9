# SPDX-License-Identifier: Apache-2.0
"""./dev bench --quick, once: every figure is there and means what its name says. Nothing here
judges how fast it was. bench_test.py DIR [UNITTEST OPTIONS], DIR holds the programs."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "tools" / "bench" / "bench"
PROGRAMS = ("coveyd", "covey", "covey-sim", "covey_bench_load", "covey_bench_bare",
            "covey_bench_floor", "covey_bench_model")
SKIPPED = 77
LIMIT_S = 400
binaries = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
quick_run = None  # the whole run: in the background, while the command line is looked at


def bench(*arguments):
    return subprocess.run([sys.executable, "-B", BENCH, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)


def broken_programs(folder):
    for program in PROGRAMS:
        path = pathlib.Path(folder) / program
        path.write_text("#!/bin/sh\necho broken on purpose >&2\nexit 7\n")
        path.chmod(0o755)


def descendants(pid):
    found = []
    try:
        for task in list(pathlib.Path(f"/proc/{pid}/task").iterdir()):
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    except OSError:  # it has ended meanwhile
        pass
    return found


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def left_of(pids):
    return [name for name in map(command_of, pids) if name in (*PROGRAMS, "mosquitto")]


class CommandLine(unittest.TestCase):
    def test_help_names_every_option_of_both_helps(self):
        said = [bench("--help").stdout,
                subprocess.run([ROOT / "dev", "bench", "--help"], stdout=subprocess.PIPE, text=True,
                               timeout=LIMIT_S, check=False).stdout]
        for text in said:
            for option in ("--json", "--quick", "PART", "load", "--devices", "--seconds",
                           "--senders", "--features", "--paced", "--no-build"):
                self.assertIn(option, text)

    def test_wrong_usage_is_refused(self):
        for arguments in (["--devices", "0"], ["--devices", "many"], ["--seconds", "0"],
                          ["--senders", "0"], ["--features", "9"], ["speed"]):
            done = bench(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("usage:", done.stderr)

    def test_missing_programs_are_named_with_what_to_do(self):
        with tempfile.TemporaryDirectory() as empty:
            done = bench("--bin", empty)
        self.assertEqual(done.returncode, 2)
        self.assertIn("covey_bench_floor", done.stderr)
        self.assertIn("./dev bench", done.stderr)

    def test_an_unwritable_json_file_is_refused_before_anything_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            broken_programs(folder)
            done = bench("--bin", folder, "--json", f"{folder}/coveyd/out.json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--json", done.stderr)

    def test_a_part_that_fails_is_told_and_the_others_are_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            broken_programs(folder)
            report = pathlib.Path(folder) / "out.json"
            done = bench("--quick", "--bin", folder, "--json", report, "agent", "ingest")
            observed = json.loads(report.read_text())
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("broken on purpose", observed["errors"]["ingest"])
        self.assertIn("FAILED", done.stdout)
        self.assertIn("agent", observed)
        self.assertNotIn("ingest", observed)


class QuickRun:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.report = pathlib.Path(self.folder.name) / "out.json"
        self.child = subprocess.Popen(
            [sys.executable, "-B", BENCH, "--quick", "--bin", binaries, "--json", self.report],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def result(self):
        said, _ = self.child.communicate(timeout=LIMIT_S)
        return self.child.returncode, said, json.loads(self.report.read_text() or "{}")

    def close(self):
        if self.child.poll() is None:
            self.child.terminate()
            self.child.communicate(timeout=LIMIT_S)
        self.folder.cleanup()


def setUpModule():
    global quick_run
    quick_run = QuickRun()
    unittest.addModuleCleanup(quick_run.close)


class Quick(unittest.TestCase):
    """One run, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        cls.exit_code, cls.said, cls.observed = quick_run.result()

    def between(self, value, low, high):
        self.assertIsInstance(value, (int, float))
        self.assertGreaterEqual(value, low)
        self.assertLessEqual(value, high)

    def part(self, name):
        self.assertIn(name, self.observed, self.said)
        return self.observed[name]

    def test_it_succeeds_and_says_where_and_what(self):
        self.assertEqual(self.exit_code, 0, self.said)
        self.assertEqual(self.observed["errors"], {})
        self.assertEqual(self.observed["schema"], 2)
        self.assertIs(self.observed["quick"], True)
        machine = self.observed["machine"]
        self.between(machine["cores"], 1, 4096)
        self.between(machine["memory_bytes"], 1 << 28, 1 << 50)
        self.assertNotEqual(machine["data_filesystem"], "")
        for words in ("durable reports/s", "coveyd / bare loop", "coveyd per connected device",
                      "devices per minute", "rollout / plain", "--quick: no measurement"):
            self.assertIn(words, self.said)

    def test_agent(self):
        for name in ("agent", "mqtt_client", "reference_runtime"):
            self.between(self.part("agent")[name]["text_bytes"], 1_000, 1_000_000)
            self.between(self.part("agent")[name]["data_bytes"], 0, 100_000)
            self.between(self.part("agent")[name]["bss_bytes"], 0, 100_000)

    def test_ingest(self):
        ingest = self.part("ingest")
        self.assertEqual(set(ingest), {"steady", "flood"})
        self.assertEqual(ingest["steady"]["coveyd"]["rate_per_device"], 4)
        self.assertEqual(ingest["flood"]["coveyd"]["rate_per_device"], 0)
        for both in ingest.values():
            coveyd, bare = both["coveyd"], both["bare"]
            for name, figures in (("coveyd", coveyd), ("bare", bare)):
                with self.subTest(name, rate=figures["rate_per_device"]):
                    self.load_figures(figures, name)
            # Nothing was acknowledged that is in no count.
            self.assertEqual((coveyd["windows_lost"], coveyd["quarantined"]), (0, 0))
            # But for samples, which are drawn.
            self.assertAlmostEqual(coveyd["report_bytes"] / bare["report_bytes"], 1, delta=0.1)
            self.assertAlmostEqual(both["rate_ratio"], coveyd["durable_per_second"]
                                   / bare["durable_per_second"])
            self.assertGreaterEqual(both["processor_ratio"], 0)

    def load_figures(self, figures, process):
        self.assertEqual(figures["devices"], 20)
        self.between(figures["report_bytes"], 100, 2_000)
        self.assertGreater(figures["seconds"], 0)
        self.assertGreater(figures["acknowledged"], 0)
        self.assertAlmostEqual(figures["acknowledged"],
                               figures["durable_per_second"] * figures["seconds"])
        self.assertEqual(figures["unacknowledged"], 0)
        self.assertGreater(figures["acknowledgement_p50_ms"], 0)
        self.assertGreaterEqual(figures["acknowledgement_p99_ms"],
                                figures["acknowledgement_p50_ms"])
        self.assertEqual(set(figures["processor"]), {process, "mosquitto", "generator"})
        for spent in figures["processor"].values():
            # A tick of the kernel's clock is 10 ms: little work can be none.
            self.between(spent["seconds"], 0, 100 * figures["seconds"])
            self.assertAlmostEqual(spent["us_per_report"],
                                   spent["seconds"] * 1e6 / figures["acknowledged"])

    def test_memory(self):
        memory = self.part("memory")
        self.assertEqual([point["devices"] for point in memory["points"]], [0, 20, 40])
        for point in memory["points"]:
            self.between(point["coveyd_pss_bytes"], 1 << 20, 1 << 30)
            self.between(point["mosquitto_pss_bytes"], 1 << 18, 1 << 30)
        for process in ("coveyd", "mosquitto"):  # twenty devices can vanish in the noise of pages
            self.between(abs(memory[f"{process}_bytes_per_device"]), 0, 1 << 20)

    def test_rollout(self):
        r = self.part("rollout")
        self.between(r["model_bytes"], 60_000, 70_000)
        image_bytes_max = r["chunks_of_model"] * r["chunk_bytes"]
        self.between(image_bytes_max, r["model_bytes"], r["model_bytes"] + 4 * r["chunk_bytes"])
        self.assertEqual(r["devices"], 20)
        self.assertGreaterEqual(r["chunks"], r["devices"] * r["chunks_of_model"])
        self.assertAlmostEqual(r["devices_per_minute"], 60 * r["devices"] / r["seconds"])
        self.assertAlmostEqual(r["chunks_per_second"], r["chunks"] / r["seconds"])
        self.between(r["bytes_to_device"], r["model_bytes"], 3 * r["model_bytes"])
        self.between(r["bytes_from_device"], 100, r["model_bytes"])
        self.assertLessEqual(r["confirmed_p50_s"], r["confirmed_p99_s"])
        self.assertLessEqual(r["confirmed_p99_s"], r["seconds"])
        for name in ("coveyd", "mosquitto", "covey_sim"):
            self.between(r["cpu_seconds"][name], 0, 100 * r["seconds"])
        floor = r["floor"]
        self.assertEqual(floor["messages"], r["devices"] * r["chunks_of_model"])
        self.assertEqual(floor["payload_bytes"], floor["messages"] * r["chunk_bytes"])
        self.assertAlmostEqual(r["ratio_to_floor"], r["seconds"] / floor["seconds"])


class Engine(unittest.TestCase):
    def test_ticks_and_messages_of_a_fleet(self):
        done = subprocess.run([binaries / "covey_bench_slice", "--point", "60:40:5", "--windows",
                               "1"], stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=True)
        [point] = json.loads(done.stdout)["slice"]
        self.assertEqual((point["registered"], point["online"], point["past_rollouts"]),
                         (60, 40, 5))
        self.assertEqual(set(point["messages"]),
                         {"hello", "status", "report", "fetch", "enrolment"})
        for spent in (point["ticks"], *point["messages"].values()):
            self.assertGreaterEqual(spent["count"], 500)
            self.assertLessEqual(0, spent["mean_us"])
            self.assertLessEqual(spent["p99_us"], spent["max_us"])
        self.assertGreater(point["ticks"]["windows_closed"], 0)
        self.assertGreater(point["ticks"]["writes"], 0)

    def test_a_fleet_that_cannot_be_is_refused(self):
        for point in ("10:20:5", "10:0:5", "10", "10:10:1:1", "many"):
            done = subprocess.run([binaries / "covey_bench_slice", "--point", point],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  timeout=LIMIT_S, check=False)
            self.assertNotEqual(done.returncode, 0, point)
            self.assertIn("REGISTERED:ONLINE:PAST", done.stderr)


class Interrupted(unittest.TestCase):
    def test_no_process_no_folder_and_no_half_report_are_left(self):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "out.json"
            child = subprocess.Popen(
                [sys.executable, "-B", BENCH, "--quick", "rollout", "--bin", binaries,
                 "--json", report], stdout=subprocess.PIPE, text=True,
                env={**os.environ, "TMPDIR": folder})
            self.addCleanup(child.kill)
            end = time.monotonic() + LIMIT_S
            started = []
            while time.monotonic() < end and child.poll() is None:
                started = descendants(child.pid)
                if {"coveyd", "mosquitto", "covey-sim"} <= {command_of(pid) for pid in started}:
                    break
            child.send_signal(signal.SIGINT)
            said, _ = child.communicate(timeout=LIMIT_S)
            self.assertEqual(child.returncode, 130, said)
            self.assertIn("Interrupted.", said)
            # One that was just being started ends by the death of its parent: a moment later.
            while left_of(started) and time.monotonic() < end:
                time.sleep(0.05)
            self.assertEqual(left_of(started), [])
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    absent = [name for name in (*PROGRAMS, "covey_bench_slice") if not os.access(binaries / name, os.X_OK)]
    if absent:
        print(f"{binaries} has no {', '.join(absent)}")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
