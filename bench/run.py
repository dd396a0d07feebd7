#!/usr/bin/env python3
"""Runs nginx, haproxy and the gateway over the same canned upstream and prints the table of bench/README.md."""

import argparse
import json
import resource
import shlex
import signal
import sys
import time
from pathlib import Path

from harness import conversion, report
from harness.lab import Lab
from harness.process import BenchError
from harness.rows import ROWS as PASSING

ROWS = PASSING | conversion.ROWS
ROOT = Path(__file__).resolve().parent.parent
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="ROW", help="one of: " + " ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds, default 11")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a measurement, default 1")
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that it works")
    parser.add_argument("--gateway", default=str(ROOT / "build/release/llm-gateway"), help="the binary to measure")
    parser.add_argument("--tools", default=str(ROOT / "build/release/bench"), help="directory of the two tools")
    parser.add_argument("--nice", type=int, default=0, help="run everything at this priority; negative needs root")
    parser.add_argument("--output", help="the report; default bench/results.md if all rows ran in full")
    parser.add_argument("--strict", action="store_true", help="exit 1 also if a figure is over its limit")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = QUICK_ROUNDS, QUICK_SECONDS
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    if options.output is None and not options.only and not options.quick and Path(options.gateway).exists():
        options.output = str(ROOT / "bench/results.md")
    return options


def measure(lab: Lab, names: list[str]) -> tuple[list, dict[str, str]]:
    rows, failures = [], {}
    for name in names:
        try:
            rows.append(ROWS[name](lab))
            print(report.terminal(rows[-1]), flush=True)
        except BenchError as error:
            failures[name] = str(error)
            print(f"{name}: cannot be measured: {error}\n", flush=True)
    return rows, failures


def run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    # A signal becomes an exception, so that every process is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    # As the service manager would; 5,000 streams through a proxy are 10,000 descriptors.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Lab(ROOT, options) as lab:
        if not lab.has_gateway():
            print(f"{lab.gateway_binary} is not built: only nginx and haproxy are measured\n")
        rows, failures = measure(lab, options.only or list(ROWS))
        about = report.facts(lab, shlex.join(["bench/run", *sys.argv[1:]]))
        raw = ROOT / "build/bench-raw.json"
        raw.parent.mkdir(exist_ok=True)
        raw.write_text(json.dumps(lab.raw))
    print("\n".join(about))
    for row in rows:
        figures = ", ".join(f"{check.figure()} of {check.at_most()}" for check in row.checks)
        print(f"  {report.verdict(row):>12}  {row.name:<13} {figures}")
    for name in failures:
        print(f"  {'FAIL':>12}  {name:<13} cannot be measured")
    print(f"took {time.monotonic() - started:.0f} s")
    if options.output:
        Path(options.output).write_text(report.markdown(rows, about, failures))
        print(f"written: {options.output}")
    missed = any(report.verdict(row) == report.VERDICTS[False] for row in rows)
    return 1 if failures or (options.strict and missed) else 0


def main() -> int:
    try:
        return run(parse_arguments())
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
