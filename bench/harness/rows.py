"""The eleven rows of the table: each measures one figure and says whether it is within its limit."""

import socket
import statistics
import time
from dataclasses import dataclass, field

from .lab import Lab, Target
from .process import BenchError

MIB = 1 << 20
REQUEST_BYTES = 1024
LARGE_REQUEST_BYTES = 10 * 1024
CONNECTIONS = 32
STREAMS = 64
STREAM_MS = 200  # 100 events 2 ms apart
HELD_REQUESTS = 1500
HELD_BYTES = 150 * 1024
SLOW_STREAMS = 5000
SLOW_EVENTS = 12
SLOW_RAMP_MS = 2000
SLOW_GAP_LIMIT_US = 1_500_000  # events come every second; half a second more is a stall
READY_STARTS = 11
TAIL_RUNS = 3  # a second's p99 at one connection is the machine's as much as the program's: the middle one counts


@dataclass
class Check:
    """A figure and its limit. `value` None: not measured, there is no gateway binary."""

    label: str
    value: float | None
    limit: float
    unit: str = "x"

    def passed(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit

    def figure(self) -> str:
        return "-" if self.value is None else number(self.value, self.unit)

    def at_most(self) -> str:
        return number(self.limit, self.unit)


@dataclass
class Row:
    name: str
    what: str
    checks: list[Check]
    gateway: str = "-"
    reference: str = "-"
    notes: list[str] = field(default_factory=list)


def number(value: float, unit: str) -> str:
    digits = 2 if unit == "x" else 1 if value < 1000 else 0
    return f"{value:.{digits}f} {'×' if unit == 'x' else unit}"


def median_and_spread(values: list[float], unit: str) -> str:
    return f"{number(statistics.median(values), unit)} [{min(values):.1f}..{max(values):.1f}]"


class Samples:
    """Figures by proxy, one a round."""

    def __init__(self):
        self.by_name: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        self.by_name.setdefault(name, []).append(value)

    def text(self, name: str, unit: str) -> str:
        return median_and_spread(self.by_name[name], unit) if name in self.by_name else "-"

    def ratio(self, name: str, base: str) -> float | None:
        """Median of the ratios of each round: what the machine did to a round, it did to both."""
        if name not in self.by_name:
            return None
        return statistics.median(a / b for a, b in zip(self.by_name[name], self.by_name[base]))

    def difference(self, name: str, base: str) -> float | None:
        """Median of the differences of each round."""
        if name not in self.by_name:
            return None
        return statistics.median(a - b for a, b in zip(self.by_name[name], self.by_name[base]))

    def median(self, name: str) -> float | None:
        return statistics.median(self.by_name[name]) if name in self.by_name else None


def interleaved(lab: Lab, targets: list, measure) -> None:
    """Rounds of one run each of what `measure` takes; who goes first changes from round to round."""
    for turn in range(lab.options.rounds):
        shift = turn % len(targets)
        for target in targets[shift:] + targets[:shift]:
            measure(target)


def cpu_of_json(lab: Lab, row: str, kind: str, body_bytes: int) -> tuple[Samples, Samples]:
    cost, busy = Samples(), Samples()

    def measure(target: Target) -> None:
        result = lab.calm_load(target, kind, ["--connections", CONNECTIONS, "--body-bytes", body_bytes,
                                              "--warmup-seconds", 0.3, "--seconds", lab.options.seconds], row)
        cost.add(target.name, result["cpu_us_per_request"])
        busy.add(target.name, result["cpu_busy"] * 100)

    interleaved(lab, lab.all_proxies(), measure)
    return cost, busy


def cpu_row(lab: Lab, name: str, what: str, kind: str, body_bytes: int, base: str, limit: float) -> Row:
    cost, busy = cpu_of_json(lab, name, kind, body_bytes)
    row = Row(name, what, [Check(f"ratio to {base}", cost.ratio("gateway", base), limit)])
    row.gateway = cost.text("gateway", "µs")
    row.reference = f"{base} {cost.text(base, 'µs')}"
    other = "haproxy" if base == "nginx" else "nginx"
    row.notes.append(f"CPU a request; {other} {cost.text(other, 'µs')}")
    row.notes.append("CPU busy: " + ", ".join(f"{one} {busy.median(one):.0f} %" for one in busy.by_name))
    return row


def cpu_1k(lab: Lab) -> Row:
    what = f"CPU a request, 1 KB JSON answer, {CONNECTIONS} connections"
    return cpu_row(lab, "cpu-1k", what, "plain", REQUEST_BYTES, "nginx", 0.90)


def cpu_10k(lab: Lab) -> Row:
    return cpu_row(lab, "cpu-10k", "the same, 10 KB request body", "plain", LARGE_REQUEST_BYTES, "nginx", 0.95)


def cpu_tls(lab: Lab) -> Row:
    return cpu_row(lab, "cpu-tls", "the same with TLS upstream", "tls", REQUEST_BYTES, "haproxy", 1.0)


def stream_runs(lab: Lab) -> dict[str, Samples]:
    """Both stream rows read the same runs."""
    if "streams" in lab.shared:
        return lab.shared["streams"]
    samples = {key: Samples() for key in ("cpu", "first", "first_return", "delay")}

    def measure(target: Target) -> None:
        result = lab.calm_load(target, "stream", ["--stream", "--connections", STREAMS, "--ramp-ms", STREAM_MS,
                                                  "--warmup-requests", STREAMS, "--seconds", lab.options.seconds],
                               "stream")
        samples["cpu"].add(target.name, result["cpu_us_per_request"])
        samples["first"].add(target.name, result["first_event_added_us"]["p99"])
        samples["first_return"].add(target.name, result["first_event_delay_us"]["p99"])
        samples["delay"].add(target.name, result["event_delay_us"]["p50"])

    interleaved(lab, [lab.direct(), *lab.all_proxies()], measure)
    lab.shared["streams"] = samples
    return samples


def cpu_stream(lab: Lab) -> Row:
    cost = stream_runs(lab)["cpu"]
    row = Row("cpu-stream", f"CPU a stream, 100 events 2 ms apart, {STREAMS} streams",
              [Check("ratio to nginx", cost.ratio("gateway", "nginx"), 1.0)])
    row.gateway = cost.text("gateway", "µs")
    row.reference = f"nginx {cost.text('nginx', 'µs')}"
    row.notes.append(f"haproxy {cost.text('haproxy', 'µs')}; delay of an event over its sending, p50: " + ", ".join(
        f"{name} {stream_runs(lab)['delay'].median(name):.0f} µs" for name in cost.by_name))
    return row


def first_byte(lab: Lab) -> Row:
    samples = stream_runs(lab)
    first, back = samples["first"], samples["first_return"]
    added = first.difference("gateway", "direct")
    row = Row("first-byte", f"time to first byte of a stream over the upstream's, p99, {STREAMS} streams",
              [Check("added p99", added, 150, "µs")])
    row.gateway = first.text("gateway", "µs")
    row.reference = f"direct {first.text('direct', 'µs')}, nginx {first.text('nginx', 'µs')}"
    row.notes.append("p99 of the time from request to first event less the upstream's own; the way back alone: " +
                     ", ".join(f"{name} {back.median(name):.0f} µs" for name in back.by_name))
    return row


def added_latency(lab: Lab) -> Row:
    points = {"p50": Samples(), "p99": Samples()}

    def measure(target: Target) -> None:
        result = lab.calm_load(target, "plain", ["--connections", 1, "--warmup-seconds", 0.2, "--seconds",
                                                 lab.options.seconds], "latency")
        for point, samples in points.items():
            samples.add(target.name, result["latency_us"][point])

    interleaved(lab, [lab.direct(), *lab.all_proxies()], measure)
    row = Row("latency", "added latency at 1 connection", [])
    for point, samples in points.items():
        added = {name: samples.difference(name, "direct") for name in samples.by_name if name != "direct"}
        if added["nginx"] <= 0:
            raise BenchError("nginx adds no latency: the machine is too busy to tell")
        ratio = added["gateway"] / added["nginx"] if "gateway" in added else None
        row.checks.append(Check(f"{point} ratio to nginx", ratio, 1.0))
        whole = ", ".join(f"{name} {samples.text(name, 'µs')}" for name in samples.by_name)
        row.notes.append(f"{point}, whole way: {whole}")
        row.gateway = ("" if row.gateway == "-" else row.gateway + " / ") + (
            f"{added['gateway']:.1f} µs" if "gateway" in added else "")
        row.reference = ("nginx " if row.reference == "-" else row.reference + " / ") + f"{added['nginx']:.1f} µs"
    row.gateway = row.gateway if "gateway" in added else "-"
    return row


def idle_memory(lab: Lab) -> Row:
    memory = {}
    for name, start in starters(lab).items():
        target = start()
        time.sleep(1)
        memory[name] = target.server.memory()
        target.server.stop()
    ours = memory.get("gateway")
    row = Row("idle-memory", "idle memory, 2,000 models configured",
              [Check("RSS", ours["rss"] / MIB if ours else None, 15, "MiB")])
    texts = {name: f"RSS {one['rss'] / MIB:.1f} MiB, PSS {one['pss'] / MIB:.1f} MiB" for name, one in memory.items()}
    row.gateway, row.reference = texts.get("gateway", "-"), f"nginx {texts['nginx']}"
    return row


def starters(lab: Lab, upstreams=None) -> dict:
    result = {"nginx": lambda: lab.start_nginx(upstreams)}
    if lab.has_gateway():
        result["gateway"] = lambda: lab.start_gateway(upstreams)
    return result


def held_requests(lab: Lab, start, canned) -> dict[str, float]:
    target = start()
    time.sleep(1)
    idle = target.server.memory()["rss"]
    result = lab.load(target, "held", ["--connections", HELD_REQUESTS, "--requests", HELD_REQUESTS, "--body-bytes",
                                       HELD_BYTES], "peak-memory")
    finished = time.monotonic()
    if result["sent_at_first_answer"] != HELD_REQUESTS:
        sent = result["sent_at_first_answer"]
        raise BenchError(f"peak-memory: only {sent} of {HELD_REQUESTS} requests were in flight")
    peak = target.server.memory()["peak"]
    while (after := target.server.memory()["rss"]) > idle + 20 * MIB and time.monotonic() < finished + 30:
        time.sleep(0.25)
    seconds = time.monotonic() - finished
    target.server.stop()
    held = lab.canned_stats(canned)["answering_peak"]
    if held != HELD_REQUESTS:
        raise BenchError(f"peak-memory: the upstream held {held} of {HELD_REQUESTS} requests at one time")
    return {"idle": idle, "peak": peak, "after": after, "seconds": seconds,
            "ratio": (peak - idle) / (HELD_REQUESTS * HELD_BYTES)}


def peak_memory(lab: Lab) -> Row:
    found = {}
    for name in starters(lab):
        canned, ports = lab.start_canned(["held"])
        found[name] = held_requests(lab, starters(lab, lab.upstreams | ports)[name], canned)
    ours = found.get("gateway")
    texts = {name: f"idle {one['idle'] / MIB:.1f}, peak {one['peak'] / MIB:.0f} MiB ({one['ratio']:.2f} × payload), "
                   f"{one['after'] / MIB:.1f} MiB {one['seconds']:.1f} s later" for name, one in found.items()}
    row = Row("peak-memory", "peak memory, 1,500 concurrent 150 KB requests", [
        Check("peak - idle, of the payload in flight", ours["ratio"] if ours else None, 1.5),
        Check("over idle within 30 s", (ours["after"] - ours["idle"]) / MIB if ours else None, 20, "MiB")])
    row.gateway, row.reference = texts.get("gateway", "-"), f"nginx {texts['nginx']}"
    payload = HELD_REQUESTS * HELD_BYTES / MIB
    row.notes.append(f"payload {payload:.0f} MiB, all of it at the upstream before the first answer")
    return row


def slow_streams(lab: Lab) -> Row:
    found = {}
    for name, start in starters(lab).items():
        target = start()
        result = lab.load(target, "slow", ["--stream", "--connections", SLOW_STREAMS, "--requests", SLOW_STREAMS,
                                           "--ramp-ms", SLOW_RAMP_MS, "--expect-chunks", SLOW_EVENTS, "--stall-ms",
                                           5000], "slow-streams")
        if result["in_flight_peak"] != SLOW_STREAMS:
            raise BenchError(f"slow-streams: {result['in_flight_peak']} streams at one time, not {SLOW_STREAMS}")
        found[name] = (target.server.memory()["peak"] / MIB, result)
        target.server.stop()
    ours = found.get("gateway")
    row = Row("slow-streams", "5,000 concurrent slow streams", [
        Check("peak RSS", ours[0] if ours else None, 120, "MiB"),
        Check("longest gap between events 1 s apart", ours[1]["event_gap_us"]["max"] / 1e3 if ours else None,
              SLOW_GAP_LIMIT_US / 1e3, "ms")])
    texts = {name: f"{peak:.1f} MiB, {result['requests']} streams, {result['errors']} errors, longest gap "
                   f"{result['event_gap_us']['max'] / 1e3:.0f} ms" for name, (peak, result) in found.items()}
    row.gateway, row.reference = texts.get("gateway", "-"), f"nginx {texts['nginx']}"
    return row


def ready_ms(target: Target) -> float:
    """From before fork to an answer of 200, asked for every millisecond."""
    port, path = target.ports["plain"], target.ready or "/"
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    while time.monotonic() < target.server.started + 15:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(request)
                if connection.recv(64).startswith(b"HTTP/1.1 200"):
                    return (time.monotonic() - target.server.started) * 1e3
        except OSError:
            pass
        if not target.server.alive():
            break
        time.sleep(0.001)
    raise BenchError(f"ready: {target.name} did not become ready:\n{target.server.log_tail()}")


def exec_to_ready(lab: Lab) -> Row:
    samples = Samples()
    start = {"nginx": lambda: lab.start_nginx(guarded=False, wait=False)}
    if lab.has_gateway():
        start["gateway"] = lambda: lab.start_gateway(guarded=False, wait=False)
    for _ in range(READY_STARTS):
        for name, one in start.items():
            target = one()
            samples.add(name, ready_ms(target))
            target.server.stop()
    row = Row("ready", "exec to ready, 2,000 models", [Check("median", samples.median("gateway"), 50, "ms")])
    row.gateway, row.reference = samples.text("gateway", "ms"), f"nginx {samples.text('nginx', 'ms')}"
    return row


def governed(lab: Lab) -> Row:
    """The gateway with and without governing, beside nginx."""
    row = Row("governed", "three levels of limits, budgets, price and ledger", [])
    if not lab.has_gateway():
        row.checks = [Check("CPU ratio to ungoverned", None, 1.10), Check("added p99", None, 15, "µs")]
        return row
    targets = [lab.start_nginx(), lab.start_gateway(governed=False, name="ungoverned"),
               lab.start_gateway(governed=True, name="governed")]
    cost, latency = Samples(), Samples()

    def measure(target: Target) -> None:
        result = lab.calm_load(target, "plain", ["--connections", CONNECTIONS, "--body-bytes", REQUEST_BYTES,
                                                 "--warmup-seconds", 0.3, "--seconds", lab.options.seconds], "governed")
        cost.add(target.name, result["cpu_us_per_request"])
        tails = [lab.calm_load(target, "plain", ["--connections", 1, "--warmup-seconds", 0.2, "--seconds",
                                                 lab.options.seconds], "governed")["latency_us"]["p99"]
                 for _ in range(TAIL_RUNS)]
        latency.add(target.name, statistics.median(tails))

    interleaved(lab, targets, measure)
    added = latency.difference("governed", "ungoverned")
    row.checks = [Check("CPU ratio to ungoverned", cost.ratio("governed", "ungoverned"), 1.10),
                  Check("CPU ratio to nginx", cost.ratio("governed", "nginx"), 1.0),
                  Check("added p99 at 1 connection", added, 15, "µs")]
    row.gateway = cost.text("governed", "µs")
    row.reference = f"ungoverned {cost.text('ungoverned', 'µs')}, nginx {cost.text('nginx', 'µs')}"
    slowest = ", ".join(f"{name} {latency.text(name, 'µs')}" for name in latency.by_name)
    row.notes.append(f"p99 at 1 connection: {slowest}")
    for target in targets:
        target.server.stop()
    return row


ROWS = {"cpu-1k": cpu_1k, "cpu-10k": cpu_10k, "cpu-tls": cpu_tls, "cpu-stream": cpu_stream, "latency": added_latency,
        "first-byte": first_byte, "idle-memory": idle_memory, "peak-memory": peak_memory, "slow-streams": slow_streams,
        "ready": exec_to_ready, "governed": governed}
