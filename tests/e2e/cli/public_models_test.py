# SPDX-License-Identifier: Apache-2.0
"""`covey model run` on trained models of others: public_models_test.py COVEY

The models are those that the Rust crate microflow ships: TensorFlow Lite Micro's examples for
person detection (visual wake words, MobileNetV1 0.25) and keywords. Skipped where cargo does not
get the crate. The outputs are those of TensorFlow Lite Micro's reference kernels, as in
tests/vectors/tflite_outputs.py."""

import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
CRATE = 'microflow = "=0.1.3"'
FETCH_S = 180
RUN_S = 60
MODELS = [
    ("person_detect.tflite", 96 * 96,
     "808cfdfc0cf3a6fa6f6fa26bfa379ea97c16d5db7334637766e39c3408502e9d",
     "738d 58a8 6a96 6997 6b95 6b95 6f91 7090"),
    ("speech.tflite", 49 * 40,
     "09e5e2a9dfb2d8ed78802bf18ce297bff54281a66ca18e0c23d69ca14f822a83",
     "8088a850 80f7ed9c 80ac4093 80929658 80828a74 808b38bd 80a98354 80827886"),
]


def lcg_bytes(seed, count):
    values = bytearray()
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(seed >> 24)
    return bytes(values)


def fetch(folder):
    """Why there are no models, or None; then they are in the folder returned second."""
    if shutil.which("cargo") is None:
        return "cargo is not installed", None
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").touch()
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n{CRATE}\n',
        encoding="utf-8")
    try:
        done = subprocess.run(["cargo", "vendor", "--quiet", "vendored"], cwd=folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired:
        return f"cargo did not get {CRATE} within {FETCH_S} s", None
    if done.returncode != 0:
        why = done.stderr.strip().splitlines() or ["no reason given"]
        return f"cargo does not get {CRATE}: {why[0]}", None
    return None, folder / "vendored" / "microflow" / "models"


def check(covey, model, folder, size, digest, expected):
    assert hashlib.sha256(model.read_bytes()).hexdigest() == digest, f"{model.name} is another file"
    outputs = [bytes.fromhex(output) for output in expected.split()]
    given = folder / "in.bin"
    got = folder / "out.bin"
    given.write_bytes(b"".join(lcg_bytes(seed + 1, size) for seed in range(len(outputs))))
    subprocess.run([covey, "model", "run", model, "--input", given, "--output", got],
                   stdin=subprocess.DEVNULL, timeout=RUN_S, check=True)
    assert got.read_bytes() == b"".join(outputs), f"{model.name}: {got.read_bytes().hex()}"
    print(f"{model.name}: {len(outputs)} outputs are equal")


def main():
    covey = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="covey-models-") as name:
        folder = pathlib.Path(name)
        why, models = fetch(folder)
        if why is not None:
            print(why)
            return SKIPPED
        for file, size, digest, expected in MODELS:
            check(covey, models / file, folder, size, digest, expected)
    return 0


if __name__ == "__main__":
    sys.exit(main())
