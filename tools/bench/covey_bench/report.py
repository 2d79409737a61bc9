# SPDX-License-Identifier: Apache-2.0
"""The figures as a table for people. The JSON has more of them."""

MEBI = 1 << 20


def rows_of(observed):
    """(part, figure, value) of the parts that were measured."""
    if "agent" in observed:
        for name in ("agent", "mqtt_client", "reference_runtime"):
            sizes = observed["agent"][name]
            yield "agent", f"{name}: text, data, bss", " / ".join(
                f"{sizes[key]:,} B" for key in ("text_bytes", "data_bytes", "bss_bytes"))
    if "ingest" in observed:
        for name in ("steady", "flood"):
            yield from ingest_rows(name, observed["ingest"][name])
    if "memory" in observed:
        m = observed["memory"]
        yield "memory", "coveyd per connected device", f"{m['coveyd_bytes_per_device']:,} B"
        yield "memory", "mosquitto per connected device", f"{m['mosquitto_bytes_per_device']:,} B"
        for point in m["points"]:
            yield "memory", f"{point['devices']:,} devices: coveyd, mosquitto", (
                f"{point['coveyd_pss_bytes'] / MEBI:.1f} MiB, "
                f"{point['mosquitto_pss_bytes'] / MEBI:.1f} MiB")
    if "rollout" in observed:
        yield from rollout_rows(observed["rollout"])
    if "load" in observed:
        for point in observed["load"]["points"]:
            yield from load_rows(point)
    for point in observed.get("receipts", []):
        yield from receipt_rows(point)
    if "tls" in observed:
        yield from tls_rows(observed["tls"])
    for name, storm in observed.get("storms", {}).items():
        yield from storm_rows(name.replace("_", " "), storm)


def tls_rows(t):
    for version, made in t["handshakes"].items():
        yield "tls", f"{version}: handshakes/s of one client, broker's time each", (
            f"{made['per_second']:,.0f}, {made['broker_ms_each']:.2f} ms")
    yield "tls", "mosquitto per connected device: plain, TLS", (
        "{plain:,} B, {tls:,} B".format(**t["mosquitto_bytes_per_device"]))
    flood = t["flood"]
    yield "tls", "durable reports/s: plain, TLS, ratio", (
        f"{flood['plain']['durable_per_second']:,.0f}, {flood['tls']['durable_per_second']:,.0f}, "
        f"{flood['rate_ratio']:.2f}")
    rolled = t["rollout"]
    yield "tls", f"rollout to {rolled['tls']['devices']:,} devices: plain, TLS, ratio", (
        f"{rolled['plain']['seconds']:.1f} s, {rolled['tls']['seconds']:.1f} s, {rolled['rate_ratio']:.2f}")
    for kind, storm in t["broker_killed"].items():
        yield "tls", f"broker killed, {storm['devices']:,} devices, {kind}: all online, sessions each", (
            f"{storm['seconds']:.1f} s, {storm['sessions_per_device']:.2f}")


def ingest_rows(name, both):
    coveyd, bare = both["coveyd"], both["bare"]
    part = f"ingest: {name}"
    pace = f"{coveyd['rate_per_device']:g}/s each" if coveyd["rate_per_device"] else "all they can"
    yield part, f"{coveyd['devices']:,} devices, {pace}: durable reports/s", (
        f"{coveyd['durable_per_second']:,.0f}, bare loop {bare['durable_per_second']:,.0f}")
    yield part, "coveyd / bare loop", (f"{both['rate_ratio']:.2f} of the rate, "
                                       f"{both['processor_ratio']:.1f} times the processor time")
    for process, figures in (("coveyd", coveyd), ("bare", bare)):
        costs = figures["processor"]
        yield part, f"processor time per report: {process}, mosquitto, generator", ", ".join(
            f"{costs[each]['us_per_report']:.1f} us" for each in (process, "mosquitto", "generator"))
    yield part, "acknowledgement p50, p99", (f"{coveyd['acknowledgement_p50_ms']:.0f} ms, "
                                             f"{coveyd['acknowledgement_p99_ms']:.0f} ms")


