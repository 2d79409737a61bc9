# SPDX-License-Identifier: Apache-2.0
"""Trains, converts and validates every release of the bearing-vibration example.

    python train.py --dataset-program ../../build/dev/bin/covey-bearing-dataset

Writes models/ and the table in README.md. Ends with an error, and writes no table, when a release
is not what its story says (see RELEASES and check)."""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import bearing_model
import bearing_rounding
import bearing_statistics
from bearing_data import MACHINES, Source, Windows

HERE = Path(__file__).resolve().parent
PARAMS_SEED, TRAINING_SEED, VALIDATION_SEED, FIELD_SEED = 101, 102, 103, 104
VALIDATION_PER_MACHINE = 8000
FIELD_PER_MACHINE = 5000  # other devices than any that a model was trained or validated on


@dataclass(frozen=True)
class Release:
    file: str
    version: str
    machines: list[str]  # in its training data and in its validation data
    per_machine: int
    epochs: int
    seed: int
    story: str


RELEASES = [
    Release("bearing-1.0.0", "1.0.0", MACHINES, 500, 20, 1, "little data"),
    Release("bearing-1.1.0", "1.1.0", MACHINES, 12000, 14, 2, "24 times the data"),
    Release("bearing-1.2.0", "1.2.0", ["pump", "fan"], 24000, 14, 3,
            "more data, but the rig had no press"),
    Release("bearing-1.2.0-equal", "1.2.0", MACHINES, 12000, 14, 4, "data of 1.1.0, another seed"),
    Release("bearing-1.3.0", "1.3.0", MACHINES, 40000, 14, 5, "more data of every type"),
]


def build(release: Release, source: Source, field: dict[str, Windows],
          out: Path) -> dict[str, float]:
    """Trains one release, writes its files, returns its accuracy in the field per machine type."""
    training = source.windows(release.machines, TRAINING_SEED, release.per_machine)
    validation = {m: source.windows([m], VALIDATION_SEED, VALIDATION_PER_MACHINE)
                  for m in release.machines}
    tflite = bearing_model.to_int8(
        bearing_model.train(training, release.seed, release.epochs), training)
    outputs = {m: bearing_model.run(tflite, w.features) for m, w in validation.items()}

    first = release.machines[0]
    candidates = validation[first].features
    inputs = bearing_statistics.selftest_inputs(
        candidates, outputs[first], bearing_rounding.is_kernel_independent(tflite, candidates))
    selftest = [{"input": i.tolist(), "output": o.tolist()}
                for i, o in zip(inputs, bearing_model.run(tflite, inputs))]
    stats = bearing_statistics.of_model(release.version, training, validation, outputs, selftest)

    (out / f"{release.file}.tflite").write_bytes(tflite)
    (out / f"{release.file}.stats.json").write_text(as_json(stats))
    result = {m: bearing_statistics.accuracy(bearing_model.run(tflite, w.features), w)
              for m, w in field.items()}
    print(release.file, len(tflite), "bytes", "validation", stats["validation"], "field", result,
          flush=True)
    return result


def as_json(stats: dict) -> str:
    """Indented, but with lists of numbers on one line."""
    text = json.dumps(stats, indent=1)
    return re.sub(r"\[[\s\d,-]+\]", lambda m: re.sub(r"\s+", " ", m[0]), text) + "\n"


def check(field: dict[str, dict[str, float]]) -> list[str]:
    """What is wrong with the releases, if anything."""
    wrong = []

    def expect(holds: bool, what: str) -> None:
        if not holds:
            wrong.append(what)

    first, good, bad = (field[f"bearing-{v}"] for v in ("1.0.0", "1.1.0", "1.2.0"))
    equal, fixed = field["bearing-1.2.0-equal"], field["bearing-1.3.0"]
    for machine in MACHINES:
        expect(good[machine] > first[machine] + 0.03, f"1.1.0 is not clearly better on {machine}")
        expect(fixed[machine] >= good[machine], f"1.3.0 is worse than 1.1.0 on {machine}")
        expect(abs(equal[machine] - good[machine]) <= 0.01, f"1.2.0-equal differs on {machine}")
        if machine != "press":
            expect(bad[machine] >= good[machine] - 0.005, f"1.2.0 is worse on {machine}")
    expect(bad["press"] < good["press"] - 0.2, "1.2.0 is not clearly worse on press")
    return wrong


def write_table(field: dict[str, dict[str, float]]) -> None:
    rows = ["| release | " + " | ".join(MACHINES) + " | made with |",
            "| --- |" + " ---: |" * len(MACHINES) + " --- |"]
    for release in RELEASES:
        cells = " | ".join(f"{100 * field[release.file][m]:.1f} %" for m in MACHINES)
        rows.append(f"| {release.file} | {cells} | {release.story} |")
    readme = HERE / "README.md"
    text = re.sub(r"(<!-- table -->\n).*?(<!-- end -->)",
                  lambda m: m[1] + "\n".join(rows) + "\n" + m[2], readme.read_text(), flags=re.S)
    readme.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset-program", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "models")
    arguments = parser.parse_args()
    bearing_model.use_one_core()
    arguments.out.mkdir(exist_ok=True)
    source = Source(arguments.dataset_program.resolve(), arguments.out / "preprocessing.bin")
    source.write_params(PARAMS_SEED)
    field = {m: source.windows([m], FIELD_SEED, FIELD_PER_MACHINE) for m in MACHINES}
    results = {release.file: build(release, source, field, arguments.out) for release in RELEASES}
    wrong = check(results)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    write_table(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
