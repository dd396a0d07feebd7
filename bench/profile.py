#!/usr/bin/env python3
"""Writes bench/release.profdata, with which release builds are optimised: what an instrumented gateway did under the
loads of the benchmark. To be run again when the request path has changed much; a stale profile costs speed only."""

import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from harness import conversion
from harness.lab import Lab
from harness.rows import CONNECTIONS, LARGE_REQUEST_BYTES, REQUEST_BYTES, STREAM_MS, STREAMS

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/profile"
PROFILE = ROOT / "bench/release.profdata"
SECONDS = 3


def build() -> None:
    subprocess.run(["cmake", "--preset", "release", "-B", BUILD, "-DLLMGW_PROFILE=generate", "-DLLMGW_BENCH_TOOLS=OFF",
                    "-DCMAKE_INTERPROCEDURAL_OPTIMIZATION=OFF"], cwd=ROOT, check=True)
    subprocess.run(["cmake", "--build", BUILD, "--target", "llm-gateway"], check=True)


def loads() -> list[tuple[str, list]]:
    """What is done often in production: small and large requests, streams, TLS, conversion; a burst and one by one."""
    json_load = ["--connections", CONNECTIONS, "--seconds", SECONDS]
    stream = ["--stream", "--connections", STREAMS, "--ramp-ms", STREAM_MS, "--seconds", SECONDS]
    small = ["--body-bytes", REQUEST_BYTES]
    return [
        ("plain", json_load + small),
        ("plain", json_load + ["--body-bytes", LARGE_REQUEST_BYTES]),
        ("plain", ["--connections", 1, "--seconds", SECONDS, *small]),
        ("tls", json_load + small),
        ("stream", stream),
        ("plain", json_load + small + conversion.CONVERTED),
        ("stream", stream + conversion.CONVERTED),
    ]


def train() -> None:
    options = types.SimpleNamespace(rounds=1, seconds=SECONDS, gateway=str(BUILD / "llm-gateway"),
                                    tools=str(ROOT / "build/release/bench"), nice=0)
    with Lab(ROOT, options) as lab:
        for governed in (None, True):
            gateway = lab.start_gateway(governed=governed)
            for kind, arguments in loads():
                result = lab.load(gateway, kind, arguments, "profile")
                print(f"{'governed' if governed else 'plain'}, {kind}: {result['requests']} requests", flush=True)


def main() -> int:
    build()
    with tempfile.TemporaryDirectory(prefix="llmgw-profile-") as directory:
        os.environ["LLVM_PROFILE_FILE"] = f"{directory}/%p-%m.profraw"
        train()
        raw = [str(path) for path in Path(directory).glob("*.profraw")]
        subprocess.run(["llvm-profdata-19", "merge", "--sparse", "-o", PROFILE, *raw], check=True)
    print(f"wrote {PROFILE.relative_to(ROOT)}, {PROFILE.stat().st_size >> 10} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
