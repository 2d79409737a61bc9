# SPDX-License-Identifier: Apache-2.0
"""The command line of the benchmark, and the order of its parts."""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from covey_demo.console import Console
from covey_demo.processes import Child, DemoError, describe_exit

from . import agent, ingest, load, memory, receipts, rollout, storms, tls
from .machine import about_machine, about_source
from .report import print_table

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = ("coveyd", "covey", "covey-sim", "covey_bench_load", "covey_bench_bare",
            "covey_bench_floor", "covey_bench_model")
PARTS = {"agent": agent.measure, "ingest": ingest.measure, "memory": memory.measure,
         "rollout": rollout.measure, "load": load.measure,
         "receipts": receipts.measure, "storms": storms.measure, "tls": tls.measure}
# Of which a run without names consists: load takes a quarter of an hour, receipts, storms and
# tls some minutes.
USUAL = ("agent", "ingest", "memory", "rollout")
SCHEMA = 2
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@dataclasses.dataclass
class Settings:
    root: pathlib.Path
    binaries: pathlib.Path
    devices: int
    seconds: int
    senders: int
    features: int
    quick: bool
    paced: bool
    report_interval_s: int
    look_s: float  # between two looks at what is waited for: a look costs, on the same cores

    def run(self, name, command, folder, limit_s):
        """stdout of a child that measures; it ends with us, also when we are killed."""
        with open(folder / f"{name}.json", "w+", encoding="utf-8") as output:
            child = Child(name, command, folder / f"{name}.log", output=output)
            try:
                code = child.wait(limit_s)
            finally:
                child.stop()
            if code != 0:
                raise DemoError(f"{name}: {describe_exit(code)}: {child.log_tail()}")
            output.seek(0)
            return output.read()


def number(low, high):
    def parse_number(text):
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not from {low} to {high}")
        return value
    return parse_number


def part(name):
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"no part is called {name}; there are " + ", ".join(PARTS))
    return name


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Measures a release build: figures as JSON and as a table.",
        epilog="Exit codes: 0 every figure was taken, 1 a part failed, 2 usage, 130 interrupted.")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build" / "bench.json",
                        metavar="FILE", help="where the figures go (default build/bench.json)")
    parser.add_argument("--quick", action="store_true",
                        help="20 devices, one second: proves that it works, measures nothing")
    parser.add_argument("only", nargs="*", type=part, metavar="PART",
                        help="of " + ", ".join(PARTS) + " (default: the first four)")
    parser.add_argument("--devices", type=number(1, 5000), metavar="N",
                        help="of the rollout and of the memory's slope (default 1000)")
    parser.add_argument("--seconds", type=number(1, 600), metavar="N",
                        help="of each of ingestion's four measurements (default 10)")
    parser.add_argument("--senders", type=number(1, 5000), metavar="N",
                        help="devices of ingestion (default 2000)")
    parser.add_argument("--features", type=number(1, 8), default=8, metavar="N",
                        help="in a report (default 8)")
    parser.add_argument("--paced", action="store_true",
                        help="the rollout with coveyd's default bandwidth and offer rate")
    parser.add_argument("--no-build", action="store_true", help="use the programs that are there")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin",
                        metavar="DIR", help="where they are (default build/release/bin)")
    given = parser.parse_args(arguments)
    given.only = given.only or list(USUAL)
    given.devices = given.devices or (20 if given.quick else 1000)
    given.senders = given.senders or (20 if given.quick else 2000)
    given.seconds = given.seconds or (1 if given.quick else 10)
    return given


def interrupt(*_):
    raise KeyboardInterrupt


def main(arguments):
    given = parse(arguments)
    binaries = given.bin.resolve()
    missing = [name for name in PROGRAMS if not os.access(binaries / name, os.X_OK)]
    if missing:
        print(f"bench: {binaries} has no {', '.join(missing)}: ./dev bench without --no-build "
              "makes them", file=sys.stderr)
        return EXIT_USAGE
    try:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text("")
    except OSError as error:
        print(f"bench: --json {given.json}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    settings = Settings(ROOT, binaries, given.devices, given.seconds, given.senders,
                        given.features, given.quick, given.paced, 2 if given.quick else 10, 0.2 if given.quick else 1.0)
    console = Console()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-bench-"))
    try:
        return play(given, settings, console, folder)
    except KeyboardInterrupt:
        console.line("Interrupted.")
        given.json.unlink(missing_ok=True)
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not stop the clean-up
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(folder, ignore_errors=True)


def play(given, settings, console, folder):
    observed = {"schema": SCHEMA, "quick": given.quick, **about_source(ROOT),
                "machine": about_machine(folder)}
    errors = {}
    for name in (part for part in PARTS if part in given.only):
        console.line(console.paint("1", f"== {name}"))
        try:
            observed[name] = PARTS[name](settings, console, folder / name)
        except (DemoError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            errors[name] = f"{type(error).__name__}: {error}"
            console.step(f"FAILED: {errors[name]}")
    observed["machine"]["load_at_end"] = os.getloadavg()[0]
    observed["errors"] = errors
    given.json.write_text(json.dumps(observed, indent=2) + "\n")
    print_table(console, observed)
    console.line(f"Figures: {given.json}")
    return EXIT_FAILED if errors else 0
