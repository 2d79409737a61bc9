#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which rules of MISRA C:2012 the device agent breaks, and whether each is a documented deviation.

Usage: misra.py [--all]

Runs cppcheck's MISRA addon over device_agent/src. A rule that is broken and not in
device_agent/MISRA.md fails, and so does one in MISRA.md that is not broken any more. --all lists
every place. Exit code 77: there is no cppcheck."""

import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "device_agent"


def findings():
    """(rule, place), each once."""
    sources = sorted(str(path.relative_to(ROOT)) for path in (AGENT / "src").glob("*/*.c"))
    # The one configuration that ships: without it cppcheck tries what every #ifdef could be.
    done = subprocess.run(
        ["cppcheck", "--addon=misra", "--std=c99", "--quiet", "--language=c", "-DCOVEY_SHIPPED=1",
         "-UCOVEY_USER_CONFIG", "-UCOVEY_BROKEN", "-DCOVEY_BARRIER()=", "-D__GNUC__=12", "-U__cplusplus",
         "-DCOVEY_OUTBOX=1",
         "-Idevice_agent/include", *sources],
        cwd=ROOT, capture_output=True, text=True, check=False)
    found = set(re.findall(r"^(\S+?:\d+):\d+: .*\[misra-c2012-([\d.]+)\]$", done.stderr, re.M))
    if done.returncode != 0 or not found:
        sys.exit(f"misra: cppcheck did not do its work:\n{done.stdout}{done.stderr}")
    return sorted((rule, place) for place, rule in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="list every place")
    options = parser.parse_args()
    if shutil.which("cppcheck") is None:
        print("misra: no cppcheck (Debian: cppcheck)")
        return 77
    places = collections.defaultdict(list)
    for rule, place in findings():
        places[rule].append(place)
        if options.all:
            print(f"{rule:6} {place}")
    documented = set(re.findall(r"^\| ([\d.]+) \|", (AGENT / "MISRA.md").read_text(), re.M))
    failed = False
    for rule in sorted(set(places) - documented):
        failed = True
        print(f"rule {rule} is broken and no documented deviation: {', '.join(places[rule][:5])}")
    for rule in sorted(documented - set(places)):
        failed = True
        print(f"rule {rule} is kept everywhere: take it out of device_agent/MISRA.md")
    print(f"{len(documented)} documented deviations, {sum(map(len, places.values()))} places")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
