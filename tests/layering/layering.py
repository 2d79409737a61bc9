#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What reviewers would nag about, checked over all tracked and new files: the direction of
dependencies over #include (docs/architecture.md), clocks in pure code, leftovers, long lines.

Each rule is a function that yields findings for one file; rules_test.py feeds them bad snippets.
"""

import argparse
import pathlib
import posixpath
import re
import subprocess
import sys

import documents

ROOT = pathlib.Path(__file__).resolve().parents[2]

C_FILES = {".c", ".h"}
CPP_FILES = {".cpp", ".hpp"}
SOURCES = C_FILES | CPP_FILES

# The rooms of the agent, and whose doors each knows: a room's door is the header of its name. Calls go
# the same way.
AGENT_ROOMS = {
    "core": "",
    "wire": "",
    "flash": "core wire",
    "link": "core wire",
    "telemetry": "core wire flash link",
    "transfer": "core wire flash link telemetry",
    "life": "core wire flash link telemetry transfer",
    "session": "core wire flash link telemetry life",
    "agent": "core wire flash link telemetry transfer life session",
    "bench": "core wire flash link",
}
AGENT_SOURCES = "device_agent/src"

# folder -> the folders of the tree whose headers it may include, besides its own. The most specific
# prefix counts. proto/ is generated code (*.pb.h) and has its own rule.
DIRECTION = {
    "core": [],
    "deploy": ["core"],
    # counts and statistics below, what is concluded from them above; alerts know no statistics.
    "monitoring/counts": ["core"],
    "monitoring/statistics": [],
    "monitoring/accuracy": ["core", "monitoring/counts", "monitoring/statistics"],
    "monitoring/drift": ["core", "monitoring/counts", "monitoring/statistics"],
    "monitoring/gates": ["core", "monitoring/accuracy", "monitoring/counts", "monitoring/drift",
                         "monitoring/statistics"],
    "monitoring/alerts": ["core"],
    "monitoring/detectors": ["core", "monitoring/statistics"],
    "monitoring": ["core"],
    "storage": ["core", "deploy", "monitoring"],
    "storage/rows": ["core", "deploy", "monitoring", "storage/records.hpp", "storage/store.hpp"],
    "storage/memory": ["core", "deploy", "monitoring", "storage/records.hpp", "storage/store.hpp"],
    "storage/sqlite": ["core", "deploy", "monitoring", "storage/records.hpp", "storage/store.hpp",
                       "storage/rows"],
    "gateway/engine": ["core", "deploy", "monitoring", "storage"],
    "gateway/config": ["core", "deploy", "monitoring"],
    "gateway/codec": ["core", "deploy", "monitoring", "storage", "gateway/engine", "gateway/config"],
    "gateway/runtime": ["core", "deploy", "monitoring", "storage", "gateway/engine"],
    # A lane runs whatever it is given; the router knows effects and lanes, no sink by name.
    "gateway/runtime/lane.hpp": ["core"],
    "gateway/runtime/lane.cpp": ["core", "gateway/runtime/lane.hpp"],
    "gateway/runtime/router.hpp": ["core", "gateway/engine", "gateway/runtime/lane.hpp"],
    "gateway/runtime/router.cpp": ["core", "gateway/engine", "gateway/runtime/lane.hpp",
                                   "gateway/runtime/router.hpp"],
    # Who calls: for any transport, so it knows none, and no engine.
    "gateway/access": ["core", "gateway/config"],
    "gateway/api": ["core", "deploy", "monitoring", "storage", "gateway/access", "gateway/engine",
                    "gateway/runtime", "gateway/codec", "gateway/adapters/runner"],
    "gateway/adapters": ["core", "deploy", "monitoring", "storage", "gateway/access", "gateway/engine",
                         "gateway/runtime", "gateway/codec", "gateway/config", "gateway/api"],
    "gateway/adapters/runner": ["core", "deploy", "monitoring", "storage", "gateway/engine",
                                "gateway/runtime", "gateway/codec", "gateway/config",
                                "gateway/adapters", "device_agent"],
    "gateway/coveyd": ["core", "deploy", "monitoring", "storage", "gateway"],
    "gateway": ["core", "deploy", "monitoring", "storage"],
    "cli": ["core", "deploy", "monitoring", "gateway/codec", "gateway/adapters/runner",
            "device_agent"],
    "device_agent/include": [],
    "device_agent/src": ["device_agent/include"],
    **{f"device_agent/src/{room}": ["device_agent/include"] + [f"device_agent/src/{lower}"
                                                               for lower in below.split()]
       for room, below in AGENT_ROOMS.items()},
    "device_agent/mqtt": ["device_agent/include"],
    "device_agent/runtimes": ["device_agent/include"],
    "device_agent/ports": ["device_agent/include", "device_agent/mqtt"],
    "device_agent/simulator": ["core", "device_agent", "examples"],
    "device_agent/firmware": ["device_agent", "examples"],
    "tools/statistics": ["core", "monitoring"],
    "examples": ["core", "device_agent/include", "device_agent/runtimes"],
    "examples/minimal_firmware": ["device_agent/include", "device_agent/runtimes",
                                  "device_agent/ports"],
}
OURS = sorted({name.split("/")[0] for name in DIRECTION} | {"tests", "proto"})

# Who may see generated protobuf code.
PROTOBUF = ["gateway/codec", "gateway/api", "gateway/adapters", "cli", "tests/sim", "tests/integration", "tests/e2e",
            "tests/unit/codec", "tests/unit/api", "tests/unit/agent", "tests/unit/deploy", "tests/unit/cli", "tests/unit/adapters",
            "tests/unit/grpc", "tests/unit/wire", "tests/fuzz", "tests/bench", "tests/vectors"]

# Services as gRPC sees them; what they mean is gateway/api's, which knows messages only.
SERVICES = ["gateway/adapters/grpc", "cli", "tests"]

# Libraries whose headers stay where the dependency belongs (a header prefix -> folders).
LIBRARIES = {
    "grpc": ["gateway/adapters/grpc", "gateway/coveyd", "cli"],
    "mqtt/": ["gateway/adapters/mqtt", "device_agent/simulator", "device_agent/ports"],
    "MQTTAsync": ["gateway/adapters/mqtt", "device_agent/simulator", "device_agent/ports"],
    "MQTTClient": ["gateway/adapters/mqtt", "device_agent/simulator", "device_agent/ports"],
    "mosquitto": ["gateway/adapters/mqtt", "device_agent/simulator", "device_agent/ports"],
    "sqlite3": ["storage/sqlite"],
    # Read by core/yaml alone, which refuses anchors; the others write, or are no part of a site.
    "yaml-cpp/": ["core/yaml", "cli/connect/address.cpp"],
    "prometheus/": ["gateway/adapters/http", "gateway/runtime", "gateway/adapters", "gateway/coveyd"],
    "boost/asio": ["gateway/runtime", "gateway/adapters", "gateway/coveyd", "device_agent/simulator"],
    "boost/beast": ["gateway/adapters/http"],
    "boost/process": ["gateway/adapters", "gateway/runtime", "gateway/coveyd"],
    "psa/": ["device_agent/ports", "device_agent/firmware"],
    "mbedtls/": ["device_agent/ports", "device_agent/firmware"],
    "openssl/": ["core", "deploy/signing", "gateway", "cli", "storage", "device_agent/ports",
                 "device_agent/simulator"],
}

# The sizes of the wire belong to both of its sides; the header stands alone.
WIRE_LIMITS = "covey/limits.h"

AGENT_HEADERS = {"stddef.h", "stdint.h", "stdbool.h", "string.h", "limits.h"}
AGENT_PURE = ["device_agent/include", "device_agent/src"]

# Time comes in as an argument there.
NO_CLOCK = ["core", "deploy", "monitoring", "gateway/engine", "device_agent/src",
            "device_agent/include"]
CLOCK = re.compile(r"(system_clock|steady_clock|high_resolution_clock)\s*::\s*now"
                   r"|(?<![\w.>])(std::)?time\s*\(\s*(NULL|nullptr|0|&\w+)\s*\)"
                   r"|\b(gettimeofday|clock_gettime|localtime_r?|timespec_get)\s*\("
                   r"|\bSYSTEMTIME\b")
NO_INPUT_OUTPUT = ["core", "deploy", "monitoring", "gateway/engine"]
INPUT_OUTPUT = re.compile(r"#\s*include\s*<(iostream|fstream|sys/socket\.h|unistd\.h|fcntl\.h"
                          r"|thread)>")
# Reads and writes key files with the right permissions; nothing else of deploy does.
INPUT_OUTPUT_EXCEPT = {"deploy/signing/key_file.cpp"}

LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w./-])/(work|home|root|Users)/[\w.-]+")
OUTSIDE_WORDS = re.compile(r"\bsub" r"agents?\b|\bC" r"EO\b", re.IGNORECASE)
BARE_NOLINT = re.compile(r"NOLINT(NEXTLINE|BEGIN)?(?!\w)(?!\()")
# Not `new (place) T`: nothing is allocated.
RAW_NEW = re.compile(r"(?<![\w.])new\s+[A-Za-z_:]")
RAW_DELETE = re.compile(r"(?<![\w.])delete(\s*\[\s*\])?\s+[A-Za-z_*(]")
DETACH = re.compile(r"\.\s*detach\s*\(\s*\)")
# A literal of up to 20 ms is the pause of a loop that waits for a condition.
SLEEP = re.compile(r"\b(sleep_until|usleep|nanosleep)\s*\(|(?<![\w.])sleep\s*\(\s*\d"
                   r"|\bsleep_for\s*\((?!\s*([1-9]|1\d|20)ms\s*\))")

COLUMNS_MAX = 100
COLUMNS = SOURCES | {".proto", ".cmake", ".sh"}
README_LINES_MAX = 40
BINARY = {".tflite", ".bin", ".png", ".gif", ".svg", ".npz", ".gz", ".der", ".pem"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def within(path, folder):
    return path == folder or path.startswith(folder + "/")


def folder_of(path):
    """The most specific entry of DIRECTION that the path is in, or None."""
    hits = [name for name in DIRECTION if within(path, name)]
    return max(hits, key=len) if hits else None


def include_target(path, target):
    """The path that an include from this file names, where it is relative to the file's folder."""
    if not target.startswith("../"):
        return target
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def agent_room(path):
    """The room of the agent that the path is in, or None."""
    parts = path.removeprefix(AGENT_SOURCES + "/").split("/")
    return parts[0] if within(path, AGENT_SOURCES) and len(parts) > 1 else None


