#!/usr/bin/env python3
"""Can `llm-gateway route simulate` be believed? The same trace through it, and through a real gateway before a fleet of
simulated engines over sockets; prints both mean times to first token and exits 1 if they differ by more than 10 %.

    bench/fidelity.py [--gateway build/release/llm-gateway] [--policy adaptive] [--calls 200]

Takes as long as the trace, about half a minute. Wants an idle machine.
"""

import argparse
import concurrent.futures
import http.client
import json
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INSTANCES, BLOCKS, BLOCK_TOKENS, PREFILL = 4, 64, 256, 8000  # a block is 1 KiB of text, as the gateway's index has it
LIMIT = 0.10


def make_trace(calls, rate, seed=7):
    """Conversations that grow, and prompts that come once: (seconds, blocks)."""
    rng, now, conversations, next_id, trace = random.Random(seed), 0.0, [], 1, []
    for _ in range(calls):
        now += rng.expovariate(rate)
        if conversations and rng.random() < 0.6:
            blocks = rng.choice(conversations[-12:])
            blocks += range(next_id, next_id := next_id + rng.randint(1, 2))
        else:
            blocks = list(range(next_id, next_id := next_id + rng.randint(2, 10)))
            conversations.append(blocks)
        trace.append((now, list(blocks)))
    return trace


def prompt_of(blocks):
    """1 KiB a block, the same text for the same block. The first is shorter by what stands before it in the body."""
    parts = [(f"{block:08d} " * 128)[:1024] for block in blocks]
    return "".join(parts)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def configuration(port, engines, policy, directory):
    lines = [f'[server]\nlisten = "127.0.0.1:{port}"\ndata_dir = "{directory}/data"',
             "workers = 1\nallow_anonymous = true"]
    for number, engine in enumerate(engines):
        lines.append(
            f'[[connections]]\nname = "e{number}"\nprovider = "vllm"\nendpoint = "http://127.0.0.1:{engine}/v1"\n'
            f'api_key = "any"\n[[models]]\nname = "m"\nconnection = "e{number}"'
        )
    lines.append(f'[[routes]]\nmodels = ["m"]\npolicy = "{policy}"')
    return "\n".join(lines) + "\n"


def first_token_seconds(port, start, at, blocks):
    time.sleep(max(0, start + at - time.monotonic()))
    body = json.dumps(
        {"messages": [{"role": "user", "content": prompt_of(blocks)}], "model": "m", "stream": True, "max_tokens": 1}
    )
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.readline()
    took = time.monotonic() - began
    answer.read()
    connection.close()
    return took


def wait_ready(port, path):
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"nothing answers on port {port}")


def real(gateway, policy, trace, directory):
    port, *engines = free_ports(1 + INSTANCES)
    (directory / "data").mkdir(mode=0o700, exist_ok=True)
    config = directory / "gateway.toml"
    config.write_text(configuration(port, engines, policy, directory))
    fleet = [gateway, "simulate", "--prefill-speed", str(PREFILL), "--decode-speed", "0", "--running-max", "1"]
    fleet += ["--kv-blocks", str(BLOCKS), "--block-tokens", str(BLOCK_TOKENS)]
    for engine in engines:
        fleet += ["--listen", f"127.0.0.1:{engine}"]
    log = (directory / "log").open("w")
    running = [
        subprocess.Popen(fleet, stdout=log, stderr=log),
        subprocess.Popen([gateway, "serve", "--config", config], stdout=log, stderr=log),
    ]
    try:
        wait_ready(engines[-1], "/health")
        wait_ready(port, "/ready")
        start = time.monotonic() + 0.5
        with concurrent.futures.ThreadPoolExecutor(len(trace)) as pool:
            return list(pool.map(lambda call: first_token_seconds(port, start, *call), trace))
    finally:
        for process in running:
            process.terminate()
            process.wait()


def simulated(gateway, policy, trace, directory):
    file = directory / "trace.jsonl"
    with file.open("w") as out:
        for at, blocks in trace:
            tokens = len(blocks) * BLOCK_TOKENS + 2  # the message and the answer begin with one each
            call = {"timestamp": at * 1000, "input_length": tokens, "output_length": 1, "hash_ids": blocks}
            out.write(json.dumps(call) + "\n")
    command = [gateway, "route", "simulate", file, "--instances", str(INSTANCES), "--blocks", str(BLOCKS), "--json"]
    command += ["--block-tokens", str(BLOCK_TOKENS), "--prefill-speed", str(PREFILL)]
    command += ["--learn-cache", "--policy", policy]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", default=str(ROOT / "build/release/llm-gateway"))
    parser.add_argument("--policy", default="adaptive")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rate", type=float, default=14, help="calls a second")
    arguments = parser.parse_args()
    trace = make_trace(arguments.calls, arguments.rate)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        model = simulated(arguments.gateway, arguments.policy, trace, directory)
        times = real(arguments.gateway, arguments.policy, trace, directory)
    mean = statistics.mean(times)
    difference = mean / model["ttft_mean_s"] - 1
    print(f"{arguments.policy}: simulated {model['ttft_mean_s']:.3f} s, real {mean:.3f} s, {difference:+.1%}")
    return 0 if abs(difference) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
