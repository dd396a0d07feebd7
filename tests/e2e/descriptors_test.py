"""When descriptors or connections run out: who waits, who goes, and who is not to blame."""

import contextlib
import re
import socket
import time

import pytest
from handover_test import SecureWorld
from process_test import World

from harness.waiting import until

OPEN_FILES = 200
HANDSHAKE_SECONDS = 10  # until a client that begins none is closed
CLIENTS = 300  # more than the limit of open files lets in


@pytest.fixture(name="world")
def make_world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def failures(world):
    """Of attempts, as counted against the instance."""
    found = re.findall(
        r'^llm_gateway_instance_requests_total\{[^}]*status="failure"[^}]*\} (\S+)$', world.get("/metrics")[1], re.M
    )
    return sum(map(float, found))


@pytest.mark.parametrize("acceptor", ["reuseport", "shared"])
def test_clients_that_say_nothing_keep_nobody_out(world, acceptor):
    world.write_config(server=f'acceptor = "{acceptor}"')
    limit = ["bash", "-c", f'ulimit -n {OPEN_FILES}; exec "$0" "$@"']
    world.serve(prefix=limit)
    [told] = until(lambda: [line for line in world.lines() if "limit of open files" in line["msg"]], "it is told")
    assert told["level"] == "warn" and told["open_files"] == OPEN_FILES
    assert told["client_connections"] < OPEN_FILES / 2 and told["max_connections"] == 20_000
    kept = world.connection()
    assert world.chat(connection=kept)[0] == 200
    silent = [socket.create_connection(("127.0.0.1", world.port), timeout=60) for _ in range(CLIENTS)]
    try:
        for _ in range(20):
            assert world.chat()[0] == 200
        # The metrics are what they were a second ago.
        until(lambda: world.metric("llm_gateway_idle_connections_ended_total"), "idle ones have gone")
        assert world.metric("llm_gateway_client_connections_max") == told["client_connections"]
        assert world.metric("process_open_fds") < OPEN_FILES
        assert failures(world) == 0 and not [line for line in world.lines() if line["msg"] == "instance out"]
    finally:
        kept.close()
        for each in silent:
            each.close()


def test_clients_that_begin_no_handshake_keep_nobody_out(tmp_path):
    world = SecureWorld(tmp_path)
    try:
        world.serve(prefix=["bash", "-c", f'ulimit -n {OPEN_FILES}; exec "$0" "$@"'])
        assert world.chat()[0] == 200
        with contextlib.ExitStack() as silent:
            for _ in range(CLIENTS):
                silent.enter_context(socket.create_connection(("127.0.0.1", world.port), timeout=60))
            began = time.monotonic()
            assert world.chat()[0] == 200
            assert time.monotonic() - began < HANDSHAKE_SECONDS, "it waited for them to be late"
    finally:
        world.close()


@pytest.mark.parametrize("files", [16, 24, 60])
def test_too_few_to_serve_anybody_are_told(world, files):
    process = world.spawn(
        "serve", "--config", str(world.config), prefix=["bash", "-c", f'ulimit -n {files}; exec "$0" "$@"']
    )
    assert process.wait(60) == 1
    until(lambda: f"no more than {files} files may be open" in world.text(), "it says why")


def test_no_free_connection_is_not_the_instances_fault(world):
    limits = '[upstream]\nmax_connections = 1\nconnect_timeout = "100ms"\n'
    world.write_config(more=limits)
    world.config.write_text(world.config.read_text().replace("workers = 2", "workers = 1"))
    world.serve()
    stream = world.begin_stream()
    for _ in range(8):
        status, body = world.chat()
        assert status == 503 and b"no connection to the provider is free" in body
    assert failures(world) == 0 and not [line for line in world.lines() if line["msg"] == "instance out"]
    world.upstream.released.set()
    stream.read()
    assert world.chat()[0] == 200
