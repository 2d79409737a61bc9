# SPDX-License-Identifier: Apache-2.0
"""One device floods the site with reports: the disk, the totals, the windows stay what they are, and
people are told who it is."""

import struct

import hostile

UNKNOWN_FIELD = 999
MIB = 1 << 20


class Reports(hostile.Case):
    def flood(self, site, reports, more=()):
        """A liar's, each of another release; what an honest device beside it then says is heard."""
        device = self.device(site, "liar-1")
        device.hello().await_hello_answered()
        for i in range(reports):
            device.report(1, prefix=struct.pack("<Q", i + 1), boot_id=1000 + i // 100, more=more)
        device.client.flush()
        honest = self.device(site, "honest-1")
        honest.hello().await_hello_answered()
        return device

    def refused(self, site):
        return site.call("device", "get", "liar-1").get("refusals", [])

    def test_the_disk_of_the_site_is_not_one_devices(self):
        site = self.start()
        before = hostile.tree_bytes(site.data)
        self.flood(site, 3_000, more=((UNKNOWN_FIELD, b"\xff" * 15_000),))
        refusal = hostile.until(lambda: self.refused(site), "its refusals are shown")[0]
        self.assertIn("limits.device_report", refusal["reason"])
        self.assertGreater(site.metric('covey_drops_total{reason="over_budget"}'), 0)
        self.assertLess(hostile.tree_bytes(site.data) - before, 8 * MIB, "45 MB were sent")
        alert = hostile.until(
            lambda: [a for a in site.call("alert", "list").get("alerts", [])
                     if a["kind"] == "OVER_BUDGET"], "the worst is an alert", 60)[0]
        self.assertEqual(alert["devices"], ["liar-1"])
        self.assertTrue(site.ready()[0])

    def test_totals_of_releases_that_nobody_knows_are_few(self):
        site = self.start()
        before = hostile.tree_bytes(site.data)
        self.flood(site, 5_000)
        hostile.until(lambda: self.refused(site), "its refusals are shown")
        self.assertLess(hostile.tree_bytes(site.data) - before, 8 * MIB)
        self.assertEqual(site.call("device", "get", "liar-1").get("totals", []), [])

    def test_windows_of_the_future_open_nothing(self):
        site = self.start()
        device = self.device(site, "liar-1")
        device.hello(uptime_ms=0).await_hello_answered()
        before = hostile.resident_bytes(site.process.pid)
        for i in range(2_000):
            start = (i + 1_000) * 1_800_000
            device.report(i + 1, t0_ms=start, t1_ms=start + 5)
        device.client.flush()
        device.hello().await_hello_answered()
        hostile.until(
            lambda: site.metric('covey_drops_total{reason="report_future"}') > 0, "it is counted")
        self.assertLess(hostile.resident_bytes(site.process.pid) - before, 32 * MIB)


if __name__ == "__main__":
    hostile.main()
