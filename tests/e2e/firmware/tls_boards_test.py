# SPDX-License-Identifier: Apache-2.0
"""An emulated board that speaks TLS to a real site: tls_boards_test.py DIR-OF-PROGRAMS DIR-OF-IMAGES

From the factory to a release that runs and reports that are acknowledged; and boards that must
refuse: a gateway of another authority, one with another name, a broker that speaks no TLS. Prints
what the handshake costs."""

import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(ROOT / "tools" / "demo"),
                str(ROOT / "tests" / "hostile")]
IMAGES = pathlib.Path(sys.argv.pop(2)).resolve()
IMAGE = IMAGES / "covey-firmware-tls.elf"

import hostile  # noqa: E402  (takes the folder of the programs)
import site_process  # noqa: E402
from emulated_board import Board  # noqa: E402
from authority import Authority  # noqa: E402

SKIPPED = 77
NAME = "gateway.test"
PLAIN = site_process.CONFIG + "telemetry: {report_interval: 1s}\nenroll: {auto_accept: true}\n"
CONFIG = PLAIN + f'site: {{names: "{NAME}, 127.0.0.1"}}\ntls: {{plaintext: never}}\n'
COST = r"tls: (\S+) after (\d+) ms, (\d+) bytes in, (\d+) out, heap (\d+)"
LIMIT_S = 90
PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: first}
spec:
  release: bearing-vibration@1.0.0
  stages: [{name: boards, size: 100%, soak: 1s}]
  gates: [{failures: {max: 0%}}]
  attempt: {deadline: 120s, retries: 0, backoff: 1s}
"""


class TlsBoards(hostile.Case):
    def board(self, site, public, *options, listener="mqtt"):
        board = Board("board-1", IMAGE, self.folder)
        board.provision(ROOT, "--trusted-key", public, "--enroll-token-file",
                        site.endpoints()["enroll_token_file"], "--report-interval-ms", "1000",
                        "--inference-interval-ms", "200", "--probation-inferences", "3", *options)
        at = site.endpoints()
        board.power_on({**at, "mqtt": at[listener]})
        self.addCleanup(board.stop)
        return board

    def says(self, board, pattern):
        return hostile.until(lambda: board.says(pattern), f"the board says {pattern}", LIMIT_S)

    def site_ca(self, site):
        ca = self.folder / "site-ca.pem"
        ca.write_text(site.covey("site", "ca").stdout)
        return ca

    def push(self, site):
        key, public = site.trust_author(self.folder)
        site.call("model", "push", "bearing-vibration@1.0.0",
                  "--artifact", f"mps2-an386={site_process.MODELS / 'bearing-1.0.0.tflite'}",
                  "--stats", site_process.MODELS / "bearing-1.0.0.stats.json",
                  "--preprocessing", site_process.MODELS / "preprocessing.bin",
                  "--preprocessing-id", "1", "--key", key)
        return public

    def runs_a_release(self, site, board):
        self.says(board, "firmware: enrolled")
        cost = self.says(board, COST)[0]
        print("{} {} ms, {} bytes in, {} out, {} of heap".format(*cost.groups()), flush=True)
        self.assertIn("ECDHE-ECDSA", cost[1])
        hostile.until(lambda: site.call("status").get("devices_online") == 1, "it is online", LIMIT_S)
        plan = self.folder / "plan.yaml"
        plan.write_text(PLAN)
        site.call("rollout", "create", "-f", plan)
        hostile.until(lambda: site.call("rollout", "get", "first")["rollout"]["state"] ==
                      "ROLLOUT_STATE_SUCCEEDED", "it runs 1.0.0", LIMIT_S)
        hostile.until(lambda: int(site.call("status").get("inferences", 0)) > 5, "its reports are counted", LIMIT_S)

    def test_from_the_factory_to_a_release(self):
        site = self.start(CONFIG)
        public = self.push(site)
        board = self.board(site, public, "--site-ca", self.site_ca(site), "--gateway-name", NAME)
        self.runs_a_release(site, board)
        device = site.call("device", "get", "board-1")["device"]
        self.assertEqual(len(device["key_fingerprint"]), 64, "its grant was sealed for its own key")
        self.assertEqual(int(device["certificate_until_ms"]), 0)

    def test_by_a_certificate_of_its_own_until_it_is_revoked(self):
        site = self.start(CONFIG)
        public = self.push(site)
        board = self.board(site, public, "--site-ca", self.site_ca(site), "--gateway-name", NAME, "--certificate",
                           listener="certificates")
        self.runs_a_release(site, board)
        device = site.call("device", "get", "board-1")["device"]
        self.assertTrue(int(device["certificate_until_ms"]))
        cost = self.says(board, COST)[-1]  # of a connection by its certificate
        print("by certificate: {} {} ms, {} bytes in, {} out, {} of heap".format(*cost.groups()), flush=True)
        board.cut_power()
        board.power_on(board.endpoints)
        self.says(board, "link: connected\n")
        self.assertEqual(board.says("firmware: enrolled"), [], "key and certificate are in its flash")
        self.assertEqual(site.call("device", "get", "board-1")["device"]["key_fingerprint"],
                         device["key_fingerprint"])
        site.call("device", "reject", "board-1")
        self.says(board, "tls: no connection|link: the broker refuses")
        self.says(board, "link: not known any more")
        hostile.until(lambda: site.call("status").get("devices_online", 0) == 0, "it is out", LIMIT_S)

    def test_another_authority_and_another_name_are_refused(self):
        site = self.start(CONFIG)
        _, public = site.trust_author(self.folder)
        foreign = Authority(self.folder, "foreign").ca
        for ca, name, why in ((foreign, NAME, "of another authority"),
                              (self.site_ca(site), "gateway.elsewhere", "for another name")):
            with self.subTest(why):
                board = self.board(site, public, "--site-ca", ca, "--gateway-name", name)
                self.says(board, f"tls: the gateway's certificate is refused: .*{why}")
                self.assertEqual(board.says("link: connected"), [])
                board.stop()
                board.flash.unlink()
        self.assertEqual(site.call("device", "list").get("devices", []), [])

    def test_a_broker_that_speaks_no_tls_is_refused(self):
        secure, plain = self.start(CONFIG), None
        _, public = secure.trust_author(self.folder)
        ca = self.site_ca(secure)
        self.assertEqual(secure.stop(), 0)
        plain = site_process.Site(hostile.PROGRAMS, self.folder / "plain", PLAIN)
        plain.data.parent.mkdir()
        self.addCleanup(plain.kill)
        plain.start()
        board = self.board(plain, public, "--site-ca", ca, "--gateway-name", NAME)
        self.says(board, "link: no secure connection within|tls: no connection")
        self.assertEqual(plain.call("device", "list").get("devices", []), [])
        self.assertEqual(board.says("link: connected"), [])


if __name__ == "__main__":
    if shutil.which("qemu-system-arm") is None or not IMAGE.exists():
        print(f"SKIPPED: {IMAGE} or qemu-system-arm is missing (./dev firmware makes the image)")
        sys.exit(SKIPPED)
    sys.exit(hostile.main())
