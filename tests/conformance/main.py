"""Runs the families of conformance checks against the real program and reports them. See README.md."""

import argparse
import asyncio
import importlib
import os
import pathlib
import sys
import time

import cases as recordings
import results
import world as worlds
from families import metering
from judge import answers
from wire.gateway import CLIENT_KEY

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FAMILIES = {"A": "answers", "B": "requests", "C": "chains", "D": "same", "E": "errors", "F": "faults",
            "I": "quality", "V": "variations", "K": "edges"}
READ_FINER = "citations"  # the judge counts annotations of streams, the readings do not


def arguments():
    parser = argparse.ArgumentParser(prog="tests/conformance/run", description=__doc__)
    parser.add_argument("--cases", default=os.environ.get("LLMGW_CASES", str(ROOT.parent / "shared" / "cases")))
    parser.add_argument("--family", default="ABCDEFIVK", help="letters of the families, such as AE")
    parser.add_argument("--without", default="", help="letters of families to leave out")
    parser.add_argument("--client", choices=recordings.DIALECTS, help="only clients of this dialect")
    parser.add_argument("--provider", help="only recordings of this provider")
    parser.add_argument("--case", help="only recordings whose id contains this")
    parser.add_argument("--quick", action="store_true", help="a sample of the core tier")
    parser.add_argument("--seed", type=int, default=0, help="other variations of family V than usual")
    parser.add_argument("--out", default=str(ROOT / "build" / "conformance"))
    return parser.parse_args()


class Options:
    def __init__(self, given):
        self.client, self.provider, self.case, self.quick = given.client, given.provider, given.case, given.quick
        self.seed = given.seed

    def takes(self, case):
        if self.provider and case.provider != self.provider:
            return False
        if self.case and self.case not in case.id:
            return False
        return not self.quick or case.entry["tier"] == "core"

    def wants(self, client, case=None):
        if self.client and client != self.client:
            return False
        if self.quick and case is not None:
            return (case.number + recordings.DIALECTS.index(client or recordings.CHAT)) % worlds.QUICK_EVERY == 0
        return True


async def run(given, directory):
    where = pathlib.Path(given.out)
    where.mkdir(parents=True, exist_ok=True)
    options = Options(given)
    report = results.Report(results.Policy(HERE / "policy.toml"))
    everything = recordings.load(directory)
    chosen = [case for case in everything if options.takes(case)]
    if not chosen:
        print("conformance: no recording matches")
        return 2
    world = worlds.World(where, chosen, everything, options, report)
    await world.start()
    try:
        for letter in given.family:
            if letter in given.without:
                continue
            started, before = time.monotonic(), len(report.checks)
            await importlib.import_module(f"families.{FAMILIES[letter]}").run(world)
            made = len(report.checks) - before
            print(f"family {letter}: {made} checks in {time.monotonic() - started:.1f} s", flush=True)
    finally:
        problems = await world.stop()
        metering.judge(world)
    problems += leaks(world) + misread(chosen)
    report.print()
    report.write(where)
    for problem in problems:
        print(f"conformance: {problem[:3000]}")
    below = report.below()
    return 1 if below or problems else 0


def leaks(world):
    """Secrets in the gateway's log, calls to addresses that nobody configured."""
    text, found = world.gateway.text(), []
    for secret in (recordings.CREDENTIAL, CLIENT_KEY):
        if secret in text:
            found.append("a secret stands in the gateway's log")
    if world.upstream.strangers:
        found.append(f"calls to unknown upstream paths: {world.upstream.strangers[:5]}")
    return found


def misread(chosen):
    """Where the judge's own decoders and the recordings' readings disagree, a verdict is worth nothing."""
    found = []
    for case in chosen:
        if case.conversation and case.recorded and case.status < 400:
            wrong = [each for each in answers.self_check(case) if not each.startswith(READ_FINER)]
            found += [f"the judge reads {case.id} otherwise: {each}" for each in wrong]
    return found


def main():
    given = arguments()
    directory = pathlib.Path(given.cases)
    if not (directory / "index.json").is_file():
        print(f"conformance: skipped, no recorded traffic in {directory}")
        return 0
    return asyncio.run(run(given, directory))


if __name__ == "__main__":
    sys.exit(main())
