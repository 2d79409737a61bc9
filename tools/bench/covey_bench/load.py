# SPDX-License-Identifier: Apache-2.0
"""What becomes of throughput as more is offered: rollouts to more and more devices without pacing,
to the largest fleet at the defaults, and to one fleet at offer rates from far below to far above
what the machine can do. A curve that flattens is good, one that falls is congestion."""

from .rollout import roll_out
from .site import UNPACED

FLEETS = (500, 1_000, 2_000, 5_000, 10_000)
RATES = (10, 30, 100, 300, 1_000, UNPACED)
RATES_FLEET = 1_000
QUICK_FLEETS, QUICK_RATES, QUICK_RATES_FLEET = (10, 20), (100, UNPACED), 20
# So seldom that covey-sim's own inferences are not what is measured; one proves a model.
SELDOM = ("--inference-interval", "5s")


def measure(settings, console, folder):
    folder.mkdir()
    fleets = QUICK_FLEETS if settings.quick else FLEETS
    rates = QUICK_RATES if settings.quick else RATES
    points = [(devices, UNPACED) for devices in fleets]
    points.append((fleets[-1], None))
    points += [(QUICK_RATES_FLEET if settings.quick else RATES_FLEET, rate) for rate in rates]
    observed = []
    for devices, rate in points:
        pace = "the defaults" if rate is None else f"{rate} offers a second"
        console.step(f"Load: {devices} devices, {pace}")
        figures = roll_out(settings, console, folder / str(len(observed)), devices, rate, SELDOM,
                           watched=devices == fleets[-1])
        observed.append({"offer_rate": rate, **{name: figures[name] for name in (
            "devices", "seconds", "chunks", "chunks_of_model", "chunks_per_needed",
            "confirmed_p50_s", "confirmed_p99_s", "dropped", "connections_lost", "cpu_seconds", "enrol_seconds",
            "bystanders")}})
        observed[-1]["confirmed_per_second"] = devices / figures["seconds"]
    return {"points": observed}
