"""Storms of faults over a simulated fleet: no call fails, no text comes twice, and nothing is left in flight.

STORM_SECONDS=120 makes each of them longer; `make storm` does so and prints the figures."""

import os
import time

import pytest

from harness import fleet as fleets
from harness.fleet import CHAT, MESSAGES, Call

pytestmark = pytest.mark.xdist_group("storm")

SECONDS = float(os.environ.get("STORM_SECONDS", "6"))
INSTANCES = 10
RULES = [
    "reset",
    "status=500",
    "hang",
    "cut=after:5",
    "status=429; retry-after=1",
    "error-event=after:4",
    "hang=after:6",
    "reset=after:7",
    "status=503",
    "garbage-json=after:3",
    "drip=40:20ms",
    "garbage",
    "delay=300ms",
    "reset; p=0.5",
]
CALLS = [
    Call("chat, streamed", CHAT, True),
    Call("chat", CHAT, False),
    Call("messages, streamed", MESSAGES, True),
    Call("messages", MESSAGES, False),
]


def settings(fleet):
    return {
        "models": [{"name": "storm", "connection": name} for name in fleet.names],
        "routes": [
            {"models": ["storm"], "hold_back": 100000, "attempts": 20, "out_time": "2s", "ramp_time": "500ms"}
            | {"first_byte_timeout": "1500ms", "idle_timeout": "1500ms"}
        ],
    }


running, fleet = fleets.fixtures(lambda directory: fleets.Fleet(directory, ["openai"] * INSTANCES, settings))


def storm(fleet, name, bad, step_seconds=0.7):
    before, began = fleet.event("retry"), time.monotonic()
    with fleets.Weather(fleet, bad, RULES, step_seconds):
        calls, wrong = fleets.hammer(fleet, CALLS, SECONDS)
    retries = fleet.event("retry") - before
    took = time.monotonic() - began
    print(f"{name}: {calls} calls in {took:.0f} s, {len(wrong)} failed, {retries:.0f} retries ({retries / calls:.1%})")
    assert not wrong, wrong[:3]
    assert 0 < retries <= 0.2 * calls
    fleet.idle()


def test_a_tenth_of_the_fleet_is_ill_at_any_time(fleet):
    storm(fleet, "a tenth ill", lambda step: [step % INSTANCES])


def test_one_healthy_instance_is_left(fleet):
    """All but one are ill all the time, each in another way with every step."""
    storm(fleet, "one healthy", lambda step: range(1, INSTANCES))


def test_clients_that_leave_and_reloads_leave_nothing_behind(fleet):
    with fleets.Weather(fleet, lambda step: range(step % 3, INSTANCES, 3), RULES, 0.3):
        for number in range(60):
            fleet.leave(CALLS[number % 2 * 2], after_bytes=(0, 1, 400)[number % 3])
            if number % 20 == 10:
                fleet.gateway.process.send_signal(1)  # SIGHUP
            if number % 6 == 0:
                fleet.ask(CALLS[number % 4], headers=[("x-llm-gateway-total-timeout-ms", "20")])
    fleet.idle()