def is_shell(path, text):
    return path.endswith(".sh") or text.startswith(("#!/usr/bin/env bash", "#!/bin/bash", "#!/bin/sh"))


def code_only(text):
    """The text with comments and string literals blanked, lines kept."""
    def blank(match):
        found = match.group(0)
        if found.startswith(('"', "'")):
            return found[0] + found[0]
        return re.sub(r"[^\n]", " ", found)
    pattern = (r'R"(?P<tag>[^()\\\s]*)\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/'
               r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'')
    return re.sub(pattern, blank, text, flags=re.DOTALL)


def lines_matching(pattern, text):
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            yield number, line.strip()


def check_includes(path, text):
    suffix = pathlib.PurePosixPath(path).suffix
    if suffix not in SOURCES:
        return
    folder = folder_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = include_target(path, match.group(2))
        if target.endswith(".grpc.pb.h") and not any(within(path, name) for name in SERVICES):
            yield number, f"{target}: gRPC services belong to {', '.join(SERVICES)}"
        if target.endswith(".pb.h"):
            if not any(within(path, name) for name in PROTOBUF):
                yield number, f"{target}: generated protobuf code stays behind gateway/codec"
            continue
        if any(within(path, name) for name in AGENT_PURE):
            own = match.group(1) == '"' or target.startswith("covey/")
            if not own and target not in AGENT_HEADERS:
                yield number, f"{target}: the agent depends on {', '.join(sorted(AGENT_HEADERS))}"
                continue
        if within(path, "tests"):
            continue
        if folder is not None:
            for prefix, places in LIBRARIES.items():
                if target.startswith(prefix) and target.split("/")[0] != "covey":
                    local = (ROOT / pathlib.PurePosixPath(path).parent / target).exists()
                    if not local and not any(within(path, place) for place in places):
                        yield number, f"{target}: this library belongs to {', '.join(places)}"
        top = target.split("/")[0]
        if target == WIRE_LIMITS:
            continue
        if target.startswith("covey/") and folder is not None:
            # The agent's public headers; a few folders know them.
            allowed = within(path, "device_agent") or any(
                within(name, "device_agent") for name in DIRECTION[folder])
            if not allowed:
                yield number, f"{target}: {folder} does not know the device agent"
        elif top in OURS and "/" in target and folder is not None:
            if within(target, folder):
                continue
            if not any(within(target, name) for name in DIRECTION[folder]):
                allowed = ", ".join(DIRECTION[folder]) or "nothing of the tree"
                yield number, f"{target}: {folder} may include {allowed}"
            room = agent_room(target)
            if room is not None and target != f"{AGENT_SOURCES}/{room}/{room}.h":
                yield number, f"{target}: the door of this room is {room}.h"


