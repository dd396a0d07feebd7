"""The rows of calls between protocols: an Anthropic client and an OpenAI provider, beside the same gateway where both
speak one protocol."""

import json
import statistics
import subprocess
import time
from pathlib import Path

from .lab import Lab, Target
from .process import BenchError
from .rows import (CONNECTIONS, HELD_BYTES, MIB, REQUEST_BYTES, STREAM_MS, STREAMS, Check, Row, Samples, interleaved,
                   number)

EVENTS = 100  # of a benchmark's stream
BENCHMARK = Path(__file__).resolve().parents[2] / "build/release/src/gateway/gateway_bench"
HELD_REQUESTS = 500
# The load generator's body is one that both APIs take; the answer is another than the canned one.
CONVERTED = ["--path", "/v1/messages", "--expect-any"]


def gateway(lab: Lab) -> Target | None:
    return next((target for target in lab.all_proxies() if target.name == "gateway"), None)


def both_ways(lab: Lab, kind: str, arguments: list, row: str, keep) -> None:
    """Rounds of one run each way, interleaved; keep(name, result)."""
    target = gateway(lab)
    if target is None:
        return
    ways = {"same": [], "converted": CONVERTED}
    for turn in range(lab.options.rounds):
        for name in sorted(ways, reverse=turn % 2 == 1):
            keep(name, lab.calm_load(target, kind, [*arguments, *ways[name]], row))


def convert_cpu(lab: Lab) -> Row:
    cost = Samples()
    both_ways(lab, "plain", ["--connections", CONNECTIONS, "--body-bytes", REQUEST_BYTES, "--warmup-seconds", 0.3,
                             "--seconds", lab.options.seconds], "convert-cpu",
              lambda name, result: cost.add(name, result["cpu_us_per_request"]))
    ratio = cost.ratio("converted", "same") if cost.by_name else None
    row = Row("convert-cpu", "CPU a request, Anthropic client to OpenAI provider and back, 1 KB",
              [Check("ratio to the same protocol", ratio, 1.5)])
    row.gateway, row.reference = cost.text("converted", "µs"), f"same protocol {cost.text('same', 'µs')}"
    return row


def convert_stream(lab: Lab) -> Row:
    """The program's own code by itself: beside the system calls of a stream it is too little to be seen."""
    limit = Check("an event of the slowest pair", None, 3, "µs")
    row = Row("convert-stream", f"CPU of converting an event, streams of {EVENTS}, all pairs of dialects", [limit])
    if not lab.has_gateway():
        return row
    if not BENCHMARK.exists():
        raise BenchError("convert-stream: gateway_bench is not built: scripts/build release gateway_bench")
    output = subprocess.run([BENCHMARK, "--benchmark_filter=^Stream/", "--benchmark_format=json",
                             "--benchmark_min_time=0.02", f"--benchmark_repetitions={lab.options.rounds}"],
                            check=True, capture_output=True, text=True).stdout
    pairs = {}
    for run in json.loads(output)["benchmarks"]:
        if run.get("error_occurred"):
            raise BenchError(f"convert-stream: {run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            pairs.setdefault(run["run_name"].removeprefix("Stream/"), []).append(run["event"] * 1e6)
    medians = sorted((statistics.median(values), name) for name, values in pairs.items())
    limit.value, slowest = medians[-1]
    row.gateway = f"{limit.value:.2f} µs ({slowest.replace('/', ' to ')})"
    row.reference = f"median of {len(medians)} pairs {statistics.median(value for value, _ in medians):.2f} µs"
    return row


def convert_first(lab: Lab) -> Row:
    """Beside the same protocol, whose own time at as many streams is the row first-byte."""
    first = {point: Samples() for point in ("p50", "p99")}
    arguments = ["--stream", "--connections", STREAMS, "--ramp-ms", STREAM_MS, "--warmup-requests", STREAMS,
                 "--seconds", lab.options.seconds, "--expect-any"]

    def measure(way: tuple[str, Target]) -> None:
        name, target = way
        more = CONVERTED if name == "converted" else []
        result = lab.calm_load(target, "stream", [*arguments, *more], "convert-first")
        if result["latency_us"]["p50"] < STREAM_MS * 900:
            raise BenchError("convert-first: what came was no stream")
        for point, samples in first.items():
            samples.add(name, result["first_byte_us"][point])

    target = gateway(lab)
    interleaved(lab, [("direct", lab.direct()), *([("same", target), ("converted", target)] if target else [])],
                measure)
    row = Row("convert-first", f"time conversion adds to the first token of a stream, p99, {STREAMS} streams",
              [Check("added p99", first["p99"].difference("converted", "same"), 100, "µs")])
    row.gateway = first["p99"].text("converted", "µs")
    row.reference = f"same protocol {first['p99'].text('same', 'µs')}, direct {first['p99'].text('direct', 'µs')}"
    if target:
        over = {point: number(samples.difference("converted", "direct"), "µs") for point, samples in first.items()}
        row.notes.append("conversion adds at p50 " + number(first["p50"].difference("converted", "same"), "µs") +
                         f"; over no gateway at all, p50 {over['p50']}, p99 {over['p99']}")
    return row


def convert_memory(lab: Lab) -> Row:
    row = Row("convert-memory", f"memory of {HELD_REQUESTS} concurrent converted requests of {HELD_BYTES >> 10} KB",
              [Check("peak - idle, of the payload in flight", None, 4.0)])
    if not lab.has_gateway():
        return row
    canned, ports = lab.start_canned(["held"])
    target = lab.start_gateway(lab.upstreams | ports)
    time.sleep(1)
    idle = target.server.memory()["rss"]
    lab.load(target, "held", ["--connections", HELD_REQUESTS, "--requests", HELD_REQUESTS, "--body-bytes", HELD_BYTES,
                              *CONVERTED], "convert-memory")
    peak = target.server.memory()["peak"]
    target.server.stop()
    held = lab.canned_stats(canned)["answering_peak"]
    if held != HELD_REQUESTS:
        raise BenchError(f"convert-memory: the upstream held {held} of {HELD_REQUESTS} requests at one time")
    row.checks[0].value = (peak - idle) / (HELD_REQUESTS * HELD_BYTES)
    row.gateway = f"idle {idle / MIB:.1f}, peak {peak / MIB:.0f} MiB"
    row.reference = f"payload {number(HELD_REQUESTS * HELD_BYTES / MIB, 'MiB')}"
    return row


ROWS = {"convert-cpu": convert_cpu, "convert-stream": convert_stream, "convert-first": convert_first,
        "convert-memory": convert_memory}
