# SPDX-License-Identifier: Apache-2.0
"""What the person at the terminal sees: acts, steps, bars and findings, always with the time."""

import shutil
import sys
import threading
import time

BAR_CELLS = 24
PLAIN_LINE_EVERY_S = 4.0


class Console:
    """Bars are redrawn in place on a terminal, and repeated now and then elsewhere."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty()
        self.start = time.monotonic()
        self.lock = threading.Lock()
        self.bar_shown = False
        self.bar_text = ""
        self.bar_printed_at = 0.0

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.terminal else text

    def elapsed(self):
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def line(self, text=""):
        with self.lock:
            self._clear_bar()
            print(text, file=self.stream, flush=True)

    def act(self, number, title):
        self.line()
        self.line(self.paint("1", f"== Act {number}: {title}"))

    def step(self, text):
        self.line(f"  [{self.elapsed()}] {text}")

    def detail(self, text):
        for part in text.splitlines():
            self.line(f"           {part}")

    def check(self, text, good):
        mark = self.paint("32", "ok  ") if good else self.paint("31", "FAIL")
        self.line(f"  [{self.elapsed()}] {mark} {text}")

    def bar(self, done, total, text):
        """`done` of `total`; text says of what."""
        total = max(total, 1)
        done = min(max(done, 0), total)
        cells = BAR_CELLS * done // total
        drawn = "#" * cells + "." * (BAR_CELLS - cells)
        shown = f"  [{self.elapsed()}] [{drawn}] {text}"
        with self.lock:
            now = time.monotonic()
            if self.terminal:
                width = shutil.get_terminal_size().columns - 1
                self.stream.write("\r\x1b[K" + shown[:width])
                self.stream.flush()
                self.bar_shown = True
            elif text != self.bar_text and now - self.bar_printed_at >= PLAIN_LINE_EVERY_S:
                print(shown, file=self.stream, flush=True)
                self.bar_printed_at = now
                self.bar_text = text

    def _clear_bar(self):
        if self.bar_shown:
            self.stream.write("\r\x1b[K")
            self.bar_shown = False
