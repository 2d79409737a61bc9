# SPDX-License-Identifier: Apache-2.0
"""From the factory to the first report: a model that each device gets by itself once it is in."""

import hostile

PLAN = """\
apiVersion: covey/v1
kind: Rollout
metadata: {name: first}
spec:
  release: bearing-vibration@1.0.0
  target: 'class = "m4f-256k"'
  stages: [{name: fleet, size: 100%, soak: 1s}]
  gates: [{failures: {max: 10%}}]
  attempt: {deadline: 100s, retries: 3, backoff: 1s}
"""


class FirstModel:
    def __init__(self, case, site):
        self.case, self.site = case, site
        key, public = site.trust_author(case.folder)
        site.push_example(key)
        self.options = ["--trusted-key", public]  # of covey-sim
        self.is_out = False

    def state(self, device):
        """Without DEVICE_STATE_; None: nobody knows it."""
        got = self.site.covey("device", "get", device, "-o", "json")
        return self.site.call("device", "get", device)["device"]["state"][13:] if got.returncode == 0 else None

    def inferences(self, device):
        return int(self.site.call("device", "get", device)["device"].get("inferences", 0))

    def await_report(self, device):
        hostile.until(lambda: self.state(device) == "ACCEPTED", f"{device} is accepted")
        if not self.is_out:
            hostile.until(lambda: self.site.call("device", "get", device)["device"].get("online"), f"{device} is online")
            plan = self.case.folder / "first.yaml"
            plan.write_text(PLAN)
            self.site.call("rollout", "create", "-f", plan)
            self.is_out = True
        hostile.until(lambda: self.inferences(device) > 0, f"{device} reports")
