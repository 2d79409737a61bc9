# SPDX-License-Identifier: Apache-2.0
"""The site that emulated boards belong to: its configuration, its metrics."""

import urllib.request

from covey_demo.gateway import Gateway

CONFIG = """\
site: {{name: firmware}}
grpc: {{listen: "127.0.0.1:0"}}
http: {{listen: "127.0.0.1:0"}}
mqtt: {{embedded: {{port: {mqtt_port}, enroll_port: {enroll_port}}}}}
telemetry: {{window: 5s, report_interval: 1s}}
offline: {{silence_after: 10s}}
rollout: {{bandwidth_bytes_per_s: {bandwidth}}}
"""


class Failed(Exception):
    pass


class Site(Gateway):
    def configure(self, bandwidth):
        self.config_file.write_text(CONFIG.format(
            mqtt_port=self.ports[0], enroll_port=self.ports[1], bandwidth=bandwidth))

    def metric(self, name):
        url = f"http://{self.endpoints['http']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(float(line.split()[1]))
        raise Failed(f"/metrics has no {name}")
