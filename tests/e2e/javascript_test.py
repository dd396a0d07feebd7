"""The JavaScript SDKs: each js/*.mjs is run once, each of its checks is a test here."""

import json
import os
import pathlib
import subprocess

import pytest

from harness.processes import ROOT

pytestmark = pytest.mark.xdist_group("sdk")

SOURCES = pathlib.Path(__file__).parent / "js"
PACKAGES = ROOT / "build" / "e2e-js"
NODE = ROOT / "build" / "venv" / "bin" / "node"
RUN_SECONDS = 180


def node(script, environment, seconds):
    return subprocess.run(
        [NODE, SOURCES / "load.mjs", script],
        cwd=PACKAGES,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=dict(os.environ) | environment,
    )


def names_of(script):
    result = node(script, {"E2E_LIST": "1", "GATEWAY_URL": "http://127.0.0.1:1", "GATEWAY_KEY": "unused"}, RUN_SECONDS)
    assert result.returncode == 0, result.stderr
    return [json.loads(line)["name"] for line in result.stdout.splitlines()]


CHECKS = [(script, name) for script in ("openai", "anthropic", "google", "loops") for name in names_of(script)]


@pytest.fixture(scope="session")
def outcomes(world):
    """script → its checks' errors by name, run when first asked for."""
    done = {}

    def run(script):
        if script not in done:
            result = node(script, {"GATEWAY_URL": world.url, "GATEWAY_KEY": world.keys.full}, RUN_SECONDS)
            lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
            done[script] = ({line["name"]: line["error"] for line in lines}, result.stderr)
        return done[script]

    return run


@pytest.mark.parametrize("script, name", CHECKS)
def test_javascript(outcomes, script, name):
    errors, output = outcomes(script)
    assert name in errors, f"the script ended before this check did:\n{output[-2000:]}"
    assert errors[name] is None, errors[name]
