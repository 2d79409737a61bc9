# SPDX-License-Identifier: Apache-2.0
"""The people who look at machines: their findings reach the gateway late and in part, through
`covey monitor labels submit`, as long as the demo runs."""

import threading

from .gateway import MODEL
from .processes import DemoError
from .fleet import Control

FRACTION = "75%"
DELAY = "2s"
EVERY_S = 0.7
RECORDS_MAX = 8000


class Labeller:
    def __init__(self, gateway, fleet):
        self.gateway = gateway
        self.fleet = fleet
        # --sabotage regression: the device's own answers come back as if they were findings.
        self.echo_predictions = False
        self.submitted = 0
        self.matched = 0
        self.problem = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="labels", daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join(60)

    def _run(self):
        control = Control(self.fleet.socket_path)
        cursor = 0
        while not self.stopping.wait(EVERY_S):
            try:
                answer = control("labels", fraction=FRACTION, since=cursor, delay=DELAY,
                                 limit=RECORDS_MAX)
                if answer["records"]:
                    self._submit(answer["records"], cursor, answer["next"])
                cursor = answer["next"]
                self.problem = None
            except DemoError as error:  # coveyd is being restarted: the same labels again
                self.problem = str(error)
        control.close()

    def _submit(self, records, start, end):
        predicted = self._predictions(start, end) if self.echo_predictions else {}
        lines = []
        for r in records:
            key = (r["device"], r["boot"], r["inference"])
            lines.append(f"{r['device']},{r['boot']},{r['inference']},"
                         f"{predicted.get(key, r['class'])}")
        done = self.gateway.call("monitor", "labels", "submit", "-", "--model", MODEL,
                                 stdin="\n".join(lines) + "\n")
        self.submitted += len(lines)
        self.matched += int(done.get("matched", 0))

    def _predictions(self, start, end):
        found = {}
        with open(self.fleet.state / "truth.csv", "rb") as truth:
            truth.seek(start)
            for line in truth.read(end - start).decode().splitlines():
                cells = line.split(",")
                if len(cells) == 11 and cells[0] == "i":
                    found[(cells[2], cells[3], int(cells[4]))] = cells[9]
        return found
