"""What is written leaves at once: TCP_NODELAY on every connection of the program, however it came about. A small write
that waits for the peer's acknowledgement (40 ms of a delayed one) would be an event of a stream that comes late."""

import os
import socket

import pytest
from handover_test import SecureWorld
from harness import sockets
from harness.waiting import until
from process_test import World
from upstream_test import ENGINE, Proxy, TlsUpstream, configure


def activated(world):
    """A program that starts with a socket of a service manager's, which lacks the option, and a client in its queue."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", world.port))
        listener.listen(100)
        early = world.connection()
        early.connect()
        script = 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=main; exec "$0" "$@" 3<&%d' % listener.fileno()
        process = world.spawn(
            "serve",
            "--config",
            str(world.config),
            pass_fds=[listener.fileno()],
            prefix=["bash", "-c", script],
        )
        world.wait_for_pid(process.pid)
    assert world.chat(connection=early)[0] == 200
    return process, early


def connections(process, *peers):
    """By the port of either side: whether each connection the process has sends at once."""
    found = {}
    for each in sockets.of_process(process.pid):
        with each:
            ports = {each.getsockname()[1], each.getpeername()[1]} & set(peers)
            for port in ports:
                found.setdefault(port, []).append(sockets.sends_at_once(each))
    return found


def all_of(found, peers):
    return found if len(found) == len(peers) else None


def check(process, *peers):
    try:
        # Every kind of connection is there while a stream goes on.
        found = until(lambda: all_of(connections(process, *peers), peers), f"connections of all the ports {peers}")
    except sockets.NotAllowed as error:
        pytest.skip(f"this machine does not let a parent look at its child's sockets: {error}")
    assert all(all(each) for each in found.values()), found
    return found


@pytest.fixture(name="world")
def make_world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize("acceptor", ["reuseport", "shared"])
@pytest.mark.parametrize("opened", ["own", "activated"])
def test_clients_and_upstreams(world, acceptor, opened):
    world.write_config(server=f'acceptor = "{acceptor}"')
    early = None
    if opened == "own":
        process = world.serve()
    else:
        process, early = activated(world)
    stream = world.begin_stream()
    found = check(process, world.port, world.upstream.port)
    assert len(found[world.port]) == (2 if early else 1)
    world.upstream.released.set()
    stream.read()
    if early:
        early.close()


def test_two_sockets_for_the_one_admin_address(world):
    """One of them would take clients that nobody answers."""
    world.write_config()
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        numbers = [first.fileno(), second.fileno()]
        script = 'export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=admin:admin; exec "$0" "$@" 3<&{} 4<&{}'
        high = [os.dup2(number, number + 100) for number in numbers]  # out of the way of 3 and 4
        process = world.spawn(
            "serve",
            "--config",
            str(world.config),
            pass_fds=high,
            prefix=["bash", "-c", script.format(*high)],
        )
        for number in high:
            os.close(number)
        assert process.wait(60) == 1
        until(lambda: "2 sockets named 'admin' were handed over" in world.text(), "it says why")


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
def test_through_a_proxy(world, tmp_path, secured):
    proxy = Proxy()
    upstream = TlsUpstream(tmp_path) if secured else world.upstream
    lines = f'proxy = "http://127.0.0.1:{proxy.port}"\n'
    if secured:
        lines += 'tls = { ca_file = "upstream-ca.pem", server_name = "127.0.0.1" }\n'
    configure(world, f"{'https' if secured else 'http'}://{ENGINE}:{upstream.port}/v1", lines)
    process = world.serve()
    stream = world.begin_stream()
    check(process, world.port, proxy.port)
    assert len(proxy.heads) == 1
    upstream.released.set()
    stream.read()
    proxy.shutdown()
    proxy.server_close()


def test_behind_tls(tmp_path):
    world = SecureWorld(tmp_path)
    try:
        process = world.serve()
        stream = world.begin_stream()
        check(process, world.port, world.upstream.port)
        world.upstream.released.set()
        stream.read()
    finally:
        world.close()
