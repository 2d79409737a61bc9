# SPDX-License-Identifier: Apache-2.0
"""What TLS costs, beside the same without it in the same run: handshakes, memory per connection, reports,
a rollout, and a whole fleet that comes back at once."""

import re
import shutil

from . import ingest, memory, rollout, storms
from .site import UNPACED, Fleet, Site, cpu_seconds, running_site

ADDRESS = "127.0.0.1"
HANDSHAKES = ("-tls1_2", "-tls1_3")
COUNTED = re.compile(r"^(\d+) connections in (\d+) real seconds", re.MULTILINE)


class TlsSite(Site):
    """Devices speak TLS; API and HTTP stay on loopback."""

    def _over_tls(self):
        text = self.config_file.read_text()
        text = text.replace("site: {name: bench}", f"site: {{name: bench, names: {ADDRESS}}}")
        if "embedded: {" not in text:
            raise ValueError("the configuration has no embedded broker")
        self.config_file.write_text(text.replace("embedded: {", "embedded: {listen: 0.0.0.0, certificate_port: 0, "))

    def configure(self, bandwidth):
        super().configure(bandwidth)
        self._over_tls()

    def configure_defaults(self):
        super().configure_defaults()
        self._over_tls()

    def start(self, *options):
        super().start(*options)
        if not self.endpoints["devices_over_tls"]:
            raise ValueError("devices do not speak TLS")
        self.endpoints.update(mqtt=f"{ADDRESS}:{self.ports[0]}", enroll=f"{ADDRESS}:{self.ports[1]}")

    def trust(self):
        return ["--tls-ca", self.endpoints["ca_file"]]


KINDS = {"plain": Site, "tls": TlsSite}


def handshakes(settings, console, folder):
    """By version: one after the other by one client, and the broker's share of the processor."""
    figures = {}
    with running_site(settings, folder, kind=TlsSite) as (site, _):
        for version in HANDSHAKES:
            spent = cpu_seconds(site.broker_pid())
            said = settings.run(f"s_time{version}", [
                shutil.which("openssl"), "s_time", "-connect", site.endpoints["mqtt"], "-new", version,
                "-time", str(settings.seconds), "-CAfile", site.endpoints["ca_file"], "-verify", "2"],
                folder, settings.seconds + 30)
            made, seconds = (int(number) for number in COUNTED.search(said).groups())
            spent = cpu_seconds(site.broker_pid()) - spent
            figures[version.removeprefix("-")] = {
                "per_second": made / seconds, "broker_ms_each": 1000 * spent / max(1, made)}
            console.step(f"{version.removeprefix('-')}: {made / seconds:,.0f} handshakes/s, "
                         f"{1000 * spent / max(1, made):.2f} ms of the broker each")
    return figures


def memory_of(settings, console, folder, kind):
    points = []
    with running_site(settings, folder, kind=KINDS[kind]) as (site, fleets):
        for devices in (0, settings.devices):
            if devices:
                fleets.append(Fleet(site, "a", devices, site.trust()))
                fleets[-1].start()
                fleets[-1].await_online(console)
            points.append({"devices": devices, "mosquitto_pss_bytes": memory.settled_pss(site)[1]})
    return memory.slope(points, "mosquitto_pss_bytes")


def returns(settings, console, folder, kind):
    """The broker is killed: until all are back."""
    with running_site(settings, folder, None, KINDS[kind]) as (site, fleets):
        fleet = Fleet(site, "d", settings.devices, (*storms.AT_ONCE, *site.trust()))
        fleets.append(fleet)
        fleet.start()
        fleet.await_online(console)
        costs = storms.Costs(site, fleet)
        return storms.broker_killed(site, fleet, costs, console)


def floods(settings, console, folder, kind):
    folder.mkdir()
    flood = ingest.setups_of(settings)[1:]
    return ingest.through_coveyd(settings, console, folder, flood, KINDS[kind])[0]["flood"]


def rollouts(settings, console, folder, kind):
    return rollout.roll_out(settings, console, folder, settings.devices, UNPACED, kind=KINDS[kind])


def both(what, settings, console, folder, name):
    return {kind: what(settings, console, folder / f"{name}-{kind}", kind) for kind in KINDS}


def measure(settings, console, folder):
    folder.mkdir()
    figures = {"handshakes": handshakes(settings, console, folder / "handshakes")}
    memories = both(memory_of, settings, console, folder, "memory")
    figures["mosquitto_bytes_per_device"] = memories
    console.step("mosquitto per connected device: {plain:,} B plain, {tls:,} B over TLS".format(**memories))
    flood = both(floods, settings, console, folder, "flood")
    figures["flood"] = {**flood, "rate_ratio": flood["tls"]["durable_per_second"] / flood["plain"]["durable_per_second"]}
    console.step("reports over TLS: {rate_ratio:.2f} of plain".format(**figures["flood"]))
    rolled = both(rollouts, settings, console, folder, "rollout")
    figures["rollout"] = {**rolled, "rate_ratio": rolled["plain"]["seconds"] / rolled["tls"]["seconds"]}
    console.step("a rollout over TLS: {rate_ratio:.2f} of plain".format(**figures["rollout"]))
    figures["broker_killed"] = both(returns, settings, console, folder, "killed")
    return figures
