# SPDX-License-Identifier: Apache-2.0
"""What an update costs a board: chunks, bytes on its serial stream (MQTT included, reports and their
acknowledgements not), seconds. From its log."""

import json
import random
import re

from last_layer import fine_tuned

CHUNK_BYTES = 1024
SINCE_BOOT = (r"([\d.]+) since boot, (\w+): (\d+) chunks fetched, (\d+) copied, "
              r"(\d+) bytes received, (\d+) sent, of them telemetry (\d+) and (\d+)")


class Cost:
    """Of the next update that the board takes without losing power."""

    def __init__(self, board):
        self.board = board
        self.lines_before = len(board.says(SINCE_BOOT))

    def over(self):
        lines = self.board.says(SINCE_BOOT)[self.lines_before:]
        return lines if lines and lines[-1][2] == "CONFIRMED" else None

    def take(self):
        lines = self.over()
        begin, end = lines[0], lines[-1]
        if begin[2] != "DOWNLOADING":
            raise ValueError(f"the update began with {begin[0]}")
        self.fetched, self.copied, received, sent, reports_in, reports_out = (
            int(end[i]) - int(begin[i]) for i in range(3, 9))
        self.received = received - reports_in
        self.sent = sent - reports_out
        self.seconds = float(end[1]) - float(begin[1])
        return self

    def __str__(self):
        return (f"{self.fetched} chunks fetched, {self.copied} copied, {self.received} bytes "
                f"received, {self.sent} sent, {self.seconds:.1f} s from goal to CONFIRMED")


def int8s(raw):
    return [byte - 256 if byte > 127 else byte for byte in raw]


def selftest(test, model_file, inputs=None):
    """Vectors for `covey model push`: what the reference runtime answers on this machine. `inputs`:
    as in a statistics file; None: three random ones."""
    told = test.site.text("model", "inspect", model_file)
    size_in, size_out = (int(re.search(rf"{way} .* (\d+) bytes", told)[1])
                         for way in ("input", "output"))
    raw = random.Random(1).randbytes(3 * size_in) if inputs is None else \
        bytes(value & 0xff for vector in inputs for value in vector)
    in_file, out_file = test.folder / "in.bin", test.folder / "out.bin"
    in_file.write_bytes(raw)
    test.site.text("model", "run", model_file, "--input", in_file, "--output", out_file)
    answers = out_file.read_bytes()
    return [{"input": int8s(raw[i * size_in:(i + 1) * size_in]),
             "output": int8s(answers[i * size_out:(i + 1) * size_out])}
            for i in range(len(raw) // size_in)]


def changed_chunks(old, new, total):
    """At most these: where the models differ, and all behind the model: the self-test's answers."""
    changed = {i // CHUNK_BYTES for i, (a, b) in enumerate(zip(old, new)) if a != b}
    return changed | set(range(len(new) // CHUNK_BYTES, total))


def fine_tune(test, board, model, version, old_file, stats, full, *options):
    """Push and roll out `old_file`, which is confirmed on the board, with another last layer."""
    old = old_file.read_bytes()
    new_file = test.folder / f"{model}-{version}.tflite"
    new_file.write_bytes(fine_tuned(old))
    stats = dict(stats, version=version)
    stats["selftest"] = selftest(test, new_file, [v["input"] for v in stats["selftest"]])
    stats_file = test.folder / f"{model}-{version}.json"
    stats_file.write_text(json.dumps(stats))
    test.push(model, version, new_file, stats_file, *options)
    cost = rolled_out(test, board, model, version)
    total = cost.fetched + cost.copied
    may_travel = changed_chunks(old, new_file.read_bytes(), total)
    test.expect(total == full.fetched + full.copied and 0 < cost.fetched <= len(may_travel),
                f"of {total} chunks only what changed travelled: {cost.fetched}; "
                f"{100 * cost.received / full.received:.0f} % of the bytes")


def rolled_out(test, board, model, version):
    cost = Cost(board)
    rollout = test.roll_out(version, board, model=model)
    test.wait(f"{board.name} has confirmed {model}@{version}", cost.over, 120)
    test.say(f"{model}@{version}: {cost.take()}")
    test.succeeded(rollout)
    return cost
