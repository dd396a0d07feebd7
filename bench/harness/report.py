"""The table, for the terminal and for bench/results.md."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from .rows import Row

VERDICTS = {True: "pass", False: "FAIL", None: "not measured"}


def verdict(row: Row) -> str:
    results = [check.passed() for check in row.checks]
    if any(result is False for result in results):
        return VERDICTS[False]
    return VERDICTS[None] if None in results else VERDICTS[True]


def first_line(command: list[str], cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, cwd=cwd)
    except OSError:
        return "unknown"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def facts(lab, command: str) -> list[str]:
    """Where and how the figures came about."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    gateway = first_line([str(lab.gateway_binary), "--version"]) if lab.has_gateway() else "no gateway"
    load = os.getloadavg()[0]
    return [
        f"date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        f"command: {command}",
        f"commit: {first_line(['git', 'describe', '--always', '--dirty'], lab.root)}",
        f"machine: {cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
        f"versions: {gateway}; {first_line([lab.nginx_binary, '-v'])}; {first_line([lab.haproxy_binary, '-v'])}",
        f"rounds: {lab.options.rounds}, {lab.options.seconds} s each; load average at the end {load:.1f}",
        f"runs: {lab.runs}, {lab.runs_again} of them again because a hypervisor took processor time meanwhile; "
        f"{lab.runs_stolen_from} without a calm one",
    ]


def markdown(rows: list[Row], about: list[str], failures: dict[str, str]) -> str:
    lines = ["# Benchmark results", "", "Written by `make bench`; what a row means is in [README.md](README.md).", ""]
    lines += [f"- {fact}" for fact in about]
    lines += ["", "| row | what | gateway | reference | figure | at most | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        figures = "<br>".join(f"{check.figure()} ({check.label})" for check in row.checks)
        limits = "<br>".join(check.at_most() for check in row.checks)
        cells = [row.name, row.what, row.gateway, row.reference, figures, limits, verdict(row)]
        lines.append("| " + " | ".join(cells) + " |")
    for name, text in failures.items():
        lines.append(f"| {name} | not measured: {' '.join(text.split())[:300]} | | | | | FAIL |")
    lines += ["", "Medians of the rounds, with [least..most]. A ratio is the median of the rounds' ratios.", ""]
    lines += [f"- {row.name}: {note}" for row in rows for note in row.notes]
    return "\n".join(lines) + "\n"


def terminal(row: Row) -> str:
    text = f"{row.name}: {row.what}\n    gateway {row.gateway}   |   {row.reference}\n"
    for check in row.checks:
        text += f"    {VERDICTS[check.passed()]:>12}  {check.label}: {check.figure()} (at most {check.at_most()})\n"
    return text + "".join(f"    {note}\n" for note in row.notes)
