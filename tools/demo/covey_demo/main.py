# SPDX-License-Identifier: Apache-2.0
"""The command line of the demo, and the order of the acts."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile

from .acts import act_better, act_drift, act_site, act_worse
from .console import Console
from .crash import act_crash
from .gateway import device_of, word
from .processes import DemoError
from .report import how_to_go_on, observe, summary, write_json
from .story import ENDED, Act, Options, Story

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = ("coveyd", "covey", "covey-sim")
ACTS = (
    ("a site and its devices", act_site),
    ("a better model", act_better),
    ("a worse model", act_worse),
    ("a drift", act_drift),
    ("a crash", act_crash),
)
EXIT_NOT_AS_TOLD = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./dev demo",
        description="A site, 60 simulated devices, real models: the whole job in five acts.",
        epilog="Exits 0 only if every act came out as told.")
    parser.add_argument("--seed", type=seed, default=1, metavar="N",
                        help="another fleet, another hall, another moment of death (default 1)")
    parser.add_argument("--json", metavar="FILE", help="write what was observed")
    parser.add_argument("--variant", choices=("equal", "no-drift"), default="",
                        help="negative controls: 1.2.0 is as good as 1.1.0; no sensor drifts")
    parser.add_argument("--sabotage", choices=("regression", "drift", "reports", "journal"),
                        default="", help="break one part on purpose: exactly its act fails")
    parser.add_argument("--keep", action="store_true", help="leave the site running to play with")
    parser.add_argument("--no-build", action="store_true", help="use the programs that are there")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "bin", metavar="DIR",
                        help="where coveyd, covey and covey-sim are (default build/bin)")
    return parser.parse_args(arguments)


def seed(text):
    number = int(text)
    if not 0 <= number < 1_000_000:
        raise ValueError(text)
    return number


def interrupt(*_):
    raise KeyboardInterrupt


def main(arguments):
    given = parse(arguments)
    binaries = given.bin.resolve()
    missing = [p for p in PROGRAMS if not os.access(binaries / p, os.X_OK)]
    if missing:
        print(f"demo: {binaries} has no {', '.join(missing)}: ./dev build makes them",
              file=sys.stderr)
        return EXIT_USAGE
    if given.json:
        try:
            pathlib.Path(given.json).write_text("")
        except OSError as error:
            print(f"demo: --json {given.json}: {error.strerror}", file=sys.stderr)
            return EXIT_USAGE
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    options = Options(given.seed, given.json or "", given.variant, given.sabotage, given.keep)
    console = Console()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="covey-demo-"))
    story = Story(options, console, ROOT, binaries, folder)
    leave_running = False
    try:
        code = play(story, binaries)
        leave_running = options.keep
        return code
    except KeyboardInterrupt:
        console.line("Interrupted.")
        return EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not stop the clean-up
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if leave_running:
            story.labeller.stop()
        else:
            story.stop()
            shutil.rmtree(folder, ignore_errors=True)


def play(story, binaries):
    options, console = story.options, story.console
    special = "".join(f", {name} {value}" for name, value in
                      (("variant", options.variant), ("sabotage", options.sabotage)) if value)
    console.line(console.paint("1", f"Covey demo, seed {options.seed}{special}"))
    for number, (title, run) in enumerate(ACTS, 1):
        console.act(number, title)
        act = Act(title, console)
        story.acts.append(act)
        if number > 1 and not story.acts[0].ok:
            act.fail("not played: without a site there is nothing to show")
            continue
        try:
            run(story, act)
        except DemoError as error:
            act.fail(str(error))
            recover(story)
        end_rollouts(story)
    observed = observe(story)
    if options.json_file:
        write_json(options.json_file, observed)
    summary(story, observed)
    if options.keep:
        story.fleet.control("resume")
    how_to_go_on(story, binaries)
    return 0 if all(act.ok for act in story.acts) else EXIT_NOT_AS_TOLD


def recover(story):
    """A failed act must not take the next ones with it."""
    child = story.gateway.child
    if child is not None and not child.running():
        try:
            story.gateway.start()
        except DemoError as error:
            story.console.detail(str(error))


def end_rollouts(story):
    """One that a failed act left open would stand in the way of the next."""
    try:
        for rollout in story.gateway.call("rollout", "list").get("rollouts", []):
            if word(rollout["state"]) not in ENDED:
                name = device_of(rollout["name"])
                story.console.step(f"Rollout {name} is still {word(rollout['state'])}: back")
                story.gateway.call("rollout", "rollback", name)
                story.follow(name, 60)
    except DemoError as error:
        story.console.detail(str(error))
