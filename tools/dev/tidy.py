#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over our own sources, in parallel, and remembers what was clean.

Only what ships: tests would double the time and have the compiler's warnings. It looks at what the
build compiles, so at the units of covey_units (cmake/covey.cmake), which spares it most headers.

A unit is looked at again only if its text, one of the files it includes (from `ninja -t deps`), its
compile command, the .clang-tidy above one of its sources or clang-tidy itself changed.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["core", "deploy", "monitoring", "storage", "gateway", "cli", "device_agent", "examples"]
HEADERS = f"^{re.escape(str(ROOT))}/({'|'.join(FOLDERS)})/"


def read_dependencies(build):
    """object file -> the headers it was compiled with"""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    result, current = {}, None
    for line in text.splitlines():
        if line.startswith("    "):
            if current is not None:
                current.append(line.strip())
        elif ": #deps" in line and "(VALID)" in line:
            current = result.setdefault(line.split(":")[0], [])
        else:
            current = None
    return result


class Stamps:
    """Short text that changes when a file changes: content for our tree, size and time outside."""

    def __init__(self):
        self.known = {}

    def of(self, path):
        if path not in self.known:
            file = pathlib.Path(path)
            try:
                if file.is_relative_to(ROOT):
                    self.known[path] = hashlib.sha256(file.read_bytes()).hexdigest()
                else:
                    state = file.stat()
                    self.known[path] = f"{state.st_size}-{state.st_mtime_ns}"
            except OSError:
                self.known[path] = "missing"
        return self.known[path]


def sources_of(path, build):
    """Our own sources that are compiled as path: itself, or what a unit includes."""
    if path.is_relative_to(build) and path.parent.name == "units":
        included = re.findall(r'^#include "(.+)"$', path.read_text(), re.M)
        found = [ROOT / name for name in included]
    else:
        found = [path]
    return [source for source in found
            if source.is_relative_to(ROOT) and not source.is_relative_to(ROOT / "build")
            and source.relative_to(ROOT).parts[0] in FOLDERS]


def settings_above(path):
    found = []
    for folder in path.parents:
        if (folder / ".clang-tidy").exists():
            found.append(str(folder / ".clang-tidy"))
        if folder == ROOT:
            break
    return found


def run_one(source, build):
    start = time.monotonic()
    done = subprocess.run(
        ["clang-tidy", "-p", build, "--quiet", f"--header-filter={HEADERS}",
         "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-ignored-optimization-argument",
         str(source)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = done.stdout
    if done.returncode != 0 and not text.strip():
        text = done.stderr
    return done.returncode, text, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("files", nargs="*", help="only these sources")
    arguments = parser.parse_args()

    build = pathlib.Path(arguments.build).resolve()
    cache = pathlib.Path(arguments.cache)
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {pathlib.Path(name).resolve() for name in arguments.files}
    dependencies = read_dependencies(build)
    version = subprocess.run(["clang-tidy", "--version"], check=True, stdout=subprocess.PIPE).stdout
    stamps = Stamps()

    work, seen = [], set()
    clean_before = 0
    for entry in json.loads((build / "compile_commands.json").read_text()):
        unit = pathlib.Path(entry["file"])
        sources = [source for source in sources_of(unit, build) if source not in seen]
        if not sources or (wanted and not wanted & set(sources)):
            continue
        seen.update(sources)
        key = hashlib.sha256(version + entry["command"].encode())
        # CMake 3.25 writes no "output" into the entry.
        headers = dependencies.get(re.search(r" -o (\S+)", entry["command"])[1], [])
        settings = {path for source in sources for path in settings_above(source)}
        for path in [str(unit), *sorted(headers), *sorted(settings)]:
            full = path if os.path.isabs(path) else str(build / path)
            key.update(f"{full} {stamps.of(full)}\n".encode())
        mark = cache / key.hexdigest()
        if headers and mark.exists():
            mark.touch()
            clean_before += 1
        else:
            work.append((unit, mark))
    for path in sorted(wanted - seen):
        print(f"tidy: {path} is in no build of preset dev", file=sys.stderr)

    print(f"  {clean_before} units unchanged since they were clean, {len(work)} to look at",
          flush=True)
    failures = []
    # The longest first keeps all cores busy to the end.
    work.sort(key=lambda item: -len(sources_of(item[0], build)))
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = {pool.submit(run_one, unit, build): (unit, mark) for unit, mark in work}
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            unit, mark = futures[future]
            code, text, seconds = future.result()
            name = unit.name if unit.parent.name == "units" else unit.relative_to(ROOT)
            print(f"  [{number}/{len(work)}] {name}: {'clean' if code == 0 else 'PROBLEMS'}"
                  f" ({seconds:.1f} s)", flush=True)
            if code == 0:
                mark.touch()
            else:
                failures.append(name)
                print(text.rstrip(), flush=True)
    # Marks that no build asked for in a month are of files long gone.
    for mark in cache.iterdir():
        if time.time() - mark.stat().st_mtime > 30 * 24 * 3600:
            mark.unlink()
    if failures:
        print(f"tidy: problems in {len(failures)} units: {', '.join(map(str, failures))}")
    return 1 if failures or wanted - seen else 0


if __name__ == "__main__":
    sys.exit(main())
