#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much flash and RAM the device agent takes on a Cortex-M, against committed budgets.

Usage: footprint.py [--write] [--sizes]

Compiles device_agent/src and device_agent/mqtt/src with Debian's arm-none-eabi-gcc, links every
public function (and only what it needs) and reads the linker's map. Budgets are in
device_agent/footprint.json: over budget, the exit code is 1. --write brings
device_agent/FOOTPRINT.md up to date, --sizes lists function by function. Exit code 77: there is no
compiler."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "device_agent"
BUDGETS = AGENT / "footprint.json"
REPORT = AGENT / "FOOTPRINT.md"
COMPILER = "arm-none-eabi-gcc"
FLAGS = ["-std=c99", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections", "-fstack-usage",
         "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
INCLUDES = [f"-I{AGENT / 'include'}", f"-I{AGENT / 'mqtt/include'}"]
TARGETS = {"cortex-m4": "Cortex-M4", "cortex-m0plus": "Cortex-M0+"}
# A product has one model and a release with eight features; the defaults are for the largest.
SMALL = {"COVEY_MODELS_MAX": 1, "COVEY_FEATURES_MAX": 8, "COVEY_BINS_MAX": 10,
         "COVEY_CLASSES_MAX": 4, "COVEY_SHADOW_CLASSES_MAX": 4, "COVEY_LATENCY_BUCKETS": 40, "COVEY_SAMPLES_MAX": 2,
         "COVEY_WINDOWS_IN_FLIGHT": 1}
# Flash that has a budget.
ROWS = ("core", "core with mqtt", "core, with an outbox", "core, small", "core, least")
# Asked on the bench or the production line, not in the field: a firmware that doesn't call them doesn't hold them.
BENCH_ONLY = {"covey_config_check", "covey_port_selftest", "covey_agent_provision"}
# The rooms of device_agent/src, from the lowest to the highest.
ROOMS = ("core", "wire", "flash", "link", "telemetry", "transfer", "life", "session", "agent")
# What others take for the like, in KB of Cortex-M4 flash at -Os: measured once, when the agent was
# designed, not by this command. Beside each the row or file of ours that does it.
OTHERS = [("mender-mcu, core and cJSON, without HTTP and TLS", "20.4", "core"),
          ("AWS OTA, coreMQTT 2 and Jobs, without crypto", "24.5", "core with mqtt"),
          ("Memfault, telemetry alone, 8 metrics", "8.2, and 3.9 of libc", "telemetry"),
          ("coreMQTT v2 / v5 alone", "6.9 / 19.4", "mqtt"),
          ("nanopb alone", "4.6 to 6.3", "wire")]
PROBE = """
#include "covey/agent.h"
char covey_agent_t_[sizeof(covey_agent_t)];
char covey_telemetry_t_[sizeof(covey_telemetry_t)];
char send_buffer_[COVEY_SEND_BYTES_MIN];
char receive_buffer_[COVEY_RECEIVE_BYTES_MIN];
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def public_functions(objects):
    names = set()
    declared = "".join(path.read_text() for path in (AGENT / "include/covey").glob("*.h"))
    declared += "".join(path.read_text() for path in (AGENT / "mqtt/include/covey").glob("*.h"))
    for line in run("arm-none-eabi-nm", "--defined-only", *objects).splitlines():
        match = re.search(r" T (\w+)$", line)
        if match and re.search(rf"\b{match[1]}\(", declared):
            names.add(match[1])
    return names


def defined(defines):
    return [f"-D{name}={value}" for name, value in defines.items()]


def compile_all(cpu, folder, sources, defines):
    objects = []
    for source in sources:
        target = folder / f"{source.parent.name}-{source.stem}.o"
        run(COMPILER, f"-mcpu={cpu}", *FLAGS, *INCLUDES, *defined(defines), "-c", str(source),
            "-o", str(target))
        objects.append(target)
    return objects


def link(cpu, folder, objects, functions):
    """Bytes of code and constants by input file, as the linker laid them out."""
    image, linker_map = folder / "image.elf", folder / "image.map"
    run(COMPILER, f"-mcpu={cpu}", "-mthumb", "-nostartfiles", "--specs=nano.specs",
        "-Wl,--gc-sections", "-Wl,--fatal-warnings", f"-Wl,-Map={linker_map}",
        "-Wl,-e,covey_agent_poll", *[f"-Wl,-u,{name}" for name in sorted(functions)],
        *map(str, objects), "-o", str(image))
    sizes = {}
    text = linker_map.read_text().split("Linker script and memory map")[1]
    for section, size, path in re.findall(
            r"^ (\.(?:text|rodata)\S*)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)$", text, re.M):
        name = pathlib.Path(re.sub(r"\(.*", "", path)).name
        member = "libgcc" if "libgcc" in path else "libc" if "libc" in path else name
        sizes.setdefault(member, {}).setdefault(section, 0)
        sizes[member][section] += int(size, 16)
    return sizes


def of_file(sizes, name):
    return sum(sizes.get(name, {}).values())


def core_alone(cpu, folder, defines):
    """Flash of the core with these limits."""
    folder.mkdir()
    core = compile_all(cpu, folder, sorted((AGENT / "src").glob("*/*.c")), defines)
    sizes = link(cpu, folder, core, public_functions(core) - BENCH_ONLY)
    return sum(of_file(sizes, path.name) for path in core)


def measure_switches(switches):
    """What one switch saves of the core, and all of them together."""
    cpu = "cortex-m4"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sizes = {f"{define.removeprefix('COVEY_').lower()} {value}":
                 core_alone(cpu, folder / define, {define: value})
                 for define, value in switches.items()}
        sizes["all of these"] = core_alone(cpu, folder / "all", switches)
    return sizes


def measure_flash(cpu, folder):
    core = compile_all(cpu, folder, sorted((AGENT / "src").glob("*/*.c")), {})
    mqtt = compile_all(cpu, folder, sorted((AGENT / "mqtt/src").glob("*.c")), {})
    field = public_functions(core) - BENCH_ONLY
    sizes = link(cpu, folder, core, field)
    files = {path.name: of_file(sizes, path.name) for path in core}
    with_mqtt = link(cpu, folder, core + mqtt, field | public_functions(mqtt))
    bench = link(cpu, folder, core, field | (BENCH_ONLY & public_functions(core)))
    library = of_file(sizes, "libgcc") + of_file(sizes, "libc")
    total = sum(files.values())
    stacks = []
    for path in (path.with_suffix(".su") for path in core):
        for line in path.read_text().splitlines():
            where, size, _ = line.split("\t")
            stacks.append((int(size), where.split(":")[-1]))
    return {
        "rooms": {room: sum(size for name, size in files.items() if name.startswith(f"{room}-"))
                  for room in ROOMS},
        "core": total,
        "library": library,
        "core with mqtt": total + sum(of_file(with_mqtt, path.name) for path in mqtt),
        "bench only": sum(of_file(bench, path.name) for path in core) - total,
        "files": files,
        "functions": {name: size for path in core for name, size in sizes.get(path.name, {}).items()},
        "stacks": sorted(stacks, reverse=True)[:5],
    }


def measure_ram(cpu, folder, defines):
    source, target = folder / "probe.c", folder / "probe.o"
    source.write_text(PROBE)
    run(COMPILER, f"-mcpu={cpu}", *FLAGS, *INCLUDES, "-fno-common",
        *defined(defines), "-c", str(source), "-o", str(target))
    sizes = {}
    for line in run("arm-none-eabi-nm", "-S", str(target)).splitlines():
        fields = line.split()
        if len(fields) == 4:
            sizes[fields[3].rstrip("_")] = int(fields[1], 16)
    return sizes


def measure(budgets):
    least = {**SMALL, **budgets["switches"]}
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for cpu in TARGETS:
            place = folder / cpu
            place.mkdir()
            result[cpu] = measure_flash(cpu, place)
            result[cpu]["core, with an outbox"] = core_alone(cpu, place / "outbox",
                                                             {"COVEY_OUTBOX": 1})
            result[cpu]["core, small"] = core_alone(cpu, place / "small", SMALL)
            result[cpu]["core, least"] = core_alone(cpu, place / "least", least)
            result[cpu]["ram"] = measure_ram(cpu, place, {})
            result[cpu]["small ram"] = measure_ram(cpu, place, SMALL)
    return result


def beside_others(of_m4):
    ours = {**{row: of_m4[row] for row in ROWS},
            "telemetry": of_m4["rooms"]["telemetry"],
            "mqtt": of_m4["core with mqtt"] - of_m4["core"],
            "wire": of_m4["rooms"]["wire"]}
    return ["| beside others, Cortex-M4 | KB | ours | KB |", "| --- | ---: | --- | ---: |",
            *[f"| {what} | {size} | {row} | {ours[row] / 1000:.1f} |"
              for what, size, row in OTHERS],
            "", "The others were measured once, by us, when the agent was designed.", ""]


def report(result, budgets, switches):
    version = run(COMPILER, "--version").splitlines()[0]
    lines = [
        "# Footprint of the device agent", "",
        "Written by `./dev firmware --footprint`; a test fails when a number is over its budget"
        " (`footprint.json`).", f"`{version}`, `-Os`, every public function linked, in bytes.", "",
        "| flash | " + " | ".join(TARGETS.values()) + " | budget | target |",
        "| --- |" + " ---: |" * (len(TARGETS) + 2)]
    rows = {}
    for row in ROWS:
        cells = [f"{result[cpu][row]:,}" for cpu in TARGETS]
        budget = " / ".join(f"{budgets[row][cpu]:,}" for cpu in TARGETS)
        target = budgets[row].get("target")
        rows[row] = (f"| {row} | {' | '.join(cells)} | {budget} |"
                     f" {f'{target:,}' if target else ''} |")
    lines += [rows["core"], rows["core with mqtt"]]
    for room in ROOMS:
        cells = [f"{result[cpu]['rooms'][room]:,}" for cpu in TARGETS]
        lines.append(f"| of it: {room} | {' | '.join(cells)} | | |")
    lines += [rows[row] for row in ROWS[2:]]
    for row, label in (("library", "libc and libgcc that the core needs (memcpy, ...)"),
                       ("bench only", "not in the core unless called: checks for the bench")):
        cells = [f"{result[cpu][row]:,}" for cpu in TARGETS]
        lines.append(f"| {label} | {' | '.join(cells)} | | |")
    small = ", ".join(f"{name.removeprefix('COVEY_').lower()} {value}"
                      for name, value in SMALL.items())
    lines += ["", f"| RAM, Cortex-M4 | defaults | small | budget (small) | target |",
              "| --- | ---: | ---: | ---: | ---: |"]
    for row in result["cortex-m4"]["ram"]:
        budget = budgets["ram"].get(row)
        limits = f"{budget['small']:,} | {budget.get('target', '')}" if budget else " | "
        lines.append(f"| {row} | {result['cortex-m4']['ram'][row]:,} |"
                     f" {result['cortex-m4']['small ram'][row]:,} | {limits} |")
    lines += ["", f"Small: {small}. Least: small, and without all that a switch below leaves out.", "",
              "The send buffer is scratch inside a call and may be shared with anything that is; the"
              " receive buffer is one flash page or chunk.", "",
              "Largest stack frames (Cortex-M4, callees not included): "
              + ", ".join(f"`{name}` {size}" for size, name in result["cortex-m4"]["stacks"])
              + ".", "",
              "| emulated Cortex-M4, at most (`tests/e2e/firmware` measures it) | budget | target |",
              "| --- | ---: | ---: |",
              *[f"| bytes of stack in use, callers and interrupts included, inside: {what} | {limit['budget']:,} |"
                f" {limit.get('target', '')} |" for what, limit in budgets["stack"].items()],
              *[f"| instructions to record an inference: {what} | {limit['budget']:,} |"
                f" {limit.get('target', '')} |" for what, limit in budgets["instructions"].items()],
              "", *beside_others(result["cortex-m4"]),
              "| core with a switch off or a limit at its least, Cortex-M4 | bytes | saves |",
              "| --- | ---: | ---: |",
              *[f"| {what} | {size:,} | {result['cortex-m4']['core'] - size:,} |"
                for what, size in switches.items()],
              "", "| file of the core | " + " | ".join(TARGETS.values()) + " |",
              "| --- |" + " ---: |" * len(TARGETS)]
    for name in sorted(result["cortex-m4"]["files"],
                       key=lambda key: -result["cortex-m4"]["files"][key]):
        if result["cortex-m4"]["files"][name] == 0:
            continue
        cells = [f"{result[cpu]['files'][name]:,}" for cpu in TARGETS]
        lines.append(f"| {name.removesuffix('.o').replace('-', '/')}.c |"
                     f" {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def over_budget(result, budgets):
    found = []
    for row in ROWS:
        for cpu in TARGETS:
            if result[cpu][row] > budgets[row][cpu]:
                found.append(f"{row} on {TARGETS[cpu]}: {result[cpu][row]} bytes of flash,"
                             f" budget {budgets[row][cpu]}")
    for row, budget in budgets["ram"].items():
        size = result["cortex-m4"]["small ram"][row]
        if size > budget["small"]:
            found.append(f"{row}: {size} bytes of RAM, budget {budget['small']}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="update device_agent/FOOTPRINT.md")
    parser.add_argument("--sizes", action="store_true", help="list functions, the largest first")
    options = parser.parse_args()
    if shutil.which(COMPILER) is None:
        print(f"footprint: no {COMPILER} (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi)")
        return 77
    budgets = json.loads(BUDGETS.read_text())
    result = measure(budgets)
    if options.sizes:
        functions = result["cortex-m4"]["functions"].items()
        for name, size in sorted(functions, key=lambda item: -item[1]):
            print(f"{size:6} {name}")
    if options.write:
        REPORT.write_text(report(result, budgets, measure_switches(budgets["switches"])))
    for cpu, label in TARGETS.items():
        print(f"{label}: {', '.join(f'{row} {result[cpu][row]}' for row in ROWS)},"
              f" library {result[cpu]['library']}; agent {result[cpu]['small ram']}")
    found = over_budget(result, budgets)
    for line in found:
        print(f"OVER BUDGET: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
