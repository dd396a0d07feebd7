#!/usr/bin/env python3
"""Does the default policy need tuning? Every policy over traces, speeds and cache sizes, by `llm-gateway
route simulate`; prints how far the default's mean time to first token is above the best, and exits 1 where that is more
than 5 %.

    bench/policies.py [--gateway build/release/llm-gateway] [--seeds 1 2] [--engines 8] [--blocks 150 600 2500]
                      [--speeds 0.7 1 1.3 1.6] [TRACE...]

Without a trace: conversations, documents that many ask about, system prompts, agents, prompts that come once, and
bursts, made up from seeds. Calls refused because too many wait count as an hour each, so that nobody wins by refusing.

Near a fleet's limit single calls decide, so one case says little. Where a kind has several seeds, the end tells in
which the best other policy is better by more than 5 % and by more than two standard errors in the mean of the seeds.
"""

import argparse
import collections
import concurrent.futures
import itertools
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT, REFUSED_SECONDS = 1.05, 3600
SPEEDS, BLOCKS = (0.7, 1.0, 1.3, 1.6), (150, 600, 2500)
BLOCK_TOKENS, CALLS, RATE = 512, 2500, 12


def conversations(seed, calls, rate):
    """Conversations that grow, half of them on one of ten documents."""
    rng, now, chains, next_id = random.Random(seed), 0.0, [], 1000
    for _ in range(calls):
        now += rng.expovariate(rate)
        if chains and rng.random() < 0.6:
            chain = rng.choice(chains[-40:])
            chain += range(next_id, next_id := next_id + rng.randint(1, 4))
        else:
            chain = [rng.randrange(10)] if rng.random() < 0.5 else []
            chain += range(next_id, next_id := next_id + rng.randint(4, 34))
            chains.append(chain)
        yield now, list(chain)


def documents(seed, calls, rate):
    """A hundred documents, some far more popular than others, and a question of a block or three on one of them."""
    rng, now, next_id = random.Random(seed), 0.0, 100_000
    pages = [[number * 100 + page for page in range(rng.randint(10, 70))] for number in range(100)]
    for _ in range(calls):
        now += rng.expovariate(rate)
        document = pages[min(99, int(100 ** rng.random()) - 1)]
        yield now, document + list(range(next_id, next_id := next_id + rng.randint(1, 3)))


def assistants(seed, calls, rate):
    """Four long system prompts that everybody shares, some far more popular than others, and short questions."""
    rng, now, next_id = random.Random(seed), 0.0, 100_000
    for _ in range(calls):
        now += rng.expovariate(2 * rate)
        first = 100 * int(4 * rng.random() ** 2)
        yield now, [*range(first, first + 20), *range(next_id, next_id := next_id + rng.randint(1, 6))]


def agents(seed, calls, rate):
    """Agents that go on for long: a common beginning, and a block or three with every turn."""
    rng, now, next_id, chains = random.Random(seed), 0.0, 100_000, []
    for _ in range(calls):
        now += rng.expovariate(rate)
        if len(chains) < 40 or rng.random() < 0.02:
            chains.append([*range(8), *range(next_id, next_id := next_id + rng.randint(2, 10))])
            chain = chains[-1]
            del chains[:-60]
        else:
            chain = rng.choice(chains)
            chain += range(next_id, next_id := next_id + rng.randint(1, 3))
        yield now, chain[:250]


def strangers(seed, calls, rate):
    """Prompts of all lengths that have nothing in common."""
    rng, now, next_id = random.Random(seed), 0.0, 0
    for _ in range(calls):
        now += rng.expovariate(rate)
        yield now, list(range(next_id, next_id := next_id + min(200, max(1, int(rng.lognormvariate(2.2, 1))))))


def bursts(seed, calls, rate):
    """Conversations that come three times as fast in half of every 40 s."""
    for at, chain in conversations(seed + 100, calls, rate):
        phase = at % 40
        yield at - phase + (phase * 0.5 if phase < 20 else 10 + (phase - 20) * 1.5), chain


KINDS = (conversations, documents, assistants, agents, strangers, bursts)


def write_trace(path, calls):
    with path.open("w") as out:
        for at, chain in calls:
            call = {"timestamp": at * 1000, "input_length": len(chain) * BLOCK_TOKENS, "output_length": 50}
            out.write(json.dumps(call | {"hash_ids": chain}) + "\n")
    return path


def made_up(directory, seeds):
    for kind, seed in itertools.product(KINDS, seeds):
        yield write_trace(directory / f"{kind.__name__}-{seed}", kind(seed, CALLS, RATE))


def simulate(gateway, trace, speed, blocks, instances):
    command = [gateway, "route", "simulate", trace, "--all", "--json", "--speed", str(speed)]
    command += ["--blocks", str(blocks), "--instances", str(instances)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    means = {}
    for result in map(json.loads, lines):
        answered = result["requests"] - result["refused"]
        total = result["ttft_mean_s"] * answered + REFUSED_SECONDS * result["refused"]
        means[result["policy"]] = total / result["requests"]
    return means


def log_ratios(results):
    """For each policy the mean and the standard error of how far the default's mean is above its, in logarithms."""
    for policy in results[0]:
        logs = [math.log(max(means["adaptive"], 1e-9) / max(means[policy], 1e-9)) for means in results]
        yield policy, statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))


def print_by_kind(kinds):
    several = {name: results for name, results in kinds.items() if len(results) > 1}
    worse = 0
    for name, results in several.items():
        policy, mean, error = max(log_ratios(results), key=lambda each: each[1])
        if mean > max(math.log(LIMIT), 2 * error):
            worse += 1
            print(f"{name}: {math.exp(mean) - 1:+.0%} ± {error:.0%} above {policy} over {len(results)} seeds")
    if several:
        print(f"by kind, not by chance: within 5 % of the best in {len(several) - worse} of {len(several)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", type=pathlib.Path)
    parser.add_argument("--gateway", default=str(ROOT / "build/release/llm-gateway"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engines", type=int, nargs="+", default=[8])
    parser.add_argument("--blocks", type=int, nargs="+", default=BLOCKS)
    parser.add_argument("--speeds", type=float, nargs="+", default=SPEEDS)
    arguments = parser.parse_args()
    held, total, logs, kinds = 0, 0, 0.0, collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as directory:
        traces = arguments.traces or list(made_up(pathlib.Path(directory), arguments.seeds))
        cells = list(itertools.product(traces, arguments.speeds, arguments.blocks, arguments.engines))
        pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        all_means = pool.map(lambda cell: simulate(arguments.gateway, *cell), cells)
        for (trace, speed, blocks, fleet), means in zip(cells, all_means):
            kinds[f"{trace.name.rpartition('-')[0]} speed {speed} blocks {blocks} engines {fleet}"].append(dict(means))
            own = means.pop("adaptive")
            best = min(means, key=means.get)
            ratio = own / max(min(own, means[best]), 1e-9)
            total, held, logs = total + 1, held + (ratio <= LIMIT), logs + math.log(own / means[best])
            print(f"{trace.name:28} speed {speed:3} blocks {blocks:5} engines {fleet}: {own:8.2f} s, "
                  f"best other {means[best]:8.2f} s ({best}){'' if ratio <= LIMIT else f'  +{ratio - 1:.0%}'}")
    print(f"within 5 % of the best: {held} of {total}; over all, {math.exp(logs / total):.3f} of the best other")
    print_by_kind(kinds if not arguments.traces else {})
    return 0 if held == total else 1


if __name__ == "__main__":
    sys.exit(main())
