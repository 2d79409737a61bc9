# SPDX-License-Identifier: Apache-2.0
"""Where the figures were taken: without it they mean nothing."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def about_machine(folder):
    processor = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(),
                          re.MULTILINE)
    return {"processor": processor.group(1) if processor else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "kernel": platform.release(),
            "data_filesystem": filesystem_of(folder),
            "load_at_start": os.getloadavg()[0]}


def filesystem_of(folder):
    """Commits are durable: what they are written to decides."""
    best = ("", "unknown")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        under = folder == pathlib.Path(point) or pathlib.Path(point) in folder.parents
        if under and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def about_source(root):
    def git(*words):
        done = subprocess.run(["git", "-C", root, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False)
        return done.stdout.strip()
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"time": now.isoformat(timespec="seconds"), "commit": git("rev-parse", "HEAD"),
            "changed": bool(git("status", "--porcelain"))}
