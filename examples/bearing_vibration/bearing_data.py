# SPDX-License-Identifier: Apache-2.0
"""Labelled windows from covey-bearing-dataset, and the parameters that map features to int8."""

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MACHINES = ["pump", "fan", "press"]
CLASSES = ["normal", "outer-race", "inner-race", "unbalance"]
FEATURES = ["rms", "kurtosis", "zero_crossings", "low_band", "high_band", "envelope_crest",
            "impact_period", "impact_strength"]
UNITS_PER_DEVIATION = 32  # one standard deviation is 32 int8 steps, so +-4 deviations fit
SHIFT = 12


@dataclass(frozen=True)
class Windows:
    """Windows of one machine type or of several: int8 features and the true class."""
    features: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Source:
    """The generator program and the preprocessing parameters it is to apply."""
    program: Path
    params: Path

    def _rows(self, machine: str, seed: int, devices: int, windows: int, *more: str) -> bytes:
        command = [str(self.program), "--machine", machine, "--seed", str(seed),
                   "--devices", str(devices), "--windows", str(windows), *more]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    def write_params(self, seed: int) -> None:
        """Derives offset and scale of every feature from reference data of all machine types."""
        raw = np.vstack([
            np.frombuffer(self._rows(machine, seed, 500, 10), "<i4").reshape(-1, 9)[:, :8]
            for machine in MACHINES])
        blob = b"CBVP" + struct.pack("<BBH", 1, len(FEATURES), 0)
        for column in raw.T:
            multiplier = round(UNITS_PER_DEVIATION / column.std() * 2**SHIFT)
            blob += struct.pack("<hHBB", round(column.mean()), multiplier, SHIFT, 0)
        self.params.write_bytes(blob)

    def windows(self, machines: list[str], seed: int, per_machine: int) -> Windows:
        """Ten windows from each of per_machine / 10 different devices of every machine type."""
        rows = np.vstack([
            np.frombuffer(self._rows(machine, seed, per_machine // 10, 10, "--params",
                                     str(self.params)), np.int8).reshape(-1, 9)
            for machine in machines])
        return Windows(rows[:, :8], rows[:, 8].astype(np.int64))
