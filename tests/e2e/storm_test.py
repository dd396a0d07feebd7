"""Storms of faults over a simulated fleet: no call fails, no text comes twice, and nothing is left in flight.

STORM_SECONDS=120 makes each of them longer; `make storm` does so and prints the figures."""

import concurrent.futures
import dataclasses
import os
import time

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from harness import fleet as fleets
from harness import upstream
from harness.fleet import CHAT, KEY, MESSAGES, Call

pytestmark = pytest.mark.xdist_group("heavy")

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


SOCKETS = [f"socket-{number}" for number in range(6)]
SOCKET_FAULTS = ["reset", "close", "refused", "hang", "garbage", "cut-in-body"]
_socket_faults = {}


@upstream.script("socket")
async def socket(connection, request):
    """Echoes what a WebSocket says, unless the connection it is for has a fault."""
    fault = _socket_faults.get(request.header("x-who"), "json")
    if fault == "refused":
        return await connection.answer(b"{}", "500 Internal Server Error")
    if fault != "cut":
        return await upstream.SCRIPTS[fault](connection, request)
    await upstream.begin_websocket(connection, request)
    await upstream.echo_frame(connection)
    connection.reset()


def settings(scripted):
    def own(fleet):
        quick = {"attempts": 20, "out_time": "2s", "ramp_time": "500ms", "first_byte_timeout": "1500ms"}
        held = {"hold_back": 100000, "idle_timeout": "1500ms", **quick}
        return {
            "connections": [
                {"name": name, "provider": "openai", "endpoint": f"{scripted.url}/v1", "api_key": "any"}
                | {"headers": {"x-who": name, "x-script": "socket"}}
                for name in SOCKETS
            ],
            "models": [{"name": model, "connection": name} for model in ("storm", "soft") for name in fleet.names]
            + [{"name": "sockets", "connection": name} for name in SOCKETS],
            "routes": [
                {"models": ["storm"], **held},
                {"models": ["soft"], "failures_out": 0, **held},
                {"models": ["sockets"], "policy": "least-requests", **quick},
            ],
        }

    return own


class StormFleet(fleets.Fleet):
    def __init__(self, directory):
        self.scripted = upstream.Upstream()
        super().__init__(directory, ["openai"] * INSTANCES, settings(self.scripted))

    def stop(self):
        problems = super().stop()
        self.scripted.stop()
        return problems


running, fleet = fleets.fixtures(StormFleet)


def storm(fleet, name, bad, model="storm", step_seconds=0.7):
    calls_of_model = [dataclasses.replace(call, model=model) for call in CALLS]
    before, began = fleet.event("retry"), time.monotonic()
    with fleets.Weather(fleet, bad, RULES, step_seconds):
        calls, failed, altered = fleets.hammer(fleet, calls_of_model, SECONDS)
    judge(fleet, name, calls, failed, altered, fleet.event("retry") - before, time.monotonic() - began)


def judge(fleet, name, calls, failed, altered, retries, took):
    print(
        f"{name}: {calls} calls in {took:.0f} s, {len(failed)} failed, {len(altered)} with lost or duplicated text, "
        f"{retries:.0f} retries ({retries / calls:.1%})"
    )
    assert not failed, failed[:3]
    assert not altered, altered[:3]
    assert 0 < retries <= 0.2 * calls
    fleet.idle()


def test_a_tenth_of_the_fleet_is_ill_at_any_time(fleet):
    storm(fleet, "a tenth ill", lambda step: [step % INSTANCES])


def test_one_healthy_instance_is_left(fleet):
    """All but one are ill all the time, each in another way with every step."""
    storm(fleet, "one healthy", lambda step: range(1, INSTANCES))


def test_one_healthy_instance_is_left_and_none_is_ever_put_out(fleet):
    storm(fleet, "one healthy, none out", lambda step: range(1, INSTANCES), "soft")


def test_clients_that_leave_and_reloads_leave_nothing_behind(fleet):
    with fleets.Weather(fleet, lambda step: range(step % 3, INSTANCES, 3), RULES, 0.3):
        for number in range(60):
            fleet.leave(CALLS[number % 2 * 2], after_bytes=(0, 1, 400)[number % 3])
            if number % 20 == 10:
                fleet.gateway.process.send_signal(1)  # SIGHUP
            if number % 6 == 0:
                fleet.ask(CALLS[number % 4], headers=[("x-llm-gateway-total-timeout-ms", "20")])
    fleet.idle()


def talk(fleet, messages):
    """One WebSocket that says so much: whether all of it came back, in order."""
    head = {"Authorization": f"Bearer {KEY}"}
    url = f"ws://127.0.0.1:{fleet.gateway.port}/v1/realtime?model=sockets"
    with connect(url, additional_headers=head, proxy=None, open_timeout=20) as own:
        for message in messages:
            own.send(message)
            if own.recv(timeout=20) != message:
                return False
    return True


def talkers(fleet, seconds, threads=8):
    """WebSockets, one after the other in each thread. (number, those that failed, those with other text)."""
    end = time.monotonic() + seconds
    failed, altered = [], []

    def talker(first):
        count = 0
        while time.monotonic() < end:
            messages = [f"{first} {count} {number} " + "x" * (number * 700) for number in range(6)]
            count += 1
            try:
                if not talk(fleet, messages):
                    altered.append(messages[0])
            except (WebSocketException, OSError) as error:
                failed.append(repr(error))
        return count

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(talker, range(threads))), failed, altered


class SocketWeather(fleets.Weather):
    """The same over the connections that WebSockets go to."""

    def _blow(self):
        step = 0
        while not self.over.is_set():
            wanted = self.bad(step)
            _socket_faults.clear()
            _socket_faults.update({SOCKETS[each]: self.rules[(step + each) % len(self.rules)] for each in wanted})
            step += 1
            self.over.wait(self.step_seconds)
        _socket_faults.clear()


def test_websockets_find_the_healthy_instance(fleet):
    before, began = fleet.event("retry"), time.monotonic()
    with SocketWeather(fleet, lambda step: range(1, len(SOCKETS)), SOCKET_FAULTS, 0.7):
        sockets, failed, altered = talkers(fleet, SECONDS)
    retries = fleet.event("retry") - before
    judge(fleet, "WebSockets, one healthy", sockets, failed, altered, retries, time.monotonic() - began)


def test_websockets_that_break_leave_nothing_behind(fleet):
    with SocketWeather(fleet, lambda step: range(step % 2, len(SOCKETS), 2), ["cut", "cut", "reset"], 0.5):
        sockets, failed, altered = talkers(fleet, min(SECONDS, 6))
    assert sockets > len(failed) > 0 and not altered
    fleet.idle()