# Each room of the engine changes its own part of the state only: the right to do so is in its own.hpp.
ROOMS = "gateway/engine"


def check_rooms(path, text):
    if pathlib.PurePosixPath(path).suffix not in CPP_FILES or within(path, "tests/layering"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(2)
        if not (within(target, ROOMS) and target.endswith("/own.hpp")):
            continue
        room = target.removesuffix("/own.hpp")
        # The door hands the state to the rooms.
        door = room == ROOMS + "/turn" and str(pathlib.PurePosixPath(path).parent) == ROOMS
        if path.endswith(".hpp") or not (within(path, room) or door):
            yield number, f"{target}: only sources of {room} may change its part of the state"


def check_clocks(path, text):
    if pathlib.PurePosixPath(path).suffix not in SOURCES:
        return
    code = code_only(text)
    if any(within(path, name) for name in NO_CLOCK):
        for number, line in lines_matching(CLOCK, code):
            yield number, f"reads a clock: {line}"
    if any(within(path, name) for name in NO_INPUT_OUTPUT) and path not in INPUT_OUTPUT_EXCEPT:
        for number, line in lines_matching(INPUT_OUTPUT, text):
            yield number, f"input and output have no place here: {line}"


def check_code(path, text):
    suffix = pathlib.PurePosixPath(path).suffix
    if suffix not in SOURCES:
        return
    for number, _ in lines_matching(BARE_NOLINT, text):
        yield number, "NOLINT without the name of the check"
    code = code_only(text)
    if suffix in CPP_FILES:
        for number, line in lines_matching(RAW_NEW, code):
            if not line.startswith("#"):
                yield number, f"raw new: {line}"
        for number, line in lines_matching(RAW_DELETE, code):
            yield number, f"raw delete: {line}"
    for number, line in lines_matching(DETACH, code):
        yield number, f"a detached thread outlives its owner: {line}"
    if within(path, "tests"):
        for number, line in lines_matching(SLEEP, code):
            yield number, f"tests wait for a condition, never sleep: {line}"


def check_text(path, text):
    name = pathlib.PurePosixPath(path)
    if name.suffix in COLUMNS or name.name == "CMakeLists.txt" or is_shell(path, text):
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > COLUMNS_MAX:
                yield number, f"{len(line)} columns, {COLUMNS_MAX} are allowed"
    if within(path, "tests/layering"):
        return
    for number, line in lines_matching(LEFTOVER, text):
        yield number, f"leftover: {line}"
    for number, line in lines_matching(MACHINE_PATH, text):
        yield number, f"path of one machine: {line}"
    for number, line in lines_matching(OUTSIDE_WORDS, text):
        yield number, f"not a word of this project: {line}"


def check_readmes(files):
    """Each top-level folder explains itself, shortly. `files`: path -> text"""
    folders = {path.split("/")[0] for path in files if "/" in path}
    for folder in sorted(folders):
        if folder.startswith("."):
            continue
        readme = files.get(f"{folder}/README.md")
        if readme is None:
            yield f"{folder}/README.md", 1, "missing: purpose, entry points, invariants"
        elif len(readme.splitlines()) > README_LINES_MAX:
            yield f"{folder}/README.md", 1, f"more than {README_LINES_MAX} lines"


# The public headers of the agent, its ports and its MQTT client are included as covey/NAME.
PUBLIC_HEADER = re.compile(r"^(?:device_agent/.*)?/(covey/[^/]+\.h)$")


def circles(graph):
    """Each circle of a graph, node -> nodes, as a list of nodes; of those that share nodes, one."""
    state = {}
    for start in sorted(graph):
        if start in state:
            continue
        trail, stack = [], [(start, iter(sorted(graph[start])))]
        state[start] = "open"
        trail.append(start)
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                state[trail.pop()] = "done"
            elif following not in state:
                state[following] = "open"
                trail.append(following)
                stack.append((following, iter(sorted(graph.get(following, ())))))
            elif state[following] == "open":
                yield trail[trail.index(following):] + [following]


def check_circles(files):
    """No file of the tree includes itself, whatever the way. `files`: path -> text"""
    sources = {path: text for path, text in files.items()
               if pathlib.PurePosixPath(path).suffix in SOURCES}
    public = {}
    for path in sources:
        match = PUBLIC_HEADER.match(path)
        if match:
            public[match.group(1)] = path
    graph = {}
    for path, text in sources.items():
        graph[path] = set()
        for line in text.splitlines():
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(2)
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            for found in (beside, target, public.get(target)):
                if found in sources:
                    graph[path].add(found)
                    break
    for circle in circles(graph):
        yield circle[0], 1, "a circle of includes: " + " -> ".join(circle)


DEFINITION = re.compile(r"^(?!static\b|typedef\b)[A-Za-z_][\w \*]*?\b(covey_\w+)\([^;{}]*\)\s*\{", re.M)
INLINE = re.compile(r"^static inline [\w \*]*?\b(covey_\w+)\([^;{}]*\)\s*\{", re.M)


def agent_functions(files):
    """Functions of the agent that other files can call: name -> file. `files`: path -> text"""
    found = {}
    for path, text in files.items():
        if agent_room(path) is None or pathlib.PurePosixPath(path).suffix not in C_FILES:
            continue
        code = code_only(text)
        pattern = DEFINITION if path.endswith(".c") else INLINE
        for match in pattern.finditer(code):
            if path.endswith(".c") or match.group(1) not in found:
                found[match.group(1)] = path
    return found


def check_agent_calls(files):
    """The agent's rooms call one way, however a function came to be known. `files`: path -> text"""
    functions = agent_functions(files)
    for path, text in files.items():
        room = agent_room(path)
        if room is None or pathlib.PurePosixPath(path).suffix not in C_FILES:
            continue
        allowed = {room, *AGENT_ROOMS.get(room, "").split()}
        for number, line in enumerate(code_only(text).splitlines(), 1):
            for name in re.findall(r"\bcovey_\w+\b", line):
                home = agent_room(functions.get(name, ""))
                if home is not None and home not in allowed:
                    yield path, number, f"{name} is of {home}, and {room} does not call that"


def check_agent_names(files):
    """The name of a function says in which file of the agent it is. `files`: path -> text"""
    public = "".join(text for path, text in files.items()
                     if within(path, "device_agent/include/covey"))
    for name, path in agent_functions(files).items():
        stem = pathlib.PurePosixPath(path).stem
        modules = [stem] if path.endswith(".c") else [
            pathlib.PurePosixPath(other).stem for other in files
            if posixpath.dirname(other) == posixpath.dirname(path)]
        named = any(name == f"covey_{module}" or name.startswith(f"covey_{module}_")
                    for module in modules)
        if not named and not re.search(rf"\b{name}\(", public):
            yield path, 1, f"{name}: the name begins with covey_{stem}, or is public"


TREE_RULES = [check_circles, check_agent_calls, check_agent_names, check_readmes, documents.check]
FILE_RULES = [check_includes, check_rooms, check_clocks, check_code, check_text]


def check_file(path, text):
    for rule in FILE_RULES:
        for number, message in rule(path, text):
            yield path, number, message


def read_files():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE).stdout.decode().split("\0")
    files = {}
    for path in filter(None, listed):
        file = ROOT / path
        if file.suffix in BINARY or within(path, "tests/fuzz/corpus") or not file.is_file():
            continue
        try:
            files[path] = file.read_text()
        except UnicodeDecodeError:
            continue
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quiet", action="store_true", help="print findings only")
    arguments = parser.parse_args()
    files = read_files()
    findings = [found for path, text in sorted(files.items()) for found in check_file(path, text)]
    findings += [found for rule in TREE_RULES for found in rule(files)]
    for path, number, message in findings:
        print(f"{path}:{number}: {message}")
    if findings:
        print(f"layering: {len(findings)} findings in {len(files)} files", file=sys.stderr)
    elif not arguments.quiet:
        print(f"layering: {len(files)} files are in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
