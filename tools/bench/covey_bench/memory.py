# SPDX-License-Identifier: Apache-2.0
"""Memory per connected device: the proportional set size of coveyd and of its mosquitto without
devices, with N and with 2 N devices that are accepted, connected and idle."""

import time

from .site import Fleet, pss_bytes, running_site

SETTLED_SHARE = 0.002
SETTLED_LOOKS = 4
SETTLE_LIMIT_S = 20


def settled_pss(site):
    """Once it has stopped moving, so that no start or queue is measured along."""
    broker = site.broker_pid()
    looks = []
    end = time.monotonic() + SETTLE_LIMIT_S
    while time.monotonic() < end:
        looks.append((pss_bytes(site.child.pid), pss_bytes(broker)))
        last = [sum(look) for look in looks[-SETTLED_LOOKS:]]
        if len(last) == SETTLED_LOOKS and max(last) - min(last) <= SETTLED_SHARE * max(last):
            break
        time.sleep(site.settings.look_s / 2)
    return looks[-1]


def slope(points, key):
    """Bytes per device, least squares."""
    xs = [point["devices"] for point in points]
    ys = [point[key] for point in points]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    return round(sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys))
                 / sum((x - x_mean) ** 2 for x in xs))


def measure(settings, console, folder):
    points = []
    with running_site(settings, folder) as (site, fleets):
        for fleet_name in ("", "a", "b"):
            if fleet_name:
                fleet = Fleet(site, fleet_name, settings.devices)
                fleets.append(fleet)
                fleet.start()
                fleet.await_online(console, (len(fleets) - 1) * settings.devices)
            coveyd, broker = settled_pss(site)
            points.append({"devices": len(fleets) * settings.devices,
                           "coveyd_pss_bytes": coveyd, "mosquitto_pss_bytes": broker})
            console.step("{devices} devices: coveyd {coveyd_pss_bytes:,} B, mosquitto "
                         "{mosquitto_pss_bytes:,} B".format(**points[-1]))
    return {"points": points,
            "coveyd_bytes_per_device": slope(points, "coveyd_pss_bytes"),
            "mosquitto_bytes_per_device": slope(points, "mosquitto_pss_bytes")}