def rollout_rows(r):
    yield "rollout", f"{r['model_bytes']:,} B to {r['devices']:,} devices", f"{r['seconds']:.1f} s"
    yield "rollout", "devices per minute", f"{r['devices_per_minute']:,.0f}"
    yield "rollout", "device confirmed, p50, p99", (f"{r['confirmed_p50_s']:.1f} s, "
                                                    f"{r['confirmed_p99_s']:.1f} s")
    yield "rollout", "chunks per second", f"{r['chunks_per_second']:,.0f}"
    yield "rollout", "bytes to and from a device", (f"{r['bytes_to_device']:,.0f} B, "
                                                    f"{r['bytes_from_device']:,.0f} B")
    yield "rollout", "CPU: coveyd, mosquitto, covey-sim", ", ".join(
        f"{r['cpu_seconds'][name]:.1f} s" for name in ("coveyd", "mosquitto", "covey_sim"))
    yield "rollout", "the same bytes, plain subscribers", f"{r['floor']['seconds']:.1f} s"
    yield "rollout", "rollout / plain", f"{r['ratio_to_floor']:.2f}"


def load_rows(point):
    rate = point["offer_rate"]
    pace = "defaults" if rate is None else f"{rate:,} offers/s"
    yield "load", f"{point['devices']:,} devices, {pace}: confirmed/s, chunks per needed, seconds", (
        f"{point['confirmed_per_second']:.0f}, {point['chunks_per_needed']:.3f}, {point['seconds']:.1f}")
    yield "load", *cpu_row(point)
    if point.get("bystanders"):
        yield from beside_rows(point["bystanders"])


def cpu_row(point):
    return "CPU: coveyd, mosquitto, covey-sim", ", ".join(
        f"{point['cpu_seconds'][name]:.1f} s" for name in ("coveyd", "mosquitto", "covey_sim"))


def beside_rows(beside):
    yield "load", "  of others: reports acknowledged, p50, p99, worst", (
        f"{beside['reports']}, {beside['acknowledged_p50_s']:.2f} s, "
        f"{beside['acknowledged_p99_s']:.2f} s, {beside['acknowledged_max_s']:.2f} s")
    yield "load", "  of others: API calls, p99", f"{beside['api_calls']}, " + ", ".join(
        f"{name} {ms:.0f} ms" for name, ms in beside["api_p99_ms"].items())
    yield "load", "  not ready", f"{len(beside['ready_bad'])} of {beside['ready_looks']} looks"


def receipt_rows(point):
    pace = "defaults" if point["offer_rate"] is None else f"{point['offer_rate']:,} offers/s"
    yield "receipts", f"{point['received']:,} goals of {point['devices']:,} devices, {pace}: p50, p99", (
        f"{point['p50_s']:.2f} s, {point['p99_s']:.2f} s")
    yield "receipts", *cpu_row(point)


def storm_rows(name, storm):
    yield "storms", f"{name}, {storm['devices']:,} devices: all online, sessions each", (
        f"{storm['seconds']:.1f} s, {storm['sessions_per_device']:.2f}")
    yield "storms", *cpu_row(storm)


def print_table(console, observed):
    rows = list(rows_of(observed))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    console.line()
    machine = observed["machine"]
    console.line("{cores} cores, {processor}, {kernel}, data on {data_filesystem}, load "
                 "{load_at_start:.1f} to {load_at_end:.1f}".format(**machine)
                 + (" (--quick: no measurement)" if observed["quick"] else ""))
    before = ""
    for part, figure, value in rows:
        shown = part if part != before else ""
        console.line(f"  {shown:{widths[0]}}  {figure:{widths[1]}}  {value}")
        before = part
    for part, error in observed["errors"].items():
        console.line(f"  {part:{widths[0]}}  FAILED: {error}")
