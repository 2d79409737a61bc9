# SPDX-License-Identifier: Apache-2.0
"""A log that nobody reads, and devices that would write it: nobody waits, and the end comes."""

import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading

import hostile
import liar
import site_process

F_SETPIPE_SZ = 1031
MALFORMED = b"\xff" * 32


class Piped(site_process.Site):
    """Its stderr is the pipe `end`."""

    end = None

    def spawn(self, *options):
        config = self.log_path.with_name("covey.yaml")
        config.write_text(self.config)
        self.process = subprocess.Popen(
            [self.programs / "coveyd", "--data", self.data, "--config", config, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.end,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(site_process.PR_SET_PDEATHSIG,
                                                       signal.SIGKILL))
        return self


class StuckLog(hostile.Case):
    def start_piped(self, config=site_process.CONFIG):
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, F_SETPIPE_SZ, 4096)
        self.addCleanup(os.close, read_end)
        site = Piped(hostile.PROGRAMS, self.folder, config)
        site.end = write_end
        self.addCleanup(site.kill)
        site.start()
        hostile.until(lambda: (site.ready() or [False])[0], "coveyd is ready")
        return site, read_end, write_end

    def flood(self, site):
        """Malformed messages, and a log line's worth of devices that nobody knows."""
        enroller = liar.Enroller(site, "flood-0")
        with enroller.client as client:
            for i in range(5000):
                client.publish("covey/v1/enroll/flood-0/up", MALFORMED)
            client.flush()
        for i in range(60):
            enroller = liar.Enroller(site, f"flood-{i}")
            with enroller.client as client:
                for nonce in range(1, 6):
                    enroller.ask(f"flood-{i}", nonce)
                client.flush()

    def test_nobody_waits_for_who_reads_the_log(self):
        site, _, write_end = self.start_piped()
        self.addCleanup(os.close, write_end)

        def full():
            site.process.send_signal(signal.SIGHUP)  # a line
            return not select.select([], [write_end], [], 0)[1]

        hostile.until(full, "the pipe is full")
        self.flood(site)
        honest = self.device(site, "honest-1")
        honest.hello().await_hello_answered()
        self.assertTrue(site.ready()[0])
        self.assertEqual(site.stop(), 0, "SIGTERM ends it in order")

    def test_the_flood_does_not_write_the_log(self):
        site, read_end, write_end = self.start_piped(
            site_process.CONFIG + "log: {format: json}\n")
        os.close(write_end)
        text = bytearray()

        def read():
            while block := os.read(read_end, 65536):
                text.extend(block)

        reader = threading.Thread(target=read)
        reader.start()
        self.flood(site)
        honest = self.device(site, "honest-1")
        honest.hello().await_hello_answered()
        self.assertEqual(site.stop(), 0)
        reader.join()
        lines = [json.loads(line) for line in text.splitlines()]  # each of them
        self.assertLess(len(lines), 1500)
        self.assertLess(len(text), 400_000)
        self.assertEqual(lines[-1]["event"], "stopped")


if __name__ == "__main__":
    sys.exit(hostile.main())
