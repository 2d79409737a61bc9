#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are these programs what a release promises? Position independent, no writable and no late part of
the relocations, checked copies and stack frames, no executable stack, indirect jumps marked.

    tools/dev/hardening.py PROGRAM...      exit code 1 and a line for each thing that is missing
"""

import pathlib
import platform
import re
import subprocess
import sys


def readelf(program, *options):
    return subprocess.run(["readelf", "-W", *options, program], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def missing(program):
    """What `program` lacks, in words."""
    header = readelf(program, "-h")
    segments = readelf(program, "-l")
    dynamic = readelf(program, "-d")
    symbols = readelf(program, "--dyn-syms")
    notes = readelf(program, "-n")
    checks = {
        "position independent (PIE)": "Type:" in header and "DYN" in header and "PIE" in dynamic,
        "read-only relocations (RELRO)": "GNU_RELRO" in segments,
        "all symbols bound at the start (BIND_NOW)": re.search(r"BIND_NOW|Flags:.*NOW", dynamic),
        "no executable stack": not re.search(r"GNU_STACK.*RWE", segments) and "GNU_STACK" in segments,
        "stack protector": "__stack_chk_fail" in symbols,
        "checked copies (_FORTIFY_SOURCE)": re.search(r"__\w+_chk(@|\s|$)",
                                                      symbols.replace("__stack_chk_fail", "")),
    }
    if platform.machine() == "x86_64":
        # Only where all objects have it, those of the system's static parts included.
        checks["marked jumps (CET)"] = "IBT" in notes or not system_has_cet()
    return [name for name, there in checks.items() if not there]


def system_has_cet():
    """Debian's C library start files carry the note only where it was built with it."""
    start = pathlib.Path("/usr/lib/x86_64-linux-gnu/Scrt1.o")
    return start.exists() and "IBT" in readelf(start, "-n")


def main():
    failed = False
    for program in sys.argv[1:]:
        for name in missing(program):
            failed = True
            print(f"{program}: lacks: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
